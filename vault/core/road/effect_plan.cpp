// From a snapshot to what should happen outside, and the batch that is durable before it does.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/road/audit_lines.h"
#include "vault/core/road/effects.h"

namespace leasehold::core {

namespace {

// Lower-case letters and digits, so that every target takes it as a name without quoting.
std::string account_id(Random& random) {
  return lower_case(base62_text(random, target::kAccountIdSize));
}

// What each kind of intent needs before its lane is asked.
struct Planning {
  InFlight& flight;
  Call& call;
  WriteTxn& txn;

  Status operator()(const intent::Nothing&) { return {}; }
  Status operator()(const intent::Check&) { return {}; }
  Status operator()(intent::Issue& issue);
  Status operator()(intent::Probe& probe) { return make_lease(probe); }
  Status operator()(const intent::Renew& renew);
  Status operator()(intent::Rotate& rotate);

 private:
  Status make_lease(intent::Account& account);
  Result<Seconds> ttl_of(const LeaseTerms& wanted);
  Result<Lease> lease_of(const intent::Account& account, Seconds ttl);
  void make_batch() {
    Texts lines;
    append_request_body(flight, lines);
    flight.batch.emplace(std::move(txn.changes()), std::move(lines), Recording::request);
  }
};

Result<Seconds> Planning::ttl_of(const LeaseTerms& wanted) {
  TtlTerms terms;
  terms.backend_ttl = wanted.ttl;
  terms.backend_max = wanted.max_ttl;
  terms.default_ttl = flight.mount->info.default_ttl;
  terms.max_ttl = flight.mount->info.max_ttl;
  terms.issued = terms.now = flight.started;
  if (flight.token && flight.token->batch) {  // nothing ends its leases when it does
    terms.explicit_max = std::chrono::floor<Seconds>(since(*flight.token->expires, flight.started));
    if (terms.explicit_max.count() < 1)
      return failure(Code::invalid, "the batch token ends within a second: log in anew");
  }
  VAULT_TRY_ASSIGN(ResolvedTtl answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) flight.warnings.push_back(std::move(warning));
  return answer.ttl;
}

Result<Lease> Planning::lease_of(const intent::Account& account, Seconds ttl) {
  Unsealed& live = *flight.live;
  Lease lease;
  live.leases.name(lease, flight.request.path, flight.started, live.environment.random);
  lease.target = account.target;
  lease.space = flight.mount->info.space;
  lease.role = account.role;
  const auto target = flight.lane->target();
  lease.account = account.create.account;  // of the engine, when it names accounts itself
  if (lease.account.empty())
    lease.account = target->account_name(live.revoker->tag(), account.role,
                                         account_id(live.environment.random));
  VAULT_TRY(target->takes_name(lease.account));
  lease.revocation_statements = account.revocation_statements;
  lease.issued = flight.started;
  lease.expires = add(flight.started, kIssueLimit);
  lease.ttl = ttl;
  const Seconds mount_max = flight.mount->info.max_ttl;
  lease.max_ttl =
      account.terms.max_ttl.count() > 0 ? std::min(account.terms.max_ttl, mount_max) : mount_max;
  lease.renewable = account.terms.renewable;
  if (flight.token) {
    lease.owner = live.tokens.owner_of_leases(*flight.token, flight.compiled->mounts);
    if (flight.token->batch) lease.batch_ends = flight.token->expires;
    if (flight.token->batch && !flight.token->parent) lease.batch_mount = flight.token->mount;
  }
  lease.owner_accessor = flight.caller.accessor;
  lease.request_id = flight.id;
  lease.incarnation = live.committer.incarnation();
  return lease;
}

// A role of an earlier version may have more.
Status check_size(const Lease& lease) {
  std::size_t bytes = lease.renewal_json.size();
  for (const std::string& one : lease.revocation_statements) bytes += one.size();
  if (bytes <= kLeaseStatementsMax) return {};
  return failure(Code::invalid,
                 "the statements that end and renew an account have " + std::to_string(bytes) +
                     " bytes and can have at most 65536: write the role with shorter ones");
}

// Its lease is PENDING before the account is made.
Status Planning::make_lease(intent::Account& account) {
  Unsealed& live = *flight.live;
  ReadTxn core = txn.in(barrier::kCoreSpace);
  VAULT_TRY(live.restoration.may_issue(core, flight.mount->info.space, account.target));
  VAULT_TRY_ASSIGN(flight.lane, live.revoker->lane(txn, flight.mount->info.space, account.target));
  VAULT_TRY_ASSIGN(const Seconds ttl, ttl_of(account.terms));
  VAULT_TRY_ASSIGN(Lease lease, lease_of(account, ttl));
  const Intent& intent = flight.planned->intent;
  if (const auto* issue = std::get_if<intent::Issue>(&intent))
    lease.renewal_json = issue->renewal_json;
  VAULT_TRY(check_size(lease));
  lease.probe = std::holds_alternative<intent::Probe>(intent);
  account.create.account = lease.account;
  account.create.not_after = add(flight.started, ttl);
  WriteTxn pending = txn.in(barrier::kCoreSpace);
  VAULT_TRY(live.leases.write_pending(pending, lease));
  make_batch();
  flight.planned->lease = std::move(lease);
  return {};
}

Status Planning::operator()(intent::Issue& issue) {
  if (!flight.caller.was_last_use()) return make_lease(issue);
  return failure(Code::invalid,
                 "Secret cannot be returned; token had one use left, so leased credentials were "
                 "immediately revoked.");
}

Status Planning::operator()(const intent::Renew& renew) {
  Unsealed& live = *flight.live;
  VAULT_TRY_ASSIGN(auto lease, live.leases.load(txn, renew.lease));
  if (!lease) return failure(Code::invalid, "lease not found");
  VAULT_TRY_ASSIGN(flight.lane, live.revoker->lane(txn, lease->space, lease->target));
  flight.planned->lease = std::move(lease);
  return {};
}

// The new password is durable before the target is asked.
Status Planning::operator()(intent::Rotate& rotate) {
  rotate.run = hex(flight.live->committer.incarnation());
  const barrier::Space& space = flight.mount->info.space;
  VAULT_TRY_ASSIGN(flight.lane, flight.live->revoker->lane(txn, space, rotate.target));
  VAULT_TRY(flight.planned->effect->record(call, txn, flight.planned->intent));
  make_batch();
  return {};
}

}  // namespace

Status plan_effect(InFlight& flight, const Effect& effect, storage::Snapshot& snapshot) {
  // What the plan rests on (its role, its configuration) is guarded when PENDING is committed.
  commit::Changes changes;
  guard_authority(flight, changes);
  WriteTxn txn(snapshot, flight.live->barrier, flight.mount->info.space, changes);
  Call call = call_of(flight, flight.fields);
  VAULT_TRY_ASSIGN(Intent intent, effect.plan(call, txn));
  Planned& planned = flight.planned.emplace();
  planned.effect = &effect;
  planned.intent = std::move(intent);
  if (effect.candidate) {
    VAULT_TRY_ASSIGN(planned.candidate, effect.candidate(call, txn));
  }
  for (std::string& warning : call.warnings) flight.warnings.push_back(std::move(warning));
  for (std::string& one : call.quiet_warnings) flight.quiet_warnings.push_back(std::move(one));
  return std::visit(Planning{flight, call, txn}, planned.intent);
}

Status plan_holds(InFlight& flight) {
  if (!flight.planned || !flight.planned->rotates() || !flight.batch) return {};
  return holds_still(*flight.live, *flight.batch);
}

Status holds_still(Unsealed& live, const commit::Batch& planned) {
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  const storage::Batch& batch = planned.storage;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto guard = batch[i];
    if (guard.kind != storage::Batch::Kind::version) continue;
    VAULT_TRY_ASSIGN(const auto found, (*held).get(guard.key));
    if ((found ? found->mod : 0) != guard.mod)
      return failure(Code::conflict, "what was planned on was changed meanwhile: try again");
  }
  return {};
}

}  // namespace leasehold::core
