#pragma once
// Everything that exists only while the vault is unsealed, built in order at unseal and destroyed
// in reverse at seal. Requests in flight hold it open: begin() and end() count them.

#include <atomic>
#include <memory>

#include "vault/audit/log.h"
#include "vault/commit/committer.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/lockout.h"
#include "vault/core/authority/registry.h"
#include "vault/core/authority/tokens.h"
#include "vault/core/leases/leases.h"
#include "vault/core/leases/revoker.h"
#include "vault/core/road/due_work.h"
#include "vault/core/road/restoration.h"
#include "vault/core/road/sweeper.h"

namespace leasehold::core {

// A stanza or a key of the configuration, as it stands in the file.
struct ConfiguredPart {
  std::string name;  // `seal "tpm"`, `max_lease_ttl`
  crypto::Digest digest{};
};

// What the composition root hands to the core: the outside world, and what does not depend on keys.
struct Environment {
  storage::Storage& storage;
  Clock& clock;
  Random& random;
  LogSink& log;
  TtlDefaults ttls;
  // One EngineKind per row of the catalog, made anew at each unseal.
  std::function<std::vector<std::unique_ptr<EngineKind>>()> engine_kinds;
  // The configured devices; none in dev mode.
  std::function<Result<std::vector<std::unique_ptr<audit::Device>>>()> audit_devices;
  int dev_kv_version = 0;  // of secret/, which a dev server begins with; 0: none
  // Asks for sealing, from any thread; set by Lifecycle.
  std::function<void()> request_seal;
  // Tells the clock the last time the storage saw.
  std::function<void(WallTime)> never_before;
  // An audit device or the storage hangs and will not come back: ends the process.
  std::function<void()> stuck = {};
  // Said at start, for the next unsealing: the storage was put back.
  Restored restored = Restored::no;
  std::vector<ConfiguredPart> configured = {};
  Seconds lease_sweep_period{0};  // how often targets are compared with the leases; 0: never
};

struct StoreIdentity {
  barrier::StoreId store{};
  std::string cluster_name, cluster_id;
};

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
  Registry registry;
  Tokens tokens;
  Leases leases;
  Lockout lockout;
  std::unique_ptr<audit::AuditLog> audit;
  std::unique_ptr<commit::Drain> drain;
  commit::Committer committer;
  Restoration restoration;
  std::unique_ptr<Revoker> revoker;
  std::unique_ptr<Sweeper> sweeper;
  std::unique_ptr<DueWork> due_work;
  WallTime since;

 private:
  Unsealed(const Environment& environment, StoreIdentity identity, barrier::KeyRing keys,
           std::vector<std::unique_ptr<audit::Device>> devices, EngineKinds kinds);
  Status start();
  Status start_committer(const commit::Incarnation& incarnation, Restoration::Evidence* evidence);
  void compare_clock(WallTime seen) const;
  Status compare_restored(storage::Snapshot& snapshot);
};

}  // namespace leasehold::core
