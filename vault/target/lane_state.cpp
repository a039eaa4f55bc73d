#include "vault/target/lane_state.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "vault/target/own_threads.h"

namespace leasehold::target {
namespace {

constexpr Nanos kLongWait = std::chrono::hours(1);
constexpr Nanos kTurn = std::chrono::seconds(1);  // the keeper's, while somebody depends on it
constexpr Nanos kRevokePauseMin = std::chrono::milliseconds(100);
constexpr Nanos kAskSourceAfter = std::chrono::milliseconds(250);

Nanos from(Instant now, Instant to) { return Nanos(std::max<std::int64_t>(0, to.ns - now.ns)); }

Nanos backoff(std::uint64_t failures) {
  const auto doublings = std::min<std::uint64_t>(failures - 1, 10);
  return std::min(kBackoffMin * (std::int64_t{1} << doublings), kBackoffMax);
}

}  // namespace

void refuse(const Jobs& jobs, const Error& why) {
  for (const auto& job : jobs) job->done(why, false);
}

std::size_t Lane::State::each_max() {
  return std::max<std::size_t>(2, target->connections_max()) - 1;
}

std::optional<Task> Lane::State::takeable(Instant now, const Link& link) {
  // Those that have a connection come first: another one may not be had.
  if (!link.connection && takeable_count(now) <= connected) return std::nullopt;
  Task task;
  task.target = target;
  task.settings_version = settings_version;
  task.outages = outages;
  if (health != Health::healthy) {
    const bool due = health == Health::open ? now >= status.retry_at : has_work();
    if (probing || !due) return std::nullopt;
    probing = true;
    probe_began = now;
    task.probe = ++probe;
    task.kind = Task::Kind::probe;
    return task;
  }
  if (auto job = jobs.take(each_max(), issuing)) {
    task.kind = Task::Kind::issue;
    task.job = std::move(job);
    running.push_back(task.job);
    ++issuing.all;
    if (task.job->renews) ++issuing.renewals;
    return task;
  }
  notice_retries(now);
  if (!revocations_due || revoking >= each_max() || now < revoke_after) return std::nullopt;
  task.count = pace.take(kRevokeBatch, now);
  if (task.count == 0) return std::nullopt;
  task.kind = Task::Kind::revoke;
  revocations_due = false;  // before the source is asked, so that a later wake counts
  ++revoking;
  return task;
}

std::size_t Lane::State::takeable_count(Instant now) {
  if (health != Health::healthy)
    return !probing && (health == Health::open ? now >= status.retry_at : has_work()) ? 1 : 0;
  const std::size_t most = each_max();
  notice_retries(now);
  const bool revocation =
      revocations_due && revoking < most && now >= revoke_after && pace.has_one(now);
  return jobs.ready(most, issuing) + (revocation ? 1 : 0);
}

// The time has come at which an item that failed may be tried again.
void Lane::State::notice_retries(Instant now) {
  if (now < ask_source_at) return;
  ask_source_at = kNever;
  revocations_due = true;
}

Nanos Lane::State::until_next_event(Instant now) {
  if (health == Health::open && !probing) return from(now, status.retry_at);
  if (probing || !jobs.empty()) return kTurn;
  if (health == Health::healthy && revocations_due && now < revoke_after)
    return from(now, revoke_after);
  if (revocations_due) return std::chrono::milliseconds(50);
  return std::min(from(now, ask_source_at), kLongWait);
}

Task Lane::State::next_task(const Link& link) {
  MutexLock lock(mutex);
  const Instant idle_at = add(clock.instant(), kIdleLimit);
  const std::size_t holds = link.connection ? 1 : 0;
  while (true) {
    const Instant now = clock.instant();
    if (stopping) return {};
    // Before anything is taken: a task never meets a connection of older settings.
    if (link.connection && link.settings_version != settings_version)
      return {.kind = Task::Kind::disconnect};
    if (auto task = takeable(now, link)) {
      start_threads();  // there may be more than this one
      return std::move(*task);
    }
    const bool last = holds > 0 && connected == 0;
    if (now >= idle_at && jobs.empty() && !last) return {};
    const Nanos idle_in = now < idle_at ? from(now, idle_at) + kTurn : kLongWait;
    ++waiting;
    connected += holds;
    work.wait_for(mutex, std::min({until_next_event(now), idle_in, kLongWait}));
    connected -= holds;
    --waiting;
  }
}

void Lane::State::finished(const Task& task) {
  MutexLock lock(mutex);
  if (task.kind == Task::Kind::issue) --issuing.all;
  if (task.kind == Task::Kind::issue && task.job->renews) --issuing.renewals;
  if (task.kind == Task::Kind::revoke) --revoking;
}

void Lane::State::succeeded() {
  MutexLock lock(mutex);
  status.last_success = clock.now();
}

void Lane::State::probe_succeeded(const Task& task) {
  bool again = false;
  {
    MutexLock lock(mutex);
    if (task.settings_version != settings_version) {
      if (task.probe == probe) probing = false;
      return;
    }
    probing = false;
    fenced = settings_version;
    again = health == Health::open;
    if (again) pace.restart(clock.instant());
    health = Health::healthy;
    status.breaker_open = false;
    status.failures = 0;
    if (!status.ends_only) status.last_error.clear();
    again = again && !status.ends_only;
    status.last_success = clock.now();
    revocations_due = true;
    work.notify_all();  // more threads are started by this one, when it takes what it can itself
  }
  if (again) say(LogLevel::info, "target " + name + " answers again");
}

void Lane::State::open_breaker(const Error& why) {
  ++status.failures;
  status.last_error = why.message;
  status.breaker_open = true;
  status.retry_at = add(clock.instant(), backoff(status.failures));
  health = Health::open;
  revocations_due = true;
  watch.notify_all();
  work.notify_all();
}

Error Lane::State::refusal() {
  const Nanos left = from(clock.instant(), status.retry_at);
  const std::string why = status.last_error.empty() ? "" : ": " + status.last_error;
  return failure(Code::unavailable,
                 fmt::format("the target is not available at the moment{}; it is tried again in "
                             "{} s",
                             why, std::chrono::ceil<std::chrono::seconds>(left).count()),
                 name + ": " + status.last_error);
}

void Lane::State::unreachable(const Task& task, const Error& why) {
  Jobs refused;
  Error error;
  bool news = false;
  {
    MutexLock lock(mutex);
    const bool late = task.kind == Task::Kind::probe && task.probe != probe;
    if (late || task.settings_version != settings_version) return;
    if (task.kind == Task::Kind::probe) probing = false;
    // Several connections find out about one outage: it counts once.
    if (health == Health::open && task.kind != Task::Kind::probe) return;
    news = health != Health::open;
    if (news) ++outages;
    open_breaker(why);
    error = refusal();
    refused = jobs.take_all();
  }
  if (news) say(LogLevel::warn, "target " + name + " cannot be used: " + why.message);
  refuse(refused, error);
}

bool Lane::State::connected_or_not(bool succeeded) {
  MutexLock lock(mutex);
  return std::exchange(connect_failed, !succeeded);
}

void Lane::State::connected_to(const Task& task, const Status& ends_only) {
  Jobs refused;
  Error error;
  bool news = false;
  {
    MutexLock lock(mutex);
    if (task.settings_version != settings_version) return;
    news = status.ends_only == ends_only.ok();
    status.ends_only = !ends_only.ok();
    if (status.ends_only) {
      status.last_error = ends_only.error().message;
      status.retry_at = add(clock.instant(), kBackoffMin);
      error = refusal();
      refused = jobs.take_all();
    } else if (news) {
      status.last_error.clear();
      if (health == Health::healthy) health = Health::unknown;  // the probe tells the source of it
    }
  }
  if (news && ends_only.ok()) say(LogLevel::info, "target " + name + " lets its manager in again");
  if (news && !ends_only.ok())
    say(LogLevel::warn, "target " + name + " refuses its manager, accounts lose their access all " +
                            "the same: " + ends_only.error().message);
  refuse(refused, error);
}

void Lane::State::revoked() {
  MutexLock lock(mutex);
  revoke_pause = Nanos(0);
  status.last_success = clock.now();
}

void Lane::State::revocation_failed() {
  MutexLock lock(mutex);
  ask_source_at = std::min(ask_source_at, add(clock.instant(), kAskSourceAfter));
  watch.notify_all();
}

void Lane::State::lost_in_revocation() {
  MutexLock lock(mutex);
  revoke_pause = std::clamp(2 * revoke_pause, kRevokePauseMin, kBackoffMax);
  revoke_after = add(clock.instant(), revoke_pause);
  revocations_due = true;
}

void Lane::State::ask_source_again() {
  MutexLock lock(mutex);
  revocations_due = true;
  start_threads();
}

bool Lane::State::claim(const std::shared_ptr<Job>& job) {
  MutexLock lock(mutex);
  const auto found = std::find(running.begin(), running.end(), job);
  if (found == running.end()) return false;
  running.erase(found);
  ++inside;
  return true;
}

bool Lane::State::enter() {
  MutexLock lock(mutex);
  if (closed) return false;
  ++inside;
  return true;
}

void Lane::State::leave() {
  MutexLock lock(mutex);
  --inside;
  watch.notify_all();
}

void Lane::State::say(LogLevel level, const std::string& message) {
  if (!enter()) return;
  log.write(level, message);
  leave();
}

void Lane::State::spawn(void (*body)(const std::shared_ptr<State>&)) {
  run_on_own_thread([body, state = shared_from_this()] { body(state); });
}

void Lane::State::start_threads() {
  if (stopping) return;
  const std::size_t wanted = takeable_count(clock.instant());
  // Threads on their way count as waiting: whoever starts one adds it here.
  try {
    while (waiting < wanted && workers < each_max() + 1) {
      spawn(run_lane_worker);
      ++workers;
      ++waiting;
    }
    if (!keeper) {
      spawn([](const std::shared_ptr<State>& state) { state->keep(); });
      keeper = true;
    }
  } catch (const std::system_error&) {
    // No thread now; the keeper tries again, and what waits too long is refused.
  }
  if (wanted > 0) work.notify_all();
}

void Lane::State::keep() {
  MutexLock lock(mutex);
  while (!stopping) {
    const Instant now = clock.instant();
    if (probing && now >= add(probe_began, kProbeLimit)) {
      probing = false;
      ++probe;  // its answer no longer opens the breaker
      open_breaker(failure(Code::unavailable, "it does not answer"));
    }
    if (const Jobs expired = jobs.take_expired(now); !expired.empty()) {
      mutex.unlock();
      refuse(expired,
             failure(Code::unavailable, "no connection to the target became free in time"));
      mutex.lock();
      continue;
    }
    start_threads();
    // What is due now and finds no thread, because all hang, is looked at again, not spun on.
    watch.wait_for(mutex, std::max(until_next_event(now), kRevokePauseMin));
  }
  keeper = false;
  watch.notify_all();
}

}  // namespace leasehold::target
