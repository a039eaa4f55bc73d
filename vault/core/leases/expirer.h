#pragma once
// Begins the end of what expired, of what was asked for from elsewhere, and of what an earlier
// process left PENDING: leases become REVOKING and due at their target, tokens end. Also erases
// receipts that are old enough. A bounded part in each pass.
// Thread safety: revoke_soon() and revoke_token_soon() from any thread, the rest from one at a
// time.

#include "vault/core/leases/endings.h"

namespace leasehold::core {

class Expirer {
 public:
  explicit Expirer(Endings& endings) : endings_(endings) {}
  bool tick(WallTime now);  // true: there is more right now
  bool move_expired(WallTime now);

  // With the next pass; asked again until it is durable.
  void revoke_soon(const barrier::OrderedId& lease);
  void revoke_token_soon(const barrier::OrderedId& token);

 private:
  std::optional<std::vector<barrier::PhysicalKey>> expired(WallTime now) const;
  bool end_interrupted(WallTime now);
  bool is_interrupted(ReadTxn& txn, const barrier::PhysicalKey& entry);
  bool erase_old_receipts(WallTime now);
  Result<OnRecord> expire_one(WriteTxn& txn, barrier::Table table, const barrier::OrderedId& id,
                              const barrier::PhysicalKey& entry, WallTime now);
  Result<OnRecord> expire_token(WriteTxn& txn, const barrier::OrderedId& id,
                                const barrier::PhysicalKey& entry, WallTime now);

  Endings& endings_;
  // Where the walk over what an earlier process left PENDING goes on; none: it is done.
  std::optional<barrier::PhysicalKey> interrupted_ = barrier::PhysicalKey(barrier::Table::expiry);
  Mutex mutex_;  // stands last: nothing is locked under it
  std::vector<barrier::OrderedId> asked_ GUARDED_BY(mutex_);
  std::vector<barrier::OrderedId> asked_tokens_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
