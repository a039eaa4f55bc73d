#pragma once
// A clock that moves when the test says so. Thread-safe.

#include <atomic>

#include "vault/base/clock.h"

namespace leasehold::testing {

class FakeClock final : public Clock {
 public:
  WallTime now() override { return {wall_ns_.load()}; }
  Instant instant() override { return {instant_ns_.load()}; }
  void advance(Nanos by) {
    wall_ns_ += by.count();
    instant_ns_ += by.count();
  }
  void set(WallTime now) { wall_ns_ = now.ns; }

 private:
  std::atomic<std::int64_t> wall_ns_{1'800'000'000'000'000'000};  // 2027-01-15T08:00:00Z
  std::atomic<std::int64_t> instant_ns_{1'000'000'000};
};

}  // namespace leasehold::testing
