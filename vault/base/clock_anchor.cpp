#include "vault/base/clock_anchor.h"

#include <cstdlib>
#include <utility>

namespace leasehold {
namespace {

// A waiting step that moves by more than this is another step, and waits anew.
constexpr Nanos kSameStep = std::chrono::minutes(1);

}  // namespace

WallTime ClockAnchor::follow(WallTime wall, Instant boot) {
  const std::int64_t seen = wall.ns - boot.ns;
  const std::int64_t ahead = seen - offset_.load(std::memory_order_acquire);
  if (ahead > kStepAtOnce.count())
    wait_or_follow(seen, boot);
  else {
    if (step_waits_.load(std::memory_order_relaxed)) forget_step();
    if (ahead > 0) raise(seen);
  }
  return {boot.ns + offset_.load(std::memory_order_acquire)};
}

void ClockAnchor::never_before(WallTime floor, Instant boot) { raise(floor.ns - boot.ns); }

void ClockAnchor::raise(std::int64_t offset) {
  std::int64_t current = offset_.load(std::memory_order_acquire);
  while (current < offset &&
         !offset_.compare_exchange_weak(current, offset, std::memory_order_acq_rel)) {
  }
}

void ClockAnchor::tell_steps(StepWaits tell) {
  const std::lock_guard lock(mutex_);
  tell_ = std::move(tell);
}

void ClockAnchor::wait_or_follow(std::int64_t offset, Instant boot) {
  std::unique_lock lock(mutex_);
  const bool same = step_waits_.load(std::memory_order_relaxed) &&
                    std::abs(offset - step_offset_) <= kSameStep.count();
  if (!same) {
    step_offset_ = offset;
    step_since_ = boot;
    step_waits_.store(true, std::memory_order_relaxed);
    const StepWaits tell = tell_;
    lock.unlock();  // a log asks for the time
    if (tell) tell({boot.ns + offset_.load(std::memory_order_acquire)}, {boot.ns + offset});
  } else if (boot.ns - step_since_.ns >= kStepWaits.count()) {
    step_waits_.store(false, std::memory_order_relaxed);
    raise(offset);
  }
}

void ClockAnchor::forget_step() {
  const std::lock_guard lock(mutex_);
  step_waits_.store(false, std::memory_order_relaxed);
}

}  // namespace leasehold
