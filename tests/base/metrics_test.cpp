// Counts of threads, added up.

#include "vault/base/metrics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <thread>

using namespace leasehold;
using metrics::Counter;
using metrics::Timer;

TEST_CASE("metrics: what threads counted is there while they run and after they ended") {
  const auto before = metrics::totals();
  constexpr int kThreads = 8, kTimes = 1000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i)
    threads.emplace_back([] {
      for (int k = 0; k < kTimes; ++k) {
        metrics::count(Counter::lease_ended);
        metrics::took(Timer::commit_group, std::chrono::microseconds(k));
      }
    });
  (void)metrics::totals();  // while they count
  for (std::thread& thread : threads) thread.join();
  const auto after = metrics::totals();
  CHECK(after.of(Counter::lease_ended) - before.of(Counter::lease_ended) == kThreads * kTimes);
  const auto timed = after.of(Timer::commit_group).since(before.of(Timer::commit_group));
  CHECK(timed.count == kThreads * kTimes);
  CHECK(timed.total_ns() == doctest::Approx(kThreads * 499'500'000.0));
  CHECK(timed.quantile(0.5) == doctest::Approx(500'000).epsilon(0.15));
  CHECK(timed.quantile(0.99) == doctest::Approx(990'000).epsilon(0.15));
}

TEST_CASE("metrics: a stopwatch counts all, and times some") {
  const auto before = metrics::totals().of(Timer::barrier_list);
  for (int i = 0; i < 160; ++i) const metrics::Stopwatch watch(Timer::barrier_list, 16);
  const auto timed = metrics::totals().of(Timer::barrier_list).since(before);
  CHECK(timed.count == 160);
  CHECK(timed.measured == 10);
  CHECK(timed.total_ns() == doctest::Approx(static_cast<double>(timed.ns) * 16));
}

TEST_CASE("metrics: times of any size have a place") {
  metrics::Timed none;
  CHECK(std::isnan(none.quantile(0.5)));
  CHECK(none.total_ns() == 0);
  const auto before = metrics::totals().of(Timer::token_revoke);
  metrics::took(Timer::token_revoke, Nanos(-5));
  metrics::took(Timer::token_revoke, Nanos(0));
  metrics::took(Timer::token_revoke, Nanos::max());
  const auto timed = metrics::totals().of(Timer::token_revoke).since(before);
  CHECK(timed.count == 3);
  CHECK(timed.quantile(0.01) < 1024);
  CHECK(timed.quantile(1) > 1e12);
}

TEST_CASE("metrics: mounts have places of their own, and those that come too late share one") {
  const std::size_t mine = metrics::route_place("metrics-test/");
  CHECK(mine == metrics::route_place("metrics-test/"));
  metrics::took_route(mine, 0, Nanos(5));
  metrics::took_route(mine, 1, Nanos(7));
  metrics::took_route(mine, metrics::kOperations, Nanos(7));  // no operation
  bool found = false;
  for (const auto& route : metrics::totals().routes) {
    if (route.mount_path != "metrics-test/") continue;
    found = true;
    CHECK(route.count[0] == 1);
    CHECK(route.ns[1] == 7);
  }
  CHECK(found);
  for (std::size_t i = 0; i < metrics::kRoutes; ++i) metrics::route_place("m" + std::to_string(i));
  CHECK(metrics::route_place("one-too-many/") == metrics::route_place(""));
  CHECK(mine == metrics::route_place("metrics-test/"));
}
