// What one pass of the Revoker does: expired entries, waking lanes. Jobs: revoker_jobs.cpp; removed
// mounts: removal.cpp
#include "vault/core/leases/revoker.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::size_t kAtOnce = 64;          // expired entries a pass takes
constexpr std::size_t kWalkedAtOnce = 1000;  // entries that fall due soon
constexpr Nanos kLookAtDamageEvery{Seconds{300}};
constexpr commit::Unrecorded kOnRecordWhenGone{
    "a lease that falls due is on record once its account was seen gone"};
constexpr commit::Unrecorded kLeftOver{"an index entry that leads to nothing any more"};
constexpr commit::Unrecorded kGoneAlready{"nothing changes"};

// Resumed by the commit thread; the last of a pass wakes the waiting thread.
struct Countdown {
  Mutex mutex;
  Condition done;
  std::size_t left GUARDED_BY(mutex) = 0;
};
struct Counted : commit::Operation {
  Countdown* countdown = nullptr;
};
void count_down(Waiter* waiter) {
  Countdown* countdown = static_cast<Counted*>(static_cast<commit::Operation*>(waiter))->countdown;
  MutexLock lock(countdown->mutex);
  if (--countdown->left == 0) countdown->done.notify_all();
}

std::string receipts_event(std::size_t count, WallTime kept_since, WallTime now) {
  Json fields = Json::object();
  fields.set("count", static_cast<std::int64_t>(count)).set("older_than", rfc3339(kept_since));
  return audit::event_body("receipts-erased", now, fields.dump());
}

}  // namespace

bool Revoker::tick(WallTime now) {
  look_at_waits();
  bool more = end_interrupted(now);
  more = recover_intents() || more;
  more = move_expired(now) || more;
  more = run_jobs(now) || more;
  more = empty_removed_mounts(now) || more;
  more = erase_old_receipts(now) || more;
  more = retire_targets() || more;
  wake_lanes();
  return more;
}

// The audit log is what lasts; receipts must not fill the store (docs/decisions/019).
bool Revoker::erase_old_receipts(WallTime now) {
  PhysicalKey to(Table::receipt);
  const WallTime kept_since = add(now, -Nanos(kReceiptsKept));
  to.push_be(static_cast<std::uint64_t>(kept_since.millis()), barrier::kMillisSize);
  std::vector<PhysicalKey> old;
  {
    auto held = parts_.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
    txn.scan(PhysicalKey(Table::receipt), to, kAtOnce, storage::Scan::keys,
             [&](const storage::Entry& entry) {
               old.push_back(PhysicalKey::from(entry.key));
               return true;
             })
        .ignore();  // tried again with the next tick
  }
  if (old.empty()) return false;
  const Fill erase = [&old, kept_since, now](WriteTxn& write) -> Result<OnRecord> {
    for (const PhysicalKey& key : old) VAULT_TRY(write.erase(key));
    return OnRecord(receipts_event(old.size(), kept_since, now));
  };
  return commit_all({erase}).count > 0 && old.size() == kAtOnce;
}

Revoker::Committed Revoker::commit_all(const std::vector<Fill>& fills) {
  std::vector<std::optional<commit::Batch>> batches(fills.size());
  std::vector<Counted> operations(fills.size());
  Countdown countdown;
  Committed committed;
  committed.each.resize(fills.size());
  {
    auto held = parts_.snapshots.take();
    if (!held.ok()) {
      std::fill(committed.each.begin(), committed.each.end(), Status(held.error()));
      return committed;
    }
    for (std::size_t i = 0; i < fills.size(); ++i) {
      commit::Changes changes;
      changes.background = true;
      WriteTxn txn(**held, parts_.barrier, barrier::kCoreSpace, changes);
      auto filled = fills[i](txn);
      if (filled.ok()) {
        batches[i].emplace(std::move(changes), std::move(filled).value());
        continue;
      }
      parts_.log.error("background work failed: {} {}", filled.error().message,
                       filled.error().detail);
      committed.each[i] = filled.error();
    }
  }
  for (std::size_t i = 0; i < fills.size(); ++i) {
    if (!batches[i] || batches[i]->empty()) continue;
    operations[i].batch = &*batches[i];
    operations[i].countdown = &countdown;
    operations[i].resume = count_down;
    {
      MutexLock lock(countdown.mutex);
      ++countdown.left;
    }
    if (!parts_.committer.submit(&operations[i])) count_down(&operations[i]);
  }
  MutexLock lock(countdown.mutex);
  while (countdown.left > 0) countdown.done.wait(countdown.mutex);
  for (std::size_t i = 0; i < fills.size(); ++i) {
    if (operations[i].batch == nullptr) continue;
    committed.each[i] = operations[i].status();
    if (committed.each[i].ok()) ++committed.count;
  }
  return committed;
}

