#pragma once
// Time comes in through `Clock&`. `WallTime` is stored, `Instant` is measured; they do not mix.
// TTL arithmetic saturates: adding to a time never wraps and never becomes "no expiry".
// Only vault/base/clock.cpp reads the machine's clocks.

#include <chrono>
#include <compare>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace leasehold {

using Seconds = std::chrono::duration<std::int64_t>;
using Millis = std::chrono::duration<std::int64_t, std::milli>;
using Nanos = std::chrono::duration<std::int64_t, std::nano>;

// Nanoseconds since 1970-01-01T00:00:00Z.
struct WallTime {
  std::int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
  std::int64_t seconds() const { return ns / 1'000'000'000; }
  std::int64_t millis() const { return ns / 1'000'000; }
};
// The latest storable time, a real instant in the year 2262; "never expires" is an absent value.
inline constexpr WallTime kEndOfTime{std::numeric_limits<std::int64_t>::max()};

struct Instant {
  std::int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
};

WallTime add(WallTime time, Nanos delta);       // saturating
WallTime add(WallTime time, Seconds delta);     // saturating, also in the conversion
Nanos since(WallTime later, WallTime earlier);  // saturating; negative when later < earlier
inline Instant add(Instant time, Nanos delta) { return {time.ns + delta.count()}; }

// RFC 3339 with nanoseconds, UTC, as Go prints it: trailing zeros of the fraction dropped.
std::string rfc3339(WallTime time);
Result<WallTime> parse_rfc3339(std::string_view text);

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime now() = 0;     // never goes backwards within a process
  virtual Instant instant() = 0;  // CLOCK_BOOTTIME; goes on while the machine sleeps
};

// An anchor (wall clock at construction) plus CLOCK_BOOTTIME. A step of the machine's clock
// backwards is ignored; forwards it is followed at once up to an hour, beyond that only after it
// has stood for five minutes. `never_before` is the last time the storage saw.
// Thread-safe.
class SystemClock final : public Clock {
 public:
  SystemClock();
  WallTime now() override;
  Instant instant() override;
  void never_before(WallTime floor);
  // `tell` is called when a step forwards begins to wait, once, from the thread that saw it; it may
  // ask for the time. Empty: nobody is told.
  void tell_steps(std::function<void(WallTime from, WallTime to)> tell);

 private:
  struct State;
  State& state_;
};

}  // namespace leasehold
