#include "vault/core/leases/jobs.h"

#include <algorithm>
#include <set>

#include "vault/audit/record.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/leases/token_leases.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::size_t kAtOnce = 64;          // jobs, and what one of them handles, in a pass
constexpr std::size_t kWalkedAtOnce = 1000;  // tokens that a job looks at in a pass
constexpr Nanos kPauseMin{Seconds{1}}, kPauseMax{Seconds{10}};  // of a job that fails
constexpr commit::Unrecorded kAskedFor{
    "a job's own record: the request that asked for it is on record, and what it ends"};

std::string forgotten_event(const Lease& lease, WallTime now) {
  Json fields = Json::object();
  fields.set("lease_id", lease.lease_id).set("account", lease.account);
  fields.set("issued", rfc3339(lease.issued)).set("expire_time", rfc3339(lease.expires));
  fields.set("verified_absent", nullptr).set("request_id", lease.request_id);
  return audit::event_body("lease-forgotten", now, fields.dump());
}

// No login succeeds while its mount is being removed, so all tokens of the mount end.
bool ends_token(const LeaseJob& job, const Token& token, WallTime asked) {
  if (!job.mount_accessor.empty()) return token.mount == job.mount_accessor;
  return token.created <= asked && is_token_below(token, job.prefix);
}

}  // namespace

bool Jobs::tick(WallTime now) {
  std::vector<Step> steps;
  const bool more = plan(now, steps);
  std::vector<Fill> fills;
  for (Step& step : steps) fills.push_back(std::move(step.fill));
  if (fills.empty()) return more;
  const Committed committed = endings_.commit_all(fills);
  note_failures(steps, committed);
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (steps[i].gone && committed.each[i].ok()) {
      waits_.ended(*steps[i].gone, {});
      if (!steps[i].part_of.empty()) endings_.parts.log.info("{}: done", steps[i].part_of);
    }
  return more || committed.count > 0;
}

// What this pass does. True: it did not come to all jobs, or a walk is not at its end.
bool Jobs::plan(WallTime now, std::vector<Step>& steps) {
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return false;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  std::vector<std::pair<PhysicalKey, bool>> jobs;
  if (const Status read = take_jobs(txn, jobs); !read.ok())
    endings_.parts.log.error("jobs wait: {}", read.error().message);
  walking_ = false;
  for (const auto& job : jobs) {
    const Status added =
        job.second ? prefix_steps(txn, job.first, now, steps) : token_steps(job.first, now, steps);
    if (added.ok()) continue;
    endings_.parts.log.error("a job waits: {}", added.error().message);
    set_aside(job.first);
  }
  return walking_ || next_.has_value();
}

// In turn, so that none waits for those that do not come to their end.
Status Jobs::take_jobs(ReadTxn& txn, std::vector<std::pair<PhysicalKey, bool>>& jobs) {
  const PhysicalKey first(Table::job);
  const PhysicalKey from = next_.value_or(first);
  next_.reset();
  return txn.scan(from, first.end_of_prefix(), SIZE_MAX, storage::Scan::values,
                  [&](const storage::Entry& entry) {
                    const PhysicalKey job = PhysicalKey::from(entry.key);
                    const bool of_prefix = !entry.value.empty();
                    const bool damaged =
                        of_prefix && endings_.damage.is_aside(barrier::id_at_end(entry.key));
                    if (!damaged && !is_aside(job)) jobs.emplace_back(job, of_prefix);
                    if (jobs.size() == kAtOnce) next_ = job.end_of_prefix();
                    return jobs.size() < kAtOnce;
                  });
}

bool Jobs::is_aside(const PhysicalKey& job) const {
  const auto known = failing_.find(job);
  return known != failing_.end() && endings_.parts.clock.instant() < known->second.until;
}

void Jobs::set_aside(const PhysicalKey& job) {
  Failing& failing = failing_[job];
  failing.pause = std::clamp(2 * failing.pause, kPauseMin, kPauseMax);
  failing.until = add(endings_.parts.clock.instant(), failing.pause);
}

// A conflict is no failure, and what storage refuses it refuses to all.
void Jobs::note_failures(const std::vector<Step>& steps, const Committed& committed) {
  std::set<PhysicalKey> failed, went_on;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Status& status = committed.each[i];
    const bool passing = status.is(Code::conflict) || status.is(Code::unavailable);
    (status.ok() || passing ? went_on : failed).insert(steps[i].job);
  }
  for (const PhysicalKey& job : went_on) failing_.erase(job);
  for (const PhysicalKey& job : failed)
    if (went_on.count(job) == 0) set_aside(job);
}

Jobs::Step Jobs::erase_job(const PhysicalKey& job, const LeaseJob& about) {
  walks_.erase(job);
  const auto erase = [job](WriteTxn& write) -> Result<OnRecord> {
    VAULT_TRY(write.erase(job));
    write.erase_counter(done_counter(job));
    return OnRecord(kAskedFor);
  };
  return {job, erase, job, about.part_of};
}

// The job of a token is a bare mark.
Status Jobs::token_steps(const PhysicalKey& job, WallTime now, std::vector<Step>& steps) {
  const auto sweep = [this, job, now](WriteTxn& write) -> Result<OnRecord> {
    Texts events;
    const auto end_token = [&](const Token& token) {
      events.push_back(token_event("token-swept", token, now, endings_.parts.audit_key));
    };
    const auto end_lease = [&](WriteTxn& inner, const OrderedId& id) {
      return revoke_owned(inner, barrier::id_at_end(job.view()), id, now);
    };
    VAULT_TRY(endings_.parts.tokens.sweep(write, job, now, end_token, end_lease));
    return events.empty() ? OnRecord(kAskedFor) : OnRecord(std::move(events));
  };
  steps.push_back({job, sweep, std::nullopt, {}});
  return {};
}