Result<commit::OnRecord> Revoker::expire_one(WriteTxn& txn, Table table, const OrderedId& id,
                                             const PhysicalKey& entry, WallTime now) {
  if (table == Table::token) return expire_token(txn, id, entry, now);
  auto loaded = parts_.leases.load(txn, id);
  if (!loaded.ok()) {
    VAULT_TRY(set_aside(txn, lease_key(id), id, "lease"));
    return OnRecord(kOnRecordWhenGone);
  }
  auto& lease = *loaded;
  if (lease && lease->state != Lease::State::revoking) {
    if (lease->expires <= now) VAULT_TRY(parts_.leases.start_revoking(txn, *lease, now));
    if (lease->expires <= now || expiry_key(lease->expires, table, id) == entry)
      return OnRecord(kOnRecordWhenGone);
  }
  VAULT_TRY(txn.erase(entry));
  return OnRecord(kLeftOver);
}

Result<commit::OnRecord> Revoker::expire_token(WriteTxn& txn, const OrderedId& id,
                                               const PhysicalKey& entry, WallTime now) {
  const auto loaded = parts_.tokens.load(txn, id);
  if (!loaded.ok()) {
    VAULT_TRY(set_aside(txn, parts_.tokens.key_of(id), id, "token"));
    return OnRecord(kLeftOver);
  }
  const auto& token = *loaded;
  if (token && token->expires && *token->expires <= now) {
    VAULT_TRY(parts_.tokens.revoke(txn, *token, now));
    return OnRecord(token_event("token-expired", *token, now, parts_.audit_key));
  }
  const bool later =
      token && token->expires && expiry_key(*token->expires, Table::token, id) == entry;
  if (!later) VAULT_TRY(txn.erase(entry));
  return OnRecord(kLeftOver);
}

// For what nobody asked for in a request of its own.
Result<commit::OnRecord> Revoker::revoke_token(WriteTxn& txn, const OrderedId& id, WallTime now) {
  VAULT_TRY_ASSIGN(const auto token, parts_.tokens.load(txn, id));
  if (!token || token->stub) return OnRecord(kGoneAlready);
  VAULT_TRY(parts_.tokens.revoke(txn, *token, now));
  return OnRecord(token_event("token-revoked", *token, now, parts_.audit_key));
}

// Nobody can have the password of a lease that an earlier process left PENDING, so it does not wait
// for the end of its issue. That end is never later than kIssueLimit: these leases stand in the
// first entries of the expiry table, which are walked over once after a start. One whose batch
// fails here ends with its issue, as any other.
bool Revoker::end_interrupted(WallTime now) {
  if (!interrupted_) return false;
  std::vector<OrderedId> interrupted;
  {
    auto held = parts_.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
    PhysicalKey to(Table::expiry);
    const WallTime latest = add(now, Nanos(kIssueLimit) + Millis{1});
    to.push_be(static_cast<std::uint64_t>(latest.millis()), barrier::kMillisSize);
    std::vector<PhysicalKey> part;
    const Status read = txn.scan(*interrupted_, to, kWalkedAtOnce, storage::Scan::keys,
                                 [&](const storage::Entry& entry) {
                                   part.push_back(PhysicalKey::from(entry.key));
                                   return true;
                                 });
    if (!read.ok()) return false;  // tried again with the next tick
    for (const PhysicalKey& entry : part)
      if (is_interrupted(txn, entry)) interrupted.push_back(barrier::id_at_end(entry.view()));
    interrupted_.reset();
    if (part.size() == kWalkedAtOnce) interrupted_ = part.back().end_of_prefix();
  }
  std::vector<Fill> fills;
  for (const OrderedId& id : interrupted)
    fills.push_back([this, id, now](WriteTxn& txn) { return start_revoking(txn, id, now); });
  if (!fills.empty()) commit_all(fills);
  return interrupted_.has_value();
}

bool Revoker::is_interrupted(ReadTxn& txn, const PhysicalKey& entry) {
  if (static_cast<Table>(entry.view()[1 + barrier::kMillisSize]) != Table::lease) return false;
  const auto lease = parts_.leases.load(txn, barrier::id_at_end(entry.view()));
  return lease.ok() && *lease && (*lease)->state == Lease::State::pending &&
         (*lease)->incarnation != parts_.committer.incarnation();
}

