// How outside work ends in the store: the lease is ACTIVE, renewed or gone and the engine answers,
// or what may have been made is REVOKING.

#include "vault/core/road/effects.h"
#include "vault/core/road/finish.h"

namespace leasehold::core {

namespace {

constexpr commit::Unrecorded kEndsLater{
    "the answer that says it failed is recorded, and the lease once its account is seen gone"};

// What each kind of intent makes of its lease when all went well.
struct Settling {
  InFlight& flight;
  WriteTxn& core;
  Lease& lease;
  WallTime now;

  Status operator()(const intent::Nothing&) { return {}; }
  Status operator()(const intent::Check&) { return {}; }
  Status operator()(const intent::Rotate&) { return {}; }
  Status operator()(const intent::Issue& issue) {
    if (lease.state != Lease::State::pending)
      return failure(Code::unavailable, "the lease was revoked while it was being issued");
    VAULT_TRY(flight.live->leases.activate(core, lease, issue.create.not_after));
    return answer(lease.ttl);
  }
  Status operator()(const intent::Probe&) {
    return flight.live->leases.finish(core, lease, {.was_absent = true, .verified_at = now}, now);
  }
  Status operator()(const intent::Renew& renew) {
    if (lease.state != Lease::State::active) return failure(Code::invalid, "lease not found");
    VAULT_TRY(flight.live->leases.renew(core, lease, renew.not_after, now));
    return answer(renew.ttl);
  }

 private:
  Status answer(Seconds duration) {
    flight.answer.lease_id = lease.lease_id;
    flight.answer.renewable = lease.renewable;
    flight.answer.lease_duration = duration;
    return {};
  }
};

Result<Lease> lease_of(Unsealed& live, const Planned& planned, WriteTxn& core) {
  VAULT_TRY_ASSIGN(auto lease, live.leases.load(core, planned.lease->id));
  if (!lease) return failure(Code::unavailable, "the lease was revoked while it was being issued");
  if (lease->handle.empty()) lease->handle = planned.handle;
  return std::move(*lease);
}

Status settle_success(InFlight& flight, storage::Snapshot& snapshot) {
  const Planned& planned = *flight.planned;
  commit::Changes changes;
  guard_authority(flight, changes);
  WriteTxn txn(snapshot, flight.live->barrier, flight.mount->info.space, changes);
  Call call = call_of(flight, flight.fields);
  VAULT_TRY_ASSIGN(flight.answer, planned.effect->settle(call, txn, planned.intent));
  if (planned.lease) {
    WriteTxn core = txn.in(barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(Lease lease, lease_of(*flight.live, planned, core));
    const WallTime now = flight.live->environment.clock.now();
    VAULT_TRY(std::visit(Settling{flight, core, lease, now}, planned.intent));
  }
  return finish(flight, snapshot, std::move(changes), call);
}

// What may have been made goes: its lease is REVOKING, and knows the account by its handle, also
// when the revocation was asked for while the account was being made.
Result<commit::Changes> revoking(Unsealed& live, const Planned& planned,
                                 storage::Snapshot& snapshot) {
  commit::Changes changes;
  changes.background = true;
  WriteTxn core(snapshot, live.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(Lease lease, lease_of(live, planned, core));
  if (lease.state == Lease::State::revoking)
    VAULT_TRY(live.leases.keep_handle(core, lease));
  else
    VAULT_TRY(live.leases.start_revoking(core, lease, live.environment.clock.now()));
  return changes;
}

Status settle_failure(InFlight& flight, storage::Snapshot& snapshot, const Status& outcome) {
  if (!flight.planned->makes_lease()) return outcome;
  VAULT_TRY_ASSIGN(commit::Changes changes, revoking(*flight.live, *flight.planned, snapshot));
  flight.batch.emplace(std::move(changes), kEndsLater);
  return outcome;
}

}  // namespace

Status revoke_abandoned(Unsealed& live, const Planned& planned) {
  for (;;) {
    VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
    VAULT_TRY_ASSIGN(commit::Changes changes, revoking(live, planned, *held));
    const commit::Batch batch(std::move(changes), kEndsLater);
    const Status written = live.committer.commit(batch).status();
    if (!written.is(Code::conflict)) return written;
  }
}

Status settle_effect(InFlight& flight, const Status& outcome) {
  flight.batch.reset();
  flight.events.clear();
  move_on(flight.planned->state, EffectState::settling);
  VAULT_TRY_ASSIGN(auto held, flight.live->snapshots.take());
  if (!outcome.ok()) return settle_failure(flight, *held, outcome);
  Status settled = settle_success(flight, *held);
  if (!settled.ok()) return settle_failure(flight, *held, settled);
  return settled;
}

}  // namespace leasehold::core
