#pragma once
// Everything that exists only while the vault is unsealed, built in order at unseal and destroyed
// in reverse at seal. Requests in flight hold it open: Gate::enter() and leave() count them.

#include <atomic>
#include <memory>
#include <optional>

#include "vault/audit/log.h"
#include "vault/commit/committer.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/denials.h"
#include "vault/core/authority/identities.h"
#include "vault/core/authority/lockout.h"
#include "vault/core/authority/mounts.h"
#include "vault/core/authority/tokens.h"
#include "vault/core/leases/leases.h"
#include "vault/core/leases/revoker.h"
#include "vault/core/road/due_work.h"
#include "vault/core/road/environment.h"
#include "vault/core/road/restoration.h"
#include "vault/core/road/store_check.h"
#include "vault/core/road/sweeper.h"
#include "vault/seal/seal.h"

namespace leasehold::core {

struct StoreIdentity {
  barrier::StoreId store{};
  std::string cluster_name, cluster_id;
  WallTime created;
};

class KeyRotation;
class Unsealed;
// Makes the engines of an unsealed vault: the catalog's and the system's. They may keep `live`, and
// use it at request time only.
using EngineKinds = std::vector<std::unique_ptr<EngineKind>> (*)(Unsealed& live);

class Unsealed {
 public:
  // Code::unavailable or internal with the reason when a part cannot start.
  static Result<std::unique_ptr<Unsealed>> make(const Environment& environment,
                                                StoreIdentity identity, barrier::KeyRing keys,
                                                EngineKinds kinds);
  ~Unsealed();
  Unsealed(const Unsealed&) = delete;
  Unsealed& operator=(const Unsealed&) = delete;

  // A new store's mounts, policies and root token, in one batch. `wanted_root`: "" for a random
  // one.
  Result<SecretBytes> write_initial(std::string_view wanted_root, int dev_kv_version);

  Environment environment;
  StoreIdentity identity;
  barrier::Barrier barrier;
  const crypto::HmacKey audit_key;
  commit::Snapshots snapshots;
  Mounts mounts;
  Identities identities;
  Tokens tokens;
  Leases leases;
  Lockout lockout;
  Denials denials;
  std::unique_ptr<audit::AuditLog> audit;
  std::unique_ptr<commit::Drain> drain;
  commit::Committer committer;
  Restoration restoration;
  StoreCheck store_check;
  std::unique_ptr<Revoker> revoker;
  std::unique_ptr<Sweeper> sweeper;
  std::unique_ptr<DueWork> due_work;
  WallTime since;
  // The clock at the start and the last time that storage saw, where one of them may be wrong.
  struct ClockDoubt {
    WallTime clock, seen;
  };
  std::optional<ClockDoubt> clock_doubt;
  // A copy that is looked at while its original may run: no target is reached, nothing is revoked,
  // renewed, rotated or reconciled, and what is due waits (docs/decisions/170).
  bool drill() const { return environment.restored == Restored::drill; }
  // Those that are in flight end soon: what has not begun does not begin, and nobody waits long.
  void begin_sealing();
  bool is_sealing() const { return sealing_; }
  // Tokens::valid for whoever has no table of the mounts at hand.
  Result<TokenRef> valid_token(ReadTxn& txn, const barrier::OrderedId& id, WallTime now);
  Result<TokenRef> valid_token(ReadTxn& txn, std::string_view text, WallTime now);
  // The wrapping token that `text` is; Code::invalid when it is spent, has ended, or never was one.
  Result<TokenRef> wrapping_token(ReadTxn& txn, std::string_view text, WallTime now);
  // Wraps the key registry; set before the vault opens. The root key itself is in memory only while
  // Seal::with_root() runs.
  crypto::Key registry_key;
  std::unique_ptr<KeyRotation> rotation;

 private:
  Unsealed(const Environment& environment, StoreIdentity identity, barrier::KeyRing keys,
           std::vector<std::unique_ptr<audit::Device>> devices, EngineKinds kinds);
  Status start();
  Status start_committer(const commit::Incarnation& incarnation, Restoration::Evidence* evidence);
  Result<commit::Batch> first_batch(storage::Snapshot& snapshot,
                                    const Restoration::Evidence& evidence);
  void compare_clock(WallTime seen);
  Status compare_restored(storage::Snapshot& snapshot);
  Status compare_storage();
  Status make_mounts();
  // The audit log is the store's, and tells of nothing that the store lacks.
  bool is_whole(const Restoration::Evidence& evidence) const;
  void tell_not_needed(const Restoration::Evidence& evidence) const;

  std::atomic<bool> sealing_{false};
};

}  // namespace leasehold::core