Status Jobs::revoke_owned(WriteTxn& txn, const OrderedId& owner, const OrderedId& id,
                          WallTime now) {
  auto lease = endings_.parts.leases.load(txn, id);
  if (lease.ok() && *lease && (*lease)->owner == owner)
    return endings_.parts.leases.start_revoking(txn, **lease, now);
  if (!lease.ok()) VAULT_TRY(endings_.damage.set_aside(txn, lease_key(id), id, "lease"));
  return txn.erase(owner_key(owner, id));
}

Status Jobs::prefix_steps(ReadTxn& txn, const PhysicalKey& key, WallTime now,
                          std::vector<Step>& steps) {
  const auto stored = txn.get(key);
  if (stored.ok() && !*stored) return {};
  const auto job = stored.ok() ? Leases::job_of((*stored)->value.reveal()) : stored.error();
  if (!job.ok()) return endings_.damage.set_aside(txn, key, barrier::id_at_end(key.view()), "job");
  if (is_token_lease(job->prefix)) return login_steps(txn, key, *job, now, steps);
  VAULT_TRY_ASSIGN(const auto ids,
                   endings_.parts.leases.below(txn, job->prefix, kAtOnce, asked_at(key)));
  for (const OrderedId& id : ids)
    steps.push_back({key,
                     [this, key, id, now](WriteTxn& write) {
                       write.add(done_counter(key), 1, 0);
                       return endings_.start_revoking(write, id, now);
                     },
                     std::nullopt,
                     {}});
  if (!ids.empty()) return {};
  if (job->force) return forget_steps(txn, key, *job, now, steps);
  steps.push_back(erase_job(key, *job));
  return {};
}

// The next part of the tokens. False: `take` has enough for now; true: that was the last.
Result<bool> Jobs::walk_tokens(ReadTxn& txn, std::optional<PhysicalKey>& next,
                               FunctionRef<bool(const OrderedId&)> take) {
  const PhysicalKey from(Table::token);
  std::vector<PhysicalKey> part;
  VAULT_TRY(txn.scan(next.value_or(from), from.end_of_prefix(), kWalkedAtOnce, storage::Scan::keys,
                     [&](const storage::Entry& entry) {
                       part.push_back(PhysicalKey::from(entry.key));
                       return true;
                     }));
  for (const PhysicalKey& key : part) {
    next = key.end_of_prefix();
    if (!take(barrier::id_at_end(key.view()))) return false;
  }
  return part.size() < kWalkedAtOnce;
}

// The tokens made at a path before this was asked for.
Status Jobs::login_steps(ReadTxn& txn, const PhysicalKey& key, const LeaseJob& job, WallTime now,
                         std::vector<Step>& steps) {
  Status looked;
  std::size_t found = 0;
  Walk& walk = walks_[key];
  const auto take = [&](const OrderedId& id) {
    const auto token = endings_.parts.tokens.load(txn, id);
    if (!token.ok())
      looked = endings_.damage.set_aside(txn, endings_.parts.tokens.key_of(id), id, "token");
    if (!token.ok() || !*token || !has_lease(**token)) return looked.ok();
    if (!ends_token(job, **token, asked_at(key))) return true;
    const auto revoke = [this, key, id, now](WriteTxn& write) {
      write.add(done_counter(key), 1, 0);
      return endings_.revoke_token(write, id, now);
    };
    steps.push_back({key, revoke, std::nullopt, {}});
    walk.found = true;
    return ++found < kAtOnce;
  };
  VAULT_TRY_ASSIGN(const bool at_end, walk_tokens(txn, walk.next, take));
  VAULT_TRY(std::move(looked));
  walking_ = walking_ || !at_end;
  if (!at_end) return {};
  if (walk.found)
    walk = {};  // once more, to see that they are gone
  else
    steps.push_back(erase_job(key, job));
  return {};
}

// What is REVOKING and was not confirmed in kForceAfter: an operator gave it up.
Status Jobs::forget_steps(ReadTxn& txn, const PhysicalKey& key, const LeaseJob& job, WallTime now,
                          std::vector<Step>& steps) {
  VAULT_TRY_ASSIGN(const auto left,
                   endings_.parts.leases.revoking_below(txn, job.prefix, kAtOnce, asked_at(key)));
  if (left.empty()) steps.push_back(erase_job(key, job));
  if (now < add(asked_at(key), Nanos(kForceAfter))) return {};
  for (const OrderedId& id : left) {
    if (endings_.claims.has(id)) continue;  // its CREATE may be running: with a later pass
    const auto forget = [this, id, now](WriteTxn& write) -> Result<OnRecord> {
      VAULT_TRY_ASSIGN(const auto lease, endings_.parts.leases.load(write, id));
      if (!lease) return OnRecord(kAskedFor);
      VAULT_TRY(endings_.parts.leases.forget(write, *lease, now));
      return OnRecord(forgotten_event(*lease, now));
    };
    steps.push_back({key, forget, lease_key(id), {}});
  }
  return {};
}

}  // namespace leasehold::core
