#pragma once
// The rule by which `SystemClock` follows the machine's clock, without the machine: what the two
// clocks showed goes in, the time to use comes out, so a test can step them as it likes.
//
//   ClockAnchor anchor(wall, boot);
//   const WallTime now = anchor.follow(wall, boot);   // boot is read after wall
//
// A step backwards is ignored. A step forwards is followed at once up to kStepAtOnce; a longer one
// only after it has stood for kStepWaits, and is told when it begins to wait. Thread-safe; the
// common case is two loads.

#include <atomic>
#include <functional>
#include <mutex>

#include "vault/base/clock.h"

namespace leasehold {

inline constexpr Nanos kStepAtOnce = std::chrono::hours(1);
inline constexpr Nanos kStepWaits = std::chrono::minutes(5);

class ClockAnchor {
 public:
  ClockAnchor(WallTime wall, Instant boot) : offset_(wall.ns - boot.ns) {}

  // `boot` must be read after `wall`: a thread that pauses between the two then sees the machine's
  // clock too early, which is ignored, instead of too late, which would stay for good.
  WallTime follow(WallTime wall, Instant boot);
  // From now on no time before `floor`.
  void never_before(WallTime floor, Instant boot);
  // Called once for each step that begins to wait, from the thread that saw it.
  using StepWaits = std::function<void(WallTime from, WallTime to)>;
  void tell_steps(StepWaits tell);

 private:
  void raise(std::int64_t offset);
  void wait_or_follow(std::int64_t offset, Instant boot);
  void forget_step();

  std::atomic<std::int64_t> offset_;  // wall minus boot; only ever grows
  std::atomic<bool> step_waits_{false};
  std::mutex mutex_;  // guards what is below
  std::int64_t step_offset_ = 0;
  Instant step_since_;
  StepWaits tell_;
};

}  // namespace leasehold
