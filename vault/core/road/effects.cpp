#include "vault/core/road/effects.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/road/audit_lines.h"
#include "vault/core/road/finish.h"
#include "vault/core/road/stations.h"

namespace leasehold::core {

namespace {

constexpr commit::Unrecorded kEndsLater{
    "the answer that says it failed is recorded, and the lease once its account is seen gone"};

// Lower-case letters and digits, so that every target takes it as a name without quoting.
std::string account_id(Random& random) {
  std::string text = base62_text(random, target::kAccountIdSize);
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

Call call_of(InFlight& flight) {
  return Call{flight.request,
              flight.mount->info,
              flight.caller,
              flight.fields,
              flight.inner_path,
              flight.started,
              flight.live->environment.random,
              {}};
}

// From here on new connections of the lane know both passwords.
Status tell_lane(EffectJob& job) {
  VAULT_TRY_ASSIGN(auto held, job.live->snapshots.take());
  ReadTxn txn(*held, job.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto lane, job.live->revoker->lane(txn, job.space, job.intent.target));
  return {};
}

// Success is that the new password logs in, whatever the statements did or the answer was.
Status rotate(EffectJob& job, target::Connection& connection, Instant deadline) {
  VAULT_TRY(tell_lane(job));
  const target::CreateOrder& order = job.intent.create;
  const Status changed =
      connection.set_password(order.account, order.password, order.statements, deadline);
  if (!changed.ok() && !changed.is(Code::deadline)) return changed;
  const Status login = connection.try_login(order.account, order.password, deadline);
  if (login.ok() || !changed.ok()) return login.ok() ? login : changed;
  return failure(
      login.error().code,
      "the statements ran, but the new password does not log in: " + login.error().message,
      login.error().detail);
}

Status on_target(EffectJob& job, target::Connection& connection, Instant deadline) {
  const Intent& intent = job.intent;
  switch (intent.kind) {
    case Intent::Kind::issue: {
      VAULT_TRY_ASSIGN(job.handle, connection.create(intent.create, deadline));
      return {};
    }
    case Intent::Kind::renew:
      return connection.renew(
          {intent.create.account, intent.create.statements, job.until, job.handle}, deadline);
    case Intent::Kind::probe: {
      VAULT_TRY_ASSIGN(job.handle, connection.create(intent.create, deadline));
      const Status login =
          connection.try_login(intent.create.account, intent.create.password, deadline);
      if (login.ok()) job.advice = connection.advice_on(intent.create, deadline);
      const auto revoked = connection.revoke(
          {intent.create.account, intent.revocation_statements, job.handle}, deadline);
      if (!login.ok()) return login;
      return revoked.ok() ? Status() : Status(revoked.error());
    }
    case Intent::Kind::rotate:
      return rotate(job, connection, deadline);
    case Intent::Kind::check:
    case Intent::Kind::none:
      return {};
  }
  return {};
}

// The target never ends an account before its lease: a renewal that brings the end nearer leaves
// the account's where it is, and what is in the record now counts, not what was planned on.
Status never_earlier(EffectJob& job) {
  VAULT_TRY_ASSIGN(auto held, job.live->snapshots.take());
  ReadTxn txn(*held, job.live->barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto lease, job.live->leases.load(txn, job.intent.lease));
  if (!lease || lease->state != Lease::State::active)
    return failure(Code::invalid, "lease not found");
  job.until = std::max(job.intent.create.not_after, lease->expires);
  return {};
}

Status work(EffectJob& job, target::Connection& connection, Instant deadline) {
  if (job.intent.kind == Intent::Kind::renew) VAULT_TRY(never_earlier(job));
  if (job.pending) {
    const commit::Operation operation = job.live->committer.commit(*job.pending);
    job.of_target = operation.status().ok();
    VAULT_TRY(operation.status());
    job.pending_recorded = true;
    VAULT_TRY(operation.audit);
  }
  return on_target(job, connection, deadline);
}

void finish(EffectJob& job, Status result) {
  job.result = std::move(result);
  if (job.state.exchange(EffectJob::kDone, std::memory_order_acq_rel) == EffectJob::kWaiting)
    return complete(&job);
  if (!job.lease) return;  // nobody waits any more: what may have been made must go
  job.live->revoker->release(*job.lease);
  if (job.pending_recorded) job.live->revoker->revoke_soon(*job.lease);
}

}  // namespace

std::shared_ptr<EffectJob> make_job(InFlight& flight) {
  auto job = std::make_shared<EffectJob>();
  job->live = flight.live;
  job->intent = std::move(*flight.intent);
  job->pending = std::exchange(flight.batch, std::nullopt);
  if (flight.mount != nullptr) job->space = flight.mount->info.space;
  if (flight.lease) job->handle = flight.lease->handle;  // of a renewal
  if (flight.lease && job->intent.kind != Intent::Kind::renew) {
    job->lease = flight.lease->id;
    flight.live->revoker->claim(*job->lease);
  }
  job->deadline = add(flight.live->environment.clock.instant(), kEffectLimit);
  EffectJob* self = job.get();  // the lane keeps it alive while it calls
  job->work = [self](target::Connection& connection, Instant deadline) {
    return work(*self, connection, deadline);
  };
  job->done = [self](Status result, bool) { finish(*self, std::move(result)); };
  return job;
}

bool applied::await_suspend(std::coroutine_handle<> frame) {
  frame_ = frame;
  job_ = make_job(flight_);
  job_->waiting = this;
  job_->home = Loop::current();
  job_->Waiter::resume = [](Waiter* waiter) {
    auto* self = static_cast<applied*>(static_cast<EffectJob*>(waiter)->waiting);
    if (self->armed()) Loop::current()->disarm(*self);
    self->frame_.resume();
  };
  expired = [](Timer* timer) {
    auto* self = static_cast<applied*>(timer);
    if (self->job_->state.exchange(EffectJob::kAbandoned, std::memory_order_acq_rel) ==
        EffectJob::kDone)
      return;  // finished just now; its completion lies in the mailbox
    self->abandoned_ = true;
    self->frame_.resume();
  };
  Loop::current()->arm(*this, kEffectLimit + Nanos{Seconds{2}});
  refused_ = flight_.lane->submit(job_);
  if (refused_.ok()) return true;
  Loop::current()->disarm(*this);
  if (job_->lease) flight_.live->revoker->release(*job_->lease);
  return false;
}

Status applied::await_resume() {
  flight_.of_target = true;
  if (!refused_.ok()) {
    flight_.intent = std::move(job_->intent);
    return refused_;
  }
  if (abandoned_) {
    flight_.lease.reset();  // the job ends it
    return failure(Code::deadline, "the target did not answer in time");
  }
  flight_.pending_recorded = job_->pending_recorded;
  flight_.handle = std::move(job_->handle);
  for (std::string& one : job_->advice) flight_.warnings.push_back(std::move(one));
  if (job_->lease && !job_->pending_recorded) flight_.live->revoker->release(*job_->lease);
  if (job_->pending_recorded) flight_.request_recorded = true;
  flight_.intent = std::move(job_->intent);
  flight_.of_target = job_->of_target && !job_->result.ok();
  return job_->result;
}

bool revoked::await_suspend(std::coroutine_handle<> frame) {
  suspend(frame);
  // A worker has sorted what is many.
  auto& awaited = flight_.awaited;
  if (!std::is_sorted(awaited.begin(), awaited.end())) std::sort(awaited.begin(), awaited.end());
  awaited.erase(std::unique(awaited.begin(), awaited.end()), awaited.end());
  records = std::make_shared<const Records>(std::move(awaited));
  resume = [](Waiter* waiter) {
    auto* self = static_cast<revoked*>(static_cast<RevocationWait*>(waiter));
    if (self->armed()) Loop::current()->disarm(*self);
    self->frame_.resume();
  };
  expired = [](Timer* timer) {
    auto* self = static_cast<revoked*>(timer);
    if (!self->flight_.live->revoker->give_up(self)) return;  // its completion lies in the mailbox
    self->late_ = true;
    self->frame_.resume();
  };
  Loop::current()->arm(*this, kRevokeWait);
  if (flight_.live->revoker->wait(this)) return true;
  Loop::current()->disarm(*this);
  return false;
}

Status revoked::await_resume() {
  if (result.ok() && !late_) return {};
  const std::string why = late_ ? "not everything was seen gone in time" : result.error().message;
  return failure(Code::internal,
                 "revocation is queued and goes on by itself until the account is "
                 "seen gone; so far: " +
                     why,
                 late_ ? std::string() : result.error().detail);
}

// The records that the request rests on, so that a change sends back those that it concerns. A
// batch has room for only so many: whoever holds more policies waits for any of them.
void guard_authority(const InFlight& flight, commit::Changes& changes) {
  for (const auto& link : flight.chain) changes.storage.guard(link.first.view(), link.second);
  if (flight.mount != nullptr && flight.mount->mod != 0)
    changes.storage.guard(flight.mount->stored_at.view(), flight.mount->mod);
  for (const Authority::Rest& rest : flight.authority.policies->rests)
    if (rest.record.size() > 0) changes.storage.guard(rest.record.view(), rest.mod);
}

namespace {

// The new password is durable before the target is asked.
Status plan_rotation(InFlight& flight, Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(flight.lane, flight.live->revoker->lane(txn, flight.mount->info.space,
                                                           flight.intent->target));
  VAULT_TRY(flight.effect->record(call, txn, *flight.intent));
  Texts lines;
  append_request_body(flight, lines);
  flight.batch.emplace(std::move(txn.changes()), std::move(lines));
  return {};
}

}  // namespace

Status plan_holds(InFlight& flight) {
  if (!flight.rotates() || !flight.batch) return {};
  VAULT_TRY_ASSIGN(auto held, flight.live->snapshots.take());
  const storage::Batch& planned = flight.batch->storage;
  for (std::size_t i = 0; i < planned.size(); ++i) {
    const auto guard = planned[i];
    if (guard.kind != storage::Batch::Kind::version) continue;
    VAULT_TRY_ASSIGN(const auto found, (*held).get(guard.key));
    if ((found ? found->mod : 0) != guard.mod)
      return failure(Code::conflict, "the rotation was overtaken by another: try again");
  }
  return {};
}

Status plan_effect(InFlight& flight, storage::Snapshot& snapshot) {
  flight.of_target = false;
  Unsealed& live = *flight.live;
  // What the plan rests on (its role, its configuration) is guarded when PENDING is committed.
  commit::Changes changes;
  guard_authority(flight, changes);
  WriteTxn txn(snapshot, live.barrier, flight.mount->info.space, changes);
  Call call = call_of(flight);
  VAULT_TRY_ASSIGN(Intent intent, flight.effect->plan(call, txn));
  if (flight.effect->candidate) {
    VAULT_TRY_ASSIGN(flight.candidate, flight.effect->candidate(call, txn));
  }
  for (std::string& warning : call.warnings) flight.warnings.push_back(std::move(warning));
  flight.intent = std::move(intent);
  Intent& wanted = *flight.intent;
  if (wanted.kind == Intent::Kind::check || wanted.kind == Intent::Kind::none) return {};
  if (wanted.kind == Intent::Kind::issue && flight.caller.uses_left < 0)
    return failure(Code::invalid,
                   "Secret cannot be returned; token had one use left, so leased credentials were "
                   "immediately revoked.");
  if (wanted.kind == Intent::Kind::renew) {
    VAULT_TRY_ASSIGN(flight.lease, live.leases.load(txn, wanted.lease));
    if (!flight.lease) return failure(Code::invalid, "lease not found");
    VAULT_TRY_ASSIGN(flight.lane,
                     live.revoker->lane(txn, flight.lease->space, flight.lease->target));
    return {};
  }
  if (wanted.kind == Intent::Kind::rotate) return plan_rotation(flight, call, txn);
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(live.restoration.may_issue(core, flight.mount->info.space, wanted.target));
  VAULT_TRY_ASSIGN(flight.lane, live.revoker->lane(txn, flight.mount->info.space, wanted.target));
  TtlTerms terms;
  terms.backend_ttl = wanted.terms.ttl;
  terms.backend_max = wanted.terms.max_ttl;
  terms.default_ttl = flight.mount->info.default_ttl;
  terms.max_ttl = flight.mount->info.max_ttl;
  terms.issued = terms.now = flight.started;
  VAULT_TRY_ASSIGN(TtlAnswer ttl, resolve_ttl(terms));
  for (std::string& warning : ttl.warnings) flight.warnings.push_back(std::move(warning));

  Lease lease;
  live.leases.name(lease, flight.request.path, flight.started, live.environment.random);
  lease.target = wanted.target;
  lease.space = flight.mount->info.space;
  lease.role = wanted.role;
  const auto target = flight.lane->target();
  lease.account = wanted.create.account;  // of the engine, when it names accounts itself
  if (lease.account.empty())
    lease.account =
        target->account_name(live.revoker->tag(), wanted.role, account_id(live.environment.random));
  VAULT_TRY(target->takes_name(lease.account));
  lease.renewal_json = wanted.renewal_json;
  lease.revocation_statements = wanted.revocation_statements;
  lease.issued = flight.started;
  lease.expires = add(flight.started, kIssueLimit);
  lease.ttl = ttl.ttl;
  lease.max_ttl = wanted.terms.max_ttl.count() > 0
                      ? std::min(wanted.terms.max_ttl, flight.mount->info.max_ttl)
                      : flight.mount->info.max_ttl;
  lease.renewable = wanted.terms.renewable;
  lease.probe = wanted.kind == Intent::Kind::probe;
  lease.owner = flight.caller.token_id;
  lease.owner_accessor = flight.caller.accessor;
  lease.request_id = flight.id;
  lease.incarnation = live.committer.incarnation();
  wanted.create.account = lease.account;
  wanted.create.not_after = add(flight.started, ttl.ttl);
  WriteTxn pending = txn.in(barrier::kCoreSpace);
  VAULT_TRY(live.leases.write_pending(pending, lease));
  Texts lines;
  append_request_body(flight, lines);
  flight.batch.emplace(std::move(changes), std::move(lines));
  flight.lease = std::move(lease);
  return {};
}

namespace {

Status settle_lease(InFlight& flight, WriteTxn& core, const Status& outcome) {
  Unsealed& live = *flight.live;
  VAULT_TRY_ASSIGN(auto lease, live.leases.load(core, flight.lease->id));
  const WallTime now = live.environment.clock.now();
  if (!lease) return failure(Code::unavailable, "the lease was revoked while it was being issued");
  if (lease->handle.empty()) lease->handle = flight.handle;
  if (!outcome.ok()) {
    core.changes().background = true;
    VAULT_TRY(live.leases.start_revoking(core, *lease, now));
    return outcome;
  }
  switch (flight.intent->kind) {
    case Intent::Kind::issue:
      if (lease->state != Lease::State::pending)
        return failure(Code::unavailable, "the lease was revoked while it was being issued");
      VAULT_TRY(live.leases.activate(core, *lease, flight.intent->create.not_after));
      flight.answer.lease_id = lease->lease_id;
      flight.answer.renewable = lease->renewable;
      flight.answer.lease_duration = lease->ttl;
      return {};
    case Intent::Kind::probe:
      return live.leases.finish(core, *lease, {.was_absent = true, .verified_at = now}, now);
    case Intent::Kind::renew:
      if (lease->state != Lease::State::active) return failure(Code::invalid, "lease not found");
      VAULT_TRY(live.leases.renew(core, *lease, flight.intent->create.not_after, now));
      flight.answer.lease_id = lease->lease_id;
      flight.answer.renewable = lease->renewable;
      flight.answer.lease_duration = flight.intent->terms.ttl;
      return {};
    case Intent::Kind::rotate:
    case Intent::Kind::check:
    case Intent::Kind::none:
      return {};
  }
  return {};
}

Status settle_success(InFlight& flight, storage::Snapshot& snapshot) {
  commit::Changes changes;
  guard_authority(flight, changes);
  WriteTxn txn(snapshot, flight.live->barrier, flight.mount->info.space, changes);
  Call call = call_of(flight);
  VAULT_TRY_ASSIGN(flight.answer, flight.effect->settle(call, txn, *flight.intent));
  for (const std::string& warning : flight.warnings) flight.answer.warnings.push_back(warning);
  WriteTxn core = txn.in(barrier::kCoreSpace);
  if (flight.lease) VAULT_TRY(settle_lease(flight, core, {}));
  return finish(flight, snapshot, std::move(changes), call);
}

// What may have been made goes: the lease is REVOKING.
Status settle_failure(InFlight& flight, storage::Snapshot& snapshot, const Status& outcome) {
  if (!flight.pending_recorded || !flight.lease) return outcome;
  commit::Changes changes;
  WriteTxn core(snapshot, flight.live->barrier, barrier::kCoreSpace, changes);
  Status settled = settle_lease(flight, core, outcome);
  flight.batch.emplace(std::move(changes), kEndsLater);
  return settled;
}

}  // namespace

Status settle_effect(InFlight& flight, const Status& outcome) {
  flight.batch.reset();
  flight.settled = true;
  VAULT_TRY_ASSIGN(auto held, flight.live->snapshots.take());
  if (!outcome.ok()) return settle_failure(flight, *held, outcome);
  Status settled = settle_success(flight, *held);
  if (!settled.ok()) return settle_failure(flight, *held, settled);
  return settled;
}

}  // namespace leasehold::core