bool Revoker::move_expired(WallTime now) {
  std::vector<PhysicalKey> entries;
  std::vector<OrderedId> asked, asked_tokens;
  {
    auto held = parts_.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
    PhysicalKey to(Table::expiry);
    to.push_be(static_cast<std::uint64_t>(now.millis()), barrier::kMillisSize);
    txn.scan(PhysicalKey(Table::expiry), to, SIZE_MAX, storage::Scan::keys,
             [&](const storage::Entry& entry) {
               if (!is_aside(barrier::id_at_end(entry.key)))
                 entries.push_back(PhysicalKey::from(entry.key));
               return entries.size() < kAtOnce;
             })
        .ignore();  // tried again with the next tick
  }
  {
    MutexLock lock(mutex_);
    asked.swap(asked_);
    asked_tokens.swap(asked_tokens_);
  }
  std::vector<Fill> fills;
  for (const PhysicalKey& entry : entries)
    fills.push_back([this, &entry, now](WriteTxn& txn) {
      const auto table = static_cast<Table>(entry.view()[1 + barrier::kMillisSize]);
      return expire_one(txn, table, barrier::id_at_end(entry.view()), entry, now);
    });
  for (const OrderedId& id : asked)
    fills.push_back([this, &id, now](WriteTxn& txn) { return start_revoking(txn, id, now); });
  for (const OrderedId& id : asked_tokens)
    fills.push_back([this, &id, now](WriteTxn& txn) { return revoke_token(txn, id, now); });
  if (fills.empty()) return false;
  const Committed committed = commit_all(fills);
  // Damage that was set aside is out of the way, too: what lies behind it does not wait for a tick.
  const bool moved = committed.count > 0 ||
                     std::any_of(entries.begin(), entries.end(), [this](const PhysicalKey& entry) {
                       return is_aside(barrier::id_at_end(entry.view()));
                     });
  // What was asked for stands nowhere else: it is asked again until it is durable.
  MutexLock lock(mutex_);
  auto result = committed.each.begin() + static_cast<std::ptrdiff_t>(entries.size());
  for (const OrderedId& id : asked)
    if (!(result++)->ok()) asked_.push_back(id);
  for (const OrderedId& id : asked_tokens)
    if (!(result++)->ok()) asked_tokens_.push_back(id);
  return moved && entries.size() == kAtOnce;
}

Result<commit::OnRecord> Revoker::start_revoking(WriteTxn& txn, const OrderedId& id, WallTime now) {
  auto lease = parts_.leases.load(txn, id);
  if (!lease.ok()) VAULT_TRY(set_aside(txn, lease_key(id), id, "lease"));
  if (lease.ok() && *lease) VAULT_TRY(parts_.leases.start_revoking(txn, **lease, now));
  return OnRecord(kOnRecordWhenGone);
}

Status Revoker::set_aside(ReadTxn& txn, const PhysicalKey& record, const OrderedId& id,
                          std::string_view what) {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(record));
  const Instant until = add(parts_.clock.instant(), kLookAtDamageEvery);
  MutexLock lock(mutex_);
  const bool known = !aside_.insert_or_assign(id, until).second;
  if (!known)
    parts_.log.error("the {} record {} is {} and is left as it is: run `leasehold operator verify`",
                     what, hex(id), mod == 0 ? "missing" : "damaged");
  return {};
}

bool Revoker::is_aside(const OrderedId& id) const {
  MutexLock lock(mutex_);
  const auto found = aside_.find(id);
  return found != aside_.end() && parts_.clock.instant() < found->second;
}

void Revoker::wake_lanes() {
  std::vector<TargetId> targets;
  auto held = parts_.snapshots.take();
  if (!held.ok()) return;
  ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
  PhysicalKey from(Table::due);
  const PhysicalKey end = PhysicalKey(Table::due).end_of_prefix();
  for (bool found = true; found;) {  // one seek per target
    found = false;
    OrderedId lease_id{};
    TargetId target{};
    txn.scan(from, end, SIZE_MAX, storage::Scan::keys,
             [&](const storage::Entry& entry) {
               std::copy_n(entry.key.begin() + 1, target.size(), target.begin());
               lease_id = barrier::id_at_end(entry.key);
               found = !is_aside(lease_id);
               return !found;
             })
        .ignore();
    if (!found) return;
    const auto lease = parts_.leases.load(txn, lease_id);
    if (!lease.ok() || !*lease) {  // not this one, then the next
      if (!set_aside(txn, lease_key(lease_id), lease_id, "lease").ok()) return;
      continue;
    }
    from = due_prefix(target).end_of_prefix();
    const auto its_lane = lane(txn, (*lease)->space, target);
    if (its_lane.ok()) (*its_lane)->wake_revocations();
    report_waiting(target, its_lane.ok() ? Status() : Status(its_lane.error()));
  }
}

void Revoker::report_waiting(const TargetId& target, const Status& opened) {
  if (opened.ok()) {
    waiting_.erase(target);
    return;
  }
  std::string& said = waiting_[target];
  if (said == opened.error().message) return;
  said = opened.error().message;
  parts_.log.error("leases of target {} wait: {}", hex(target), said);
}

}  // namespace leasehold::core
