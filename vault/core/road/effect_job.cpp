// Outside work on the lane's thread, and the station where its request waits for it.

#include <algorithm>

#include "vault/core/road/effects.h"
#include "vault/core/road/stations.h"

namespace leasehold::core {

using Handover = EffectJob::Handover;

namespace {

// From here on new connections of the lane know both passwords.
Status tell_lane(EffectJob& job, const TargetId& target) {
  VAULT_TRY_ASSIGN(auto held, job.live->snapshots.take());
  ReadTxn txn(*held, job.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto lane, job.live->revoker->lane(txn, job.space, target));
  return {};
}

// The target never ends an account before its lease: a renewal that brings the end nearer leaves
// the account's where it is, and what is in the record now counts, not what was planned on.
Status never_earlier(EffectJob& job, const intent::Renew& renew) {
  VAULT_TRY_ASSIGN(auto held, job.live->snapshots.take());
  ReadTxn txn(*held, job.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto lease, job.live->leases.load(txn, renew.lease));
  if (!lease || lease->state != Lease::State::active)
    return failure(Code::invalid, "lease not found");
  job.until = std::max(renew.not_after, lease->expires);
  return {};
}

// What each kind of intent asks of the target.
struct Asking {
  EffectJob& job;
  target::Connection& connection;
  Instant deadline;

