#pragma once
// Begins the end of what expired, of what was asked for from elsewhere, and of what an earlier
// process left PENDING: leases become REVOKING and due at their target, tokens end. Also erases
// receipts that are old enough. A bounded part in each pass; leases first, whatever else fell due
// before them, for who asks for wrapped answers chooses when these do.
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
  // Index entries of what has ended.
  struct Expired {
    std::vector<barrier::PhysicalKey> leases, tokens;
    bool more = false;  // than a pass takes
  };
  std::optional<Expired> expired(WallTime now);
  std::optional<barrier::PhysicalKey> find_due(ReadTxn& txn, const barrier::PhysicalKey& from,
                                               const barrier::PhysicalKey& to,
                                               Expired& found) const;
  std::vector<Fill> fills_of(const Expired& found, WallTime now);
  bool is_any_aside(const Expired& found) const;
  bool end_interrupted(WallTime now);
  bool is_interrupted(ReadTxn& txn, const barrier::PhysicalKey& entry);
  bool erase_old_receipts(WallTime now);
  Result<OnRecord> expire_lease(WriteTxn& txn, const barrier::PhysicalKey& entry, WallTime now);
  Result<OnRecord> expire_tokens(WriteTxn& txn, std::span<const barrier::PhysicalKey> entries,
                                 WallTime now);
  Status expire_token(WriteTxn& txn, const barrier::PhysicalKey& entry, WallTime now,
                      Texts& events);

  Endings& endings_;
  // Where leases are looked for next, behind the tokens that are due.
  std::optional<barrier::PhysicalKey> leases_from_;
  // Where the walk over what an earlier process left PENDING goes on; none: it is done.
  std::optional<barrier::PhysicalKey> interrupted_ = barrier::PhysicalKey(barrier::Table::expiry);
  Mutex mutex_;  // stands last: nothing is locked under it
  std::vector<barrier::OrderedId> asked_ GUARDED_BY(mutex_);
  std::vector<barrier::OrderedId> asked_tokens_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
