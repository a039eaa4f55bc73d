#include "vault/core/leases/endings.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;

namespace {

constexpr Nanos kLookAtDamageEvery{Seconds{300}};
constexpr commit::Unrecorded kGoneAlready{"nothing changes"};

// Resumed by the commit thread; the last of a pass wakes the waiting thread.
struct Countdown {
  Mutex mutex;
  Condition done;
  std::size_t left GUARDED_BY(mutex) = 0;
};
struct Counted : commit::Submission {
  Countdown* countdown = nullptr;
};
void count_down(Waiter* waiter) {
  Countdown* countdown = static_cast<Counted*>(static_cast<commit::Submission*>(waiter))->countdown;
  MutexLock lock(countdown->mutex);
  if (--countdown->left == 0) countdown->done.notify_all();
}

}  // namespace

Status Damage::set_aside(ReadTxn& txn, const PhysicalKey& record, const OrderedId& id,
                         std::string_view what) {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(record));
  const Instant until = add(clock_.instant(), kLookAtDamageEvery);
  MutexLock lock(mutex_);
  const bool known = !aside_.insert_or_assign(id, until).second;
  if (!known)
    log_.error("the {} record {} is {} and is left as it is: run `leasehold operator verify`", what,
               hex(id), mod == 0 ? "missing" : "damaged");
  return {};
}

bool Damage::is_aside(const OrderedId& id) const {
  MutexLock lock(mutex_);
  const auto found = aside_.find(id);
  return found != aside_.end() && clock_.instant() < found->second;
}

Error refused_in_drill() {
  return failure(
      Code::unavailable,
      "this vault is a copy in a restore drill (-restored=drill): it reaches no target and "
      "ends nothing, so that the original loses no account; start it without the flag "
      "when it is to take the original's place");
}

Committed Endings::commit_all(const std::vector<Fill>& fills) {
  std::vector<std::optional<commit::Batch>> batches(fills.size());
  std::vector<Counted> operations(fills.size());
  Countdown countdown;
  Committed committed;
  committed.each.resize(fills.size());
  {
    auto held = parts.snapshots.take();
    if (!held.ok()) {
      std::fill(committed.each.begin(), committed.each.end(), Status(held.error()));
      return committed;
    }
    for (std::size_t i = 0; i < fills.size(); ++i) {
      commit::Changes changes;
      changes.background = true;
      WriteTxn txn(**held, parts.barrier, barrier::kCoreSpace, changes);
      auto filled = fills[i](txn);
      if (filled.ok()) {
        batches[i].emplace(std::move(changes), std::move(filled).value());
        continue;
      }
      parts.log.error("background work failed: {} {}", filled.error().message,
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
    if (!parts.committer.submit(&operations[i])) count_down(&operations[i]);
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

Result<OnRecord> Endings::start_revoking(WriteTxn& txn, const OrderedId& id, WallTime now) {
  auto lease = parts.leases.load(txn, id);
  if (!lease.ok()) VAULT_TRY(damage.set_aside(txn, lease_key(id), id, "lease"));
  if (lease.ok() && *lease) VAULT_TRY(parts.leases.start_revoking(txn, **lease, now));
  return OnRecord(kOnRecordWhenGone);
}

// For what nobody asked for in a request of its own. A record that cannot be read is no token to
// anybody: there is nothing to ask again for.
Result<OnRecord> Endings::revoke_token(WriteTxn& txn, const OrderedId& id, WallTime now) {
  const auto loaded = parts.tokens.load(txn, id);
  if (!loaded.ok()) {
    VAULT_TRY(damage.set_aside(txn, parts.tokens.key_of(id), id, "token"));
    return OnRecord(kGoneAlready);
  }
  const auto& token = *loaded;
  if (!token || token->stub) return OnRecord(kGoneAlready);
  VAULT_TRY(parts.tokens.revoke(txn, *token, now));
  return OnRecord(token_event("token-revoked", *token, now, parts.audit_key));
}

}  // namespace leasehold::core
