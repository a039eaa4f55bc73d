#include "vault/target/lane.h"

#include <algorithm>

#include "vault/base/bound.h"
#include "vault/target/lane_state.h"

namespace leasehold::target {
namespace {

constexpr Bound kWaiting{"requests wait for the target"};
constexpr Nanos kStopLimit = std::chrono::seconds(2);

// Waits for the threads until `end`, then cuts off who is left; returns their jobs.
Jobs close(Lane::State& state, Instant end) {
  MutexLock lock(state.mutex);
  bool in_time = true;
  while (in_time && (state.workers > 0 || state.keeper)) {
    const Nanos left_time(std::max<std::int64_t>(0, end.ns - state.clock.instant().ns));
    in_time = left_time.count() > 0 && state.watch.wait_for(state.mutex, left_time);
  }
  // Who is left is hung in its driver. Calls into what the lane borrowed end by themselves.
  state.closed = true;
  while (state.inside > 0) state.watch.wait(state.mutex);
  return std::exchange(state.running, {});
}

}  // namespace

Lane::Lane(std::string name, std::unique_ptr<Target> target, Tag tag, RevocationSource& revocations,
           Clock& clock, LogSink& log)
    : state_(std::make_shared<State>(std::move(name), std::move(target), std::move(tag),
                                     revocations, clock, log)) {}

Lane::~Lane() { stop(kStopLimit); }

Status Lane::submit(std::shared_ptr<Job> job) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  if (state.stopping) return failure(Code::unavailable, "the vault is shutting down");
  if (state.health == State::Health::open || state.only_ends_now()) return state.refusal();
  if (!state.jobs.takes(*job)) return kWaiting.hit(LaneQueue::max_of(job->renews));
  const Instant give_up = std::min(job->deadline, add(state.clock.instant(), kQueueWait));
  state.jobs.push(std::move(job), give_up);
  state.start_threads();
  if (state.jobs.size() == 1) state.watch.notify_all();
  return {};
}

void Lane::wake_revocations() {
  State& state = *state_;
  MutexLock lock(state.mutex);
  state.revocations_due = true;
  state.start_threads();
  state.work.notify_all();
  state.watch.notify_all();
}

void Lane::replace(std::unique_ptr<Target> target) {
  State& state = *state_;
  std::shared_ptr<Target> before = std::move(target);  // goes after the lock
  MutexLock lock(state.mutex);
  state.target.swap(before);
  ++state.settings_version;
  state.health = State::Health::unknown;
  state.probing = false;
  ++state.probe;
  state.status.breaker_open = state.status.ends_only = false;
  state.status.failures = 0;
  state.status.last_error.clear();
  state.start_threads();
  state.work.notify_all();
}

LaneStatus Lane::status() const {
  MutexLock lock(state_->mutex);
  return state_->status;
}

std::shared_ptr<const Target> Lane::target() const {
  MutexLock lock(state_->mutex);
  return state_->target;
}

void Lane::stop(Nanos limit) {
  State& state = *state_;
  const Instant end = add(state.clock.instant(), limit);
  Jobs left;
  {
    MutexLock lock(state.mutex);
    if (state.closed) return;
    state.stopping = true;
    left = state.jobs.take_all();
    state.work.notify_all();
    state.watch.notify_all();
  }
  refuse(left, failure(Code::unavailable, "the vault is shutting down"));
  for (const auto& job : close(state, end))
    job->done(failure(Code::deadline, "the vault is shutting down; the target has not answered"),
              true);
}

}  // namespace leasehold::target
