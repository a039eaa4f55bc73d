#include "vault/core/leases/expirer.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/core/authority/indexes.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::size_t kAtOnce = 64;         // leases that a pass takes, or receipts
constexpr std::size_t kTokensInBatch = 18;  // five operations each: a batch takes 100
constexpr std::size_t kTokensAtOnce = 32 * kTokensInBatch;
constexpr std::size_t kEventBytes = 128 * 1024;   // of one batch: a token has up to 16 KiB of names
constexpr std::size_t kWalkedAtOnce = 1000;       // entries that fall due soon
constexpr std::size_t kDueWalkedAtOnce = 16'384;  // entries that are due, in each half of a pass
constexpr commit::Unrecorded kLeftOver{"an index entry that leads to nothing any more"};

std::string receipts_event(std::size_t count, WallTime kept_since, WallTime now) {
  Json fields = Json::object();
  fields.set("count", static_cast<std::int64_t>(count)).set("older_than", rfc3339(kept_since));
  return audit::event_body("receipts-erased", now, fields.dump());
}

}  // namespace

bool Expirer::tick(WallTime now) {
  bool more = end_interrupted(now);
  more = move_expired(now) || more;
  return erase_old_receipts(now) || more;
}

void Expirer::revoke_soon(const OrderedId& lease) {
  MutexLock lock(mutex_);
  asked_.push_back(lease);
}

void Expirer::revoke_token_soon(const OrderedId& token) {
  MutexLock lock(mutex_);
  asked_tokens_.push_back(token);
}