  Status operator()(const intent::Nothing&) { return {}; }
  Status operator()(const intent::Check&) { return {}; }
  Status operator()(const intent::Issue& issue) {
    VAULT_TRY_ASSIGN(job.planned.handle, connection.create(issue.create, deadline));
    return {};
  }
  Status operator()(const intent::Renew& renew) {
    const Lease& lease = *job.planned.lease;
    return connection.renew({lease.account, renew.statements, job.until, lease.handle}, deadline);
  }
  Status operator()(const intent::Probe& probe);
  Status operator()(const intent::Rotate& rotate);
};

Status Asking::operator()(const intent::Probe& probe) {
  const target::CreateOrder& create = probe.create;
  VAULT_TRY_ASSIGN(job.planned.handle, connection.create(create, deadline));
  const Status login = connection.try_login(create.account, create.password, deadline);
  if (login.ok()) job.advice = connection.advice_on(create, deadline);
  const auto revoked = connection.revoke(
      {create.account, probe.revocation_statements, job.planned.handle}, deadline);
  if (!login.ok()) return login;
  return revoked.ok() ? Status() : Status(revoked.error());
}

// Success is that the new password logs in, whatever the statements did or the answer was.
Status Asking::operator()(const intent::Rotate& rotate) {
  VAULT_TRY(tell_lane(job, rotate.target));
  const Status changed =
      connection.set_password(rotate.account, rotate.password, rotate.statements, deadline);
  if (!changed.ok() && !changed.is(Code::deadline)) return changed;
  const Status login = connection.try_login(rotate.account, rotate.password, deadline);
  if (login.ok() || !changed.ok()) return login.ok() ? login : changed;
  return failure(
      login.error().code,
      "the statements ran, but the new password does not log in: " + login.error().message,
      login.error().detail);
}

void reach(EffectJob& job, EffectState next) {
  move_on(job.planned.state, next);
  job.reached.store(next, std::memory_order_release);
}

// What is durable before the target is asked. A lease that is renewed is on record already.
Status put_on_record(EffectJob& job) {
  Planned& planned = job.planned;
  Handover waiting = Handover::waiting;
  if (!job.handover.compare_exchange_strong(waiting, Handover::begun, std::memory_order_acq_rel))
    return failure(Code::unavailable, "the request does not wait any more: nothing was begun");
  reach(job, EffectState::recording);
  if (const auto* renew = std::get_if<intent::Renew>(&planned.intent))
    VAULT_TRY(never_earlier(job, *renew));
  if (!job.pending) {
    reach(job, EffectState::recorded);
    return {};
  }
  const commit::Submission operation = job.live->committer.commit(*job.pending);
  VAULT_TRY(operation.status());
  reach(job, EffectState::recorded);
  return operation.audit;
}

Status work(EffectJob& job, target::Connection& connection, Instant deadline) {
  VAULT_TRY(put_on_record(job));
  reach(job, EffectState::asked);
  Status asked = std::visit(Asking{job, connection, deadline}, job.planned.intent);
  job.returned.store(true, std::memory_order_release);
  return asked;
}

void finish(EffectJob& job, Status result) {
  job.result = std::move(result);
  if (job.handover.exchange(Handover::finished, std::memory_order_acq_rel) != Handover::abandoned)
    return complete(&job);
  // The request does not wait any more: what may have been made must go.
  const Planned& planned = job.planned;
  if (!planned.makes_lease()) return;
  const bool may_be = must_settle(job.reached.load(std::memory_order_acquire));
  // A call that hangs at shutdown still has the plan: its lease goes by name.
  const bool known = may_be && job.returned.load(std::memory_order_acquire);
  if (known) revoke_abandoned(*job.live, planned).ignore();  // else without the handle
  job.live->revoker->release(planned.lease->id);
  if (may_be) job.live->revoker->revoke_soon(planned.lease->id);
}

std::shared_ptr<EffectJob> make_job(InFlight& flight) {
  auto job = std::make_shared<EffectJob>();
  job->live = flight.live;
  job->space = flight.mount->info.space;
  job->planned = std::move(*flight.planned);
  flight.planned.reset();
  move_on(job->planned.state, EffectState::queued);
  job->pending = std::exchange(flight.batch, std::nullopt);
  if (job->planned.makes_lease()) flight.live->revoker->claim(job->planned.lease->id);
  job->deadline = add(flight.live->environment.clock.instant(), kEffectLimit);
  job->renews = std::holds_alternative<intent::Renew>(job->planned.intent);
  EffectJob* self = job.get();  // the lane keeps it alive while it calls
  job->work = [self](target::Connection& connection, Instant deadline) {
    return work(*self, connection, deadline);
  };
  job->done = [self](Status result, bool) { finish(*self, std::move(result)); };
  return job;
}

}  // namespace

Error as_client_sees(Arrived& flight, const Effect& effect, const Error& why) {
  Error shown = effect.explain ? effect.explain(why) : why;
  // The log has the details of faults of ours only.
  if (why.code != Code::internal) shown.detail.clear();
  // 503 would say that the vault is sealed; what is down is the database.
  if (shown.code != Code::unavailable && shown.code != Code::deadline) return shown;
  flight.try_later = true;
  shown.code = Code::internal;
  return shown;
}

bool applied::await_suspend(std::coroutine_handle<> frame) {
  frame_ = frame;
  job_ = make_job(flight_);
  records_ = job_->pending.has_value();
  job_->waiting = this;
  job_->home = Loop::current();
  job_->Waiter::resume = [](Waiter* waiter) {
    auto* self = static_cast<applied*>(static_cast<EffectJob*>(waiter)->waiting);
    self->end_waiting();
    self->frame_.resume();
  };
  begin_waiting(kEffectLimit + kEffectGrace);
  refused_ = flight_.lane->submit(job_);
  if (refused_.ok()) return true;
  end_waiting();
  return false;
}

// What has not begun when the vault is being sealed does not begin.
bool applied::gives_up(bool time_is_over) {
  Handover was = Handover::waiting;
  const auto abandon = [&] {
    return job_->handover.compare_exchange_strong(was, Handover::abandoned,
                                                  std::memory_order_acq_rel);
  };
  if (!time_is_over && !sealing()) return false;
  abandoned_ = abandon();
  begun_ = !abandoned_ && was == Handover::begun;
  if (begun_ && time_is_over) abandoned_ = abandon();
  if (!abandoned_) return false;  // or it has finished, and its completion lies in the mailbox
  // The lane's thread has the request's line in its batch, or will not record anything.
  if (begun_ && records_) flight_.recording = Recording::request;
  frame_.resume();
  return true;
}

// The plan comes back with the job's result; from a job that was abandoned it does not.
Status applied::await_resume() {
  if (abandoned_ && !begun_ && sealing()) return vault_is_sealed();
  if (abandoned_)
    return as_client_sees(flight_, effect_,
                          failure(Code::deadline, "the target did not answer in time"));
  Planned& planned = flight_.planned.emplace(std::move(job_->planned));
  for (std::string& one : job_->advice) flight_.quiet_warnings.push_back(std::move(one));
  if (planned.makes_lease() && !must_settle(planned.state))
    flight_.live->revoker->release(planned.lease->id);
  if (job_->pending && must_settle(planned.state)) flight_.recording = job_->pending->recording;
  const Status& result = refused_.ok() ? job_->result : refused_;
  // Nothing was asked yet, and the target's configuration may lead elsewhere by now.
  // Once: a server that names itself otherwise each time keeps no request going round.
  if (!result.ok() && job_->pending && planned.state == EffectState::queued &&
      !std::exchange(flight_.planned_anew, true))
    VAULT_TRY(holds_still(*flight_.live, *job_->pending));
  const bool of_target = is_at_target(planned.state);
  const bool untried =
      effect_.untried && result.is(Code::unavailable) && planned.state == EffectState::queued;
  if (!refused_.ok() || untried) move_on(planned.state, EffectState::planned);
  if (untried) return settle_untried(result.error());
  if (result.ok() || !of_target) return result;
  return as_client_sees(flight_, effect_, result.error());
}

// Nothing is on record and nothing was asked: what was to be tried is settled without a trial.
Status applied::settle_untried(const Error& why) {
  flight_.quiet_warnings.push_back(effect_.untried(why));
  flight_.planned->intent = intent::Nothing();
  flight_.planned->lease.reset();
  return {};
}

}  // namespace leasehold::core
