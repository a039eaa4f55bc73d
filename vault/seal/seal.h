#pragma once
// The vault's lock: makes the root key, keeps it in slots, and opens the store through any one of
// them. Lifecycle (vault/core) calls it; it decides nothing about HTTP.
//
//   Seal seal(storage, random, clock, log, std::move(protectors));
//   VAULT_TRY(seal.load());
//   if (auto opened = seal.open_with_devices()) {
//     unseal(*opened);
//     seal.enroll_missing(*opened, …);
//   }
//   VAULT_TRY_ASSIGN(auto step, seal.add_share(std::move(share)));   // sys/unseal
//
// Nothing else may write to the storage during initialize() and undo_initialize(): call them before
// the Committer starts. Thread safety: all methods from any thread. A device that hangs delays its
// own caller only; status() and add_share() never wait for one.

#include <memory>
#include <optional>

#include "vault/base/function_ref.h"
#include "vault/base/log.h"
#include "vault/base/mutex.h"
#include "vault/seal/protector.h"
#include "vault/seal/quorum.h"
#include "vault/seal/registry.h"
#include "vault/seal/slot.h"

namespace leasehold::seal {

inline constexpr Millis kDeviceTimeout{60'000};

// What the printed shares may do while a device slot exists.
enum class RecoveryMode { unseal, authorize, none };
Result<RecoveryMode> parse_recovery_mode(std::string_view text);

struct InitOptions {
  // Of the unseal shares, or of the recovery shares when a device is configured. 0 of 0 makes none,
  // which needs a device.
  unsigned shares = 0;
  unsigned threshold = 0;
  RecoveryMode recovery_mode = RecoveryMode::unseal;
  std::string cluster_name;  // empty: "vault-cluster-" and eight random digits
  // What is begun here is worth nothing until it is finished: settle() ends that, and a process
  // that finds it so undoes it.
  bool provisional = false;
};

// An open store. The keys are the caller's; the root key lives until the end of enroll_missing(),
// or of this.
struct Opened {
  StoreDescription store;
  barrier::KeyRing keys;
  crypto::Key registry_key;       // to change the registry (change_registry)
  std::optional<SlotList> slots;  // as the registry lists them; absent in a store of version 1
  SlotRecord through;             // the slot that opened it
  std::string by;                 // "tpm slot 1f2e…", "3 of 5 shares", for the audit record
  bool degraded = false;          // opened by shares although a device slot exists
  crypto::Key root;
};

struct Initialized {
  std::vector<SecretBytes> shares;
  bool shares_are_recovery = false;  // a device is enrolled
  Opened opened;
};

// One step of sys/unseal.
struct Step {
  std::optional<Opened> opened;  // set by the share that completed the quorum
};

// `identity` and `message` name serials, labels and paths: not for those without a token.
struct SlotStatus {
  std::string id;    // hex
  std::string kind;  // "tpm"
  std::string identity;
  DeviceState state = DeviceState::unknown;
  std::string message;
  std::uint32_t generation = 1;
  bool may_unseal = true;
  bool hardware = false;
  bool configured = true;  // a stanza is there for its kind; of shares always
};

struct SealStatus {
  std::string type = "shamir";  // kind of the first device slot, else "shamir"
  bool initialized = false;
  bool recovery_seal = false;  // a device seal with recovery shares
  unsigned t = 0, n = 0, progress = 0;
  std::string nonce;  // empty without progress
  std::string cluster_name, cluster_id;
  std::string access;  // "tpm OR 3 of 5 shares"
  bool degraded = false;
  std::vector<SlotStatus> slots;
  std::vector<std::string> warnings;
  std::vector<std::string>
      not_enrolled;  // configured devices without a slot, and why; as `message`
};

class Seal {
 public:
  using Protectors = std::vector<std::unique_ptr<Protector>>;
  Seal(storage::Storage& storage, Random& random, Clock& clock, LogSink& log,
       Protectors protectors);
  ~Seal();
  Seal(const Seal&) = delete;
  Seal& operator=(const Seal&) = delete;

  // Reads the records. Call at start, and again when another node may have written them.
  Status load();
  bool initialized() const;
  struct Cluster {
    std::string name, id;
  };
  Cluster cluster() const;       // empty before init
  bool has_device_slot() const;  // try open_with_devices() at start and while sealed

  // Code::invalid "Vault is already initialized", or why the share counts are refused.
  Result<Initialized> initialize(const InitOptions& options);
  // Erases all that was written since the storage was empty, so that initialize() can be called
  // again. For a caller who could not go on, and before anybody was told the shares.
  Status undo_initialize();
  // An init that was to be finished (InitOptions::provisional), and was not yet.
  bool provisional() const;
  // The mark goes with `batch`; once that is durable, settled() says so.
  static void settle(storage::Batch& batch);
  void settled();

  // Tries every device slot once, in order. Absent when none opened; status() says why for each.
  std::optional<Opened> open_with_devices(Millis timeout = kDeviceTimeout);

  // Before what was opened goes to work: reads the records anew, since there may be a write of
  // which storage could not say whether it happened, and takes the keys from them. An error: they
  // are of another store, or what opened them was replaced.
  Status confirm(Opened& opened);

  // A share of the quorum that unseals. A repeated share changes nothing; a wrong or foreign one is
  // Code::invalid naming it, and the others stay.
  Result<Step> add_share(SecretBytes share);
  void reset_shares();

  // Gives every configured device that has no slot one, through `write`, and wipes `opened.root`. A
  // device that cannot is reported in status() and the log; the store stays open.
  using WriteSlot = FunctionRef<Status(const storage::Batch&, const SlotRecord&)>;
  void enroll_missing(Opened& opened, WriteSlot write, Millis timeout = kDeviceTimeout);
  // Whether enroll_missing() has anything to do; asks no device.
  bool has_to_enroll(const Opened& opened) const;

  // A quorum of the share holders for something other than unsealing (generate-root, rekey). Absent
  // when the store has no shamir slot that the registry vouches for, or has one that only
  // authorizes and was not verified since the start: whoever can write to storage could have put
  // his own shares there. Once the quorum is complete: prove().
  std::optional<Quorum> new_quorum() const;
  // Whether a complete quorum approves: the registry, read anew, vouches for its slot, and the
  // shares open the root key that this registry is sealed with (of a slot that only authorizes: the
  // vault wrote it). Code::invalid else; then status() and the log tell that the slot was changed.
  Status prove(const Quorum& quorum, const crypto::Key& registry_key);
  struct Rekeyed {
    std::vector<SecretBytes> shares;
    SlotRecord slot;  // replaces the one of the same id; place() it in a batch, then installed()
  };
  // New shares for the same shamir slot, approved by `quorum`, which prove() is asked about.
  // `registry_key` is Opened::registry_key; it attests a slot that only authorizes.
  Result<Rekeyed> rekey(const Quorum& quorum, unsigned shares, unsigned threshold,
                        const crypto::Key& registry_key);
  void installed(const SlotRecord& slot);
  // As prove(), of shares that may unseal. Calls `use` with the root key, which they open and which
  // is in memory for no longer.
  Status with_root(const Quorum& quorum, const crypto::Key& registry_key,
                   FunctionRef<Status(const crypto::Key&)> use);

  // Puts into `batch` the registry as `change` makes it of the one that is stored; the batch
  // conflicts when somebody else changed it meanwhile. Once it is committed: installed(slot), or
  // registry_changed() when no slot was changed with it.
  Status change_registry(storage::Batch& batch, const crypto::Key& registry_key,
                         FunctionRef<void(Registry&)> change);
  // Puts into `batch` the slot's record and the registry that lists it.
  Status place(storage::Batch& batch, const SlotRecord& slot, const crypto::Key& registry_key);
  // Puts into the registry of a store of an earlier version what it lacks: the list of all stored
  // slots, the hashes of their records. An empty batch when it lacks nothing.
  Status list_slots(storage::Batch& batch, const Opened& opened);
  Status registry_changed();
  // Calls `use` with the keys as the stored registry has them, which is read anew. They are in
  // memory for no longer, and for one caller at a time.
  Status with_stored_keys(const crypto::Key& registry_key,
                          FunctionRef<void(const barrier::KeyRing&)> use);

  SealStatus status() const;
  // Asks every device slot for its health; may take as long as the timeouts. For a background job,
  // while the store is open. When all devices are well, it no longer counts as degraded. A check
  // never logs in to a device. What was not asked for its key since the start, or could not open
  // the vault when shares had to, is asked for it as an unseal would, with all the time it needs.
  void check_health(Millis timeout = kDeviceTimeout);
  // The process ends: whoever waits for a device gets an answer now, and no device works any more.
  void stop_devices();

 private:
  struct State;
  std::optional<Opened> try_slot(const Records& records, const SlotRecord& slot, Millis timeout);
  Result<SlotRecord> enroll(Protector& protector, SlotRecord slot, const crypto::Key& root,
                            Millis timeout);
  Result<std::vector<SlotRecord>> make_slots(const InitOptions& options, const StoreId& store,
                                             const crypto::Key& root, Initialized& out);
  std::optional<SlotRecord> wanted_slot(const Protector& protector, const Opened& opened) const;
  std::optional<SlotRecord> unasked_slot(const Protector& protector) const;
  std::optional<SlotRecord> slot_to_ask_for(const Protector& protector, const Opened& opened) const;
  Error not_empty() const;
  Status with_registry(const crypto::Key& registry_key,
                       FunctionRef<Status(const Records&, Registry&)> use) const;
  Status vouch_for(const SlotRecord& slot, const crypto::Key& registry_key);
  Error does_not_prove(const SlotRecord& slot, std::string why);
  void verify_authorizing(const Records& records, const crypto::Key& registry_key);
  DeviceAnswer use_device(Protector& protector, const SlotRecord& slot, Millis timeout);
  DeviceAnswer check(Protector& protector, const SlotRecord& slot, Millis timeout);
  void remember(const SlotId& id, DeviceAnswer answer);
  void note_health(const SlotRecord& slot, DeviceAnswer answer);
  void keep(const SlotRecord& slot);
  void arrange(std::vector<SlotRecord>& slots) const;
  SlotStatus status_of(const SlotRecord& slot, const DeviceAnswer& answer) const;

  storage::Storage& storage_;
  Random& random_;
  Clock& clock_;
  LogSink& log_;
  const Protectors protectors_;
  std::unique_ptr<State> state_;
};

}  // namespace leasehold::seal
