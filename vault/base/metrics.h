#pragma once
// What the process does, counted by each thread for itself: a count costs a load and a store, no
// lock and no shared cache line. Whoever asks adds the threads up. A time is a histogram, of which
// quantiles are read; where a Stopwatch says `every`, one of so many is timed, and all are counted.
//
//   metrics::count(metrics::Counter::audit_log_request_failure);
//   metrics::Stopwatch watch(metrics::Timer::barrier_get, 16);   // until it goes
//
// The names that the world sees are in vault/core/sys/metrics.cpp. Thread-safe.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/clock.h"

namespace leasehold::metrics {

enum class Counter : std::uint8_t {
  requests_begun,
  requests_ended,
  audit_log_request_failure,
  audit_log_response_failure,
  commits_submitted,
  commits_ended,
  commit_conflicts,
  lease_creation,
  lease_ended,  // seen gone, with its receipt
  token_creation,
  kCount,
};

enum class Timer : std::uint8_t {
  handle_request,
  handle_login_request,
  barrier_get,
  barrier_put,
  barrier_delete,
  barrier_list,
  policy_get,
  policy_set,
  policy_delete,
  token_lookup,
  token_create,
  token_store,
  token_revoke,
  expire_register,
  expire_renew,
  expire_revoke,
  audit_log_request,
  audit_log_response,
  commit_group,
  kCount,
};

inline constexpr std::size_t kCounters = static_cast<std::size_t>(Counter::kCount);
inline constexpr std::size_t kTimers = static_cast<std::size_t>(Timer::kCount);

void count(Counter what, std::uint64_t by = 1);
// `times` that took as long each.
void took(Timer what, Nanos time, std::uint64_t times = 1);

// Of what happens in each request: a clock costs as much as the thing itself.
inline constexpr unsigned kTimedOneOf = 16;

// Of the machine, for times that are only measured: the vault's own Clock is not asked.
Instant instant();

class Stopwatch {
 public:
  explicit Stopwatch(Timer what, unsigned every = 1);
  ~Stopwatch();
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;

 private:
  const Timer what_;
  Instant begun_{};  // zero: only counted
};

// Requests to one mount, by operation. The first kRoutes - 1 paths have a place of their own, all
// others share the place of the path "".
inline constexpr std::size_t kRoutes = 512, kOperations = 8;
std::size_t route_place(std::string_view mount_path);
void took_route(std::size_t place, std::size_t operation, Nanos time);

// Buckets of a histogram: four to each power of two from a microsecond to half an hour.
inline constexpr std::size_t kBuckets = 128;

struct Timed {
  std::uint64_t count = 0;     // all of them
  std::uint64_t measured = 0;  // of which so many were timed
  std::uint64_t ns = 0;        // which took so long together
  std::array<std::uint64_t, kBuckets> buckets{};

  // Of all, as if those that were not timed took as long as the others.
  double total_ns() const;
  // In nanoseconds, within an eighth; not a number: none was timed.
  double quantile(double q) const;
  Timed since(const Timed& earlier) const;
};

struct RouteTimed {
  std::string mount_path;
  std::array<std::uint64_t, kOperations> count{}, ns{};
};

struct Totals {
  std::array<std::uint64_t, kCounters> counters{};
  std::array<Timed, kTimers> timers{};
  std::vector<RouteTimed> routes;  // that were asked for something

  std::uint64_t of(Counter what) const { return counters[static_cast<std::size_t>(what)]; }
  const Timed& of(Timer what) const { return timers[static_cast<std::size_t>(what)]; }
};
// Since the process began, of all threads, also those that have ended.
Totals totals();

}  // namespace leasehold::metrics