// The audit log is what lasts; receipts must not fill the store (docs/decisions/019).
bool Expirer::erase_old_receipts(WallTime now) {
  PhysicalKey to(Table::receipt);
  const WallTime kept_since = add(now, -Nanos(kReceiptsKept));
  to.push_be(static_cast<std::uint64_t>(kept_since.millis()), barrier::kMillisSize);
  std::vector<PhysicalKey> old;
  {
    auto held = endings_.parts.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
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
  return endings_.commit_all({erase}).count > 0 && old.size() == kAtOnce;
}

Result<OnRecord> Expirer::expire_lease(WriteTxn& txn, const PhysicalKey& entry, WallTime now) {
  const OrderedId id = barrier::id_at_end(entry.view());
  auto loaded = endings_.parts.leases.load(txn, id);
  if (!loaded.ok()) {
    VAULT_TRY(endings_.damage.set_aside(txn, lease_key(id), id, "lease"));
    return OnRecord(kOnRecordWhenGone);
  }
  auto& lease = *loaded;
  if (lease && lease->state != Lease::State::revoking) {
    if (lease->expires <= now) VAULT_TRY(endings_.parts.leases.start_revoking(txn, *lease, now));
    if (lease->expires <= now || expiry_key(lease->expires, Table::lease, id) == entry)
      return OnRecord(kOnRecordWhenGone);
  }
  VAULT_TRY(txn.erase(entry));
  return OnRecord(kLeftOver);
}

// The first of these, as many as their events leave room for.
Result<OnRecord> Expirer::expire_tokens(WriteTxn& txn, std::span<const PhysicalKey> entries,
                                        WallTime now) {
  Texts events;
  for (const PhysicalKey& entry : entries) {
    if (events.bytes() > kEventBytes) break;
    VAULT_TRY(expire_token(txn, entry, now, events));
  }
  return events.empty() ? OnRecord(kLeftOver) : OnRecord(std::move(events));
}

Status Expirer::expire_token(WriteTxn& txn, const PhysicalKey& entry, WallTime now, Texts& events) {
  const OrderedId id = barrier::id_at_end(entry.view());
  const auto loaded = endings_.parts.tokens.load(txn, id);
  if (!loaded.ok())
    return endings_.damage.set_aside(txn, endings_.parts.tokens.key_of(id), id, "token");
  const auto& token = *loaded;
  if (token && token->expires && *token->expires <= now) {
    events.push_back(token_event("token-expired", *token, now, endings_.parts.audit_key));
    return endings_.parts.tokens.revoke(txn, *token, now);
  }
  const bool later =
      token && token->expires && expiry_key(*token->expires, Table::token, id) == entry;
  return later ? Status() : txn.erase(entry);
}

// Nobody can have the password of a lease that an earlier process left PENDING, so it does not wait
// for the end of its issue. That end is never later than kIssueLimit: these leases stand in the
// first entries of the expiry table, which are walked over once after a start. One whose batch
// fails here ends with its issue, as any other.
bool Expirer::end_interrupted(WallTime now) {
  if (!interrupted_) return false;
  std::vector<OrderedId> interrupted;
  {
    auto held = endings_.parts.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
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
    fills.push_back(
        [this, id, now](WriteTxn& txn) { return endings_.start_revoking(txn, id, now); });
  if (!fills.empty()) endings_.commit_all(fills);
  return interrupted_.has_value();
}

bool Expirer::is_interrupted(ReadTxn& txn, const PhysicalKey& entry) {
  if (barrier::table_at_end(entry.view()) != Table::lease) return false;
  const auto lease = endings_.parts.leases.load(txn, barrier::id_at_end(entry.view()));
  return lease.ok() && *lease && (*lease)->state == Lease::State::pending &&
         (*lease)->incarnation != endings_.parts.committer.incarnation();
}

// Nothing when storage cannot be read. Of the tokens the first; of the leases also those behind all
// tokens that are due, which are passed over in as many passes as their number takes.
std::optional<Expirer::Expired> Expirer::expired(WallTime now) {
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return std::nullopt;
  Expired found;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  PhysicalKey to(Table::expiry);
  to.push_be(static_cast<std::uint64_t>(now.millis()), barrier::kMillisSize);
  const auto behind = find_due(txn, PhysicalKey(Table::expiry), to, found);
  if (behind)
    leases_from_ = find_due(txn, std::max(*behind, leases_from_.value_or(*behind)), to, found);
  else
    leases_from_.reset();
  return found;
}

// Where it stopped: there were more than are looked at here.
std::optional<PhysicalKey> Expirer::find_due(ReadTxn& txn, const PhysicalKey& from,
                                             const PhysicalKey& to, Expired& found) const {
  std::optional<PhysicalKey> stopped;
  std::size_t walked = 0;
  txn.scan(from, to, SIZE_MAX, storage::Scan::keys,
           [&](const storage::Entry& entry) {
             const bool is_lease = barrier::table_at_end(entry.key) == Table::lease;
             auto& of_kind = is_lease ? found.leases : found.tokens;
             const bool full = of_kind.size() == (is_lease ? kAtOnce : kTokensAtOnce);
             found.more = found.more || full;
             if (is_lease && full) return false;
             if (!full && !endings_.damage.is_aside(barrier::id_at_end(entry.key)))
               of_kind.push_back(PhysicalKey::from(entry.key));
             if (++walked == kDueWalkedAtOnce) stopped = PhysicalKey::from(entry.key).successor();
             return !stopped;
           })
      .ignore();  // tried again with the next tick
  found.more = found.more || stopped;
  return stopped;
}

std::vector<Fill> Expirer::fills_of(const Expired& found, WallTime now) {
  std::vector<Fill> fills;
  for (const PhysicalKey& entry : found.leases)
    fills.push_back([this, &entry, now](WriteTxn& txn) { return expire_lease(txn, entry, now); });
  const std::span<const PhysicalKey> tokens(found.tokens);
  for (std::size_t at = 0; at < tokens.size(); at += kTokensInBatch) {
    const auto some = tokens.subspan(at, std::min(kTokensInBatch, tokens.size() - at));
    fills.push_back([this, some, now](WriteTxn& txn) { return expire_tokens(txn, some, now); });
  }
  return fills;
}

bool Expirer::is_any_aside(const Expired& found) const {
  const auto aside = [this](const PhysicalKey& entry) {
    return endings_.damage.is_aside(barrier::id_at_end(entry.view()));
  };
  return std::any_of(found.leases.begin(), found.leases.end(), aside) ||
         std::any_of(found.tokens.begin(), found.tokens.end(), aside);
}

bool Expirer::move_expired(WallTime now) {
  const auto found = expired(now);
  if (!found) return false;
  std::vector<OrderedId> asked, asked_tokens;
  {
    MutexLock lock(mutex_);
    asked.swap(asked_);
    asked_tokens.swap(asked_tokens_);
  }
  std::vector<Fill> fills = fills_of(*found, now);
  const std::size_t of_expired = fills.size();
  for (const OrderedId& id : asked)
    fills.push_back(
        [this, &id, now](WriteTxn& txn) { return endings_.start_revoking(txn, id, now); });
  for (const OrderedId& id : asked_tokens)
    fills.push_back(
        [this, &id, now](WriteTxn& txn) { return endings_.revoke_token(txn, id, now); });
  if (fills.empty()) return false;
  const Committed committed = endings_.commit_all(fills);
  // Damage that was set aside is out of the way, too: what lies behind it does not wait for a tick.
  const bool moved = committed.count > 0 || is_any_aside(*found);
  // What was asked for stands nowhere else: it is asked again until it is durable.
  MutexLock lock(mutex_);
  auto result = committed.each.begin() + static_cast<std::ptrdiff_t>(of_expired);
  for (const OrderedId& id : asked)
    if (!(result++)->ok()) asked_.push_back(id);
  for (const OrderedId& id : asked_tokens)
    if (!(result++)->ok()) asked_tokens_.push_back(id);
  return moved && found->more;
}

}  // namespace leasehold::core
