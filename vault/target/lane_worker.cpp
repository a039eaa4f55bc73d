// What the threads of a lane do outside its mutex: connect, fence, run jobs, revoke.

#include "vault/target/lane_state.h"

namespace leasehold::target {
namespace {

using State = Lane::State;

bool may_be_broken(const Error& error) {
  return error.code == Code::unavailable || error.code == Code::deadline;
}

Status connect(State& state, const Task& task, Link& link) {
  const Instant now = state.clock.instant();
  auto connected = task.target->connect(state.tag, add(now, kConnectLimit));
  const bool whole = connected.ok() && (*connected)->ends_only().ok();
  const bool after_failure = state.connected_or_not(whole);
  VAULT_TRY_ASSIGN(auto made, std::move(connected));
  if (!state.enter()) return failure(Code::unavailable, "the vault is shutting down");
  const Status met = state.source.met(*made), ends_only = made->ends_only();
  if (met.ok() && whole) {
    state.source.connected(*made, after_failure);
    if (made->took_next_password()) state.source.rotated(*made);
  }
  state.leave();
  VAULT_TRY(met);
  state.connected_to(task, ends_only);
  if (link.connection && !ends_only.ok()) return ends_only;  // what is there is better
  link.connection = std::move(made);
  link.settings_version = task.settings_version;
  link.outages = task.outages;
  link.opened = now;
  return {};
}

// A connection that answers, or an open breaker.
bool healthy(State& state, const Task& task, Link& link) {
  const Instant now = state.clock.instant();
  if (link.connection && !link.connection->usable()) link.connection.reset();
  const Nanos lifetime = task.target->connection_lifetime();
  const bool old = lifetime.count() > 0 && now >= add(link.opened, lifetime);
  const bool doubtful = old || now >= add(link.used, kPingAfter) || link.outages != task.outages;
  if (link.connection && doubtful && !link.connection->ping(add(now, kPingLimit)).ok())
    link.connection.reset();
  link.outages = task.outages;
  if (!link.connection || old) {
    const Status connected = connect(state, task, link);
    if (!connected.ok() && !link.connection) {
      state.unreachable(task, connected.error());
      return false;
    }
    link.opened = now;  // an old one that answers is better than none, where all sessions are taken
  }
  link.used = state.clock.instant();
  return true;
}

// After an error that may mean the connection: closes it when it does not answer.
void look_at(State& state, Link& link) {
  if (!link.connection->ping(add(state.clock.instant(), kPingLimit)).ok()) link.connection.reset();
}

// Before the first job of a process, or of changed settings: an earlier process's sessions end.
Status fence(State& state, const Task& task, Link& link) {
  {
    MutexLock lock(state.mutex);
    if (state.fenced == task.settings_version) return {};
  }
  return link.connection->end_other_incarnations(add(state.clock.instant(), kConnectLimit));
}

// A connection that still answers shows as much as a new one, and no account can take it away.
bool answers(State& state, const Link& link) {
  return link.connection && link.connection->usable() &&
         link.connection->ping(add(state.clock.instant(), kPingLimit)).ok();
}

void run_probe(State& state, const Task& task, Link& link) {
  Status status;
  if (!answers(state, link)) {
    link.connection.reset();
    status = connect(state, task, link);
    if (status.ok()) status = link.connection->ping(add(state.clock.instant(), kPingLimit));
  }
  if (status.ok()) status = fence(state, task, link);
  if (status.ok() && link.connection->ends_only().ok() && state.enter()) {
    state.source.reached(*link.connection);
    state.leave();
  }
  link.used = state.clock.instant();
  if (status.ok()) return state.probe_succeeded(task);
  link.connection.reset();
  state.unreachable(task, status.error());
}

bool is_stopping(State& state) {
  MutexLock lock(state.mutex);
  return state.stopping;
}

void end_job(State& state, const std::shared_ptr<Job>& job, const Status& status, bool started) {
  if (!state.claim(job)) return;  // the lane was stopped meanwhile and has ended it
  job->done(status, started);
  state.leave();
}

Error why_not(State& state) {
  MutexLock lock(state.mutex);
  return state.refusal();
}

void run_issue(State& state, const Task& task, Link& link) {
  if (!healthy(state, task, link) || !link.connection->ends_only().ok() || is_stopping(state))
    return end_job(state, task.job, why_not(state), false);
  const Status status = task.job->work(*link.connection, task.job->deadline);
  link.used = state.clock.instant();
  if (status.ok()) state.succeeded();
  end_job(state, task.job, status, true);
  if (!status.ok() && may_be_broken(status.error())) look_at(state, link);
}

std::vector<RevocationSource::Item> take_due(State& state, std::size_t count) {
  std::vector<RevocationSource::Item> items;
  if (!state.enter()) return items;
  items = state.source.next(count);
  state.leave();
  MutexLock lock(state.mutex);
  state.pace.give_back(count - std::min(count, items.size()));
  if (items.size() < count) return items;
  state.revocations_due = true;
  state.start_threads();
  return items;
}

void report(State& state, const RevocationSource::Item& item, const Result<Revoked>& result) {
  if (!state.enter()) return;
  state.source.done(item, result);
  state.leave();
}

// False: the connection is lost, the items behind this one are not tried.
bool revoke_one(State& state, const RevocationSource::Item& item, Link& link) {
  auto result = link.connection->revoke(item.order, add(state.clock.instant(), kRevokeLimit));
  link.used = state.clock.instant();
  if (!result.ok() && may_be_broken(result.error())) look_at(state, link);
  const bool lives = link.connection != nullptr;
  // It was tried: `unavailable` is for those behind it.
  if (result.is(Code::unavailable)) result.error().code = Code::deadline;
  if (result.ok())
    state.revoked();
  else if (lives)
    state.revocation_failed();
  else
    state.lost_in_revocation();
  report(state, item, result);  // last: whoever hears of it finds the lane at its new pace
  return lives;
}

void run_revoke(State& state, const Task& task, Link& link) {
  const auto items = take_due(state, task.count);
  if (!items.empty() && !healthy(state, task, link)) link.connection.reset();
  bool lives = link.connection != nullptr;
  for (const auto& item : items) {
    if (lives && !is_stopping(state))
      lives = revoke_one(state, item, link);
    else  // Not an attempt: it comes again with the next batch.
      report(state, item, failure(Code::unavailable, "the target was lost before it was asked"));
  }
  if (lives && !items.empty()) state.ask_source_again();
}

void run_task(State& state, const Task& task, Link& link) {
  switch (task.kind) {
    case Task::Kind::probe:
      return run_probe(state, task, link);
    case Task::Kind::issue:
      return run_issue(state, task, link);
    case Task::Kind::revoke:
      return run_revoke(state, task, link);
    case Task::Kind::disconnect:
      return link.connection.reset();
    case Task::Kind::quit:
      return;
  }
}

}  // namespace

void run_lane_worker(const std::shared_ptr<Lane::State>& state) {
  Link link;
  {
    MutexLock lock(state->mutex);
    --state->waiting;  // counted since it was started
  }
  while (true) {
    const Task task = state->next_task(link);
    if (task.kind == Task::Kind::quit) break;
    run_task(*state, task, link);
    if (link.connection && !link.connection->ends_only().ok()) link.connection.reset();
    state->finished(task);
  }
  link.connection.reset();
  MutexLock lock(state->mutex);
  --state->workers;
  state->watch.notify_all();
}

}  // namespace leasehold::target
