#pragma once
// What the seal keeps on disk: the store's description, its wrapped key registry, and one record
// per slot. A slot is one way in: whoever holds its 32-byte key-encryption key opens `box` and has
// the root key. Everything in the record is authenticated with it, so a slot moved from another
// store, given another kind or more rights, is refused.
//
//   VAULT_TRY_ASSIGN(const SlotRecord slot, SlotRecord::deserialize(bytes));
//   VAULT_TRY_ASSIGN(const crypto::Key root, slot.open(kek.reveal()));
//
// Keys in Table::seal: "store", "registry", "slot/" followed by the 16 bytes of the slot's id.
// DO NOT CHANGE A FORMAT HERE: it is on users' disks. Add a version. Thread safety: values.

#include <string>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/barrier/keyring.h"
#include "vault/base/clock.h"
#include "vault/crypto/hash.h"
#include "vault/storage/storage.h"

namespace leasehold::seal {

inline constexpr std::size_t kKindMax = 32;  // bytes of the kind of a slot

using barrier::StoreId;
using SlotId = std::array<std::uint8_t, 16>;

inline constexpr std::uint8_t kSlotFormat = 1;
inline constexpr std::uint8_t kStoreFormat = 1;
inline constexpr std::size_t kSlotsMax = 16;
inline constexpr std::size_t kPolicyMax = 16 * 1024;
inline constexpr std::size_t kIdentityMax = 1024;

// Rights of a slot, as bits of SlotRecord::capabilities.
inline constexpr std::uint8_t kMayUnseal = 1;  // its key opens the box
inline constexpr std::uint8_t kMayAuthorize =
    2;  // its holders approve rekey, generate-root, new slots

struct SlotRecord {
  StoreId store{};
  SlotId id{};
  std::string kind;              // "shamir", "static", "tpm", "pkcs11"
  std::uint32_t generation = 1;  // counts replacements of this slot's protector
  std::uint8_t capabilities = kMayUnseal;
  std::string identity;  // of the device, in words and fingerprints: "TPM IBM SW TPM, SRK 000b…"
  Bytes policy;          // how to get the key from the device; its kind's own format
  // AEAD(key-encryption key, root key); of a slot that only authorizes, AEAD(registry key,
  // nothing).
  Bytes box;
  // What is stored cannot be read: only the id is known. Such a slot opens nothing and is never
  // written over; the others open the vault.
  bool unreadable = false;

  bool may_unseal() const { return (capabilities & kMayUnseal) != 0; }
  Bytes aad() const;  // everything but the box, as serialized
  Bytes serialize() const;
  static Result<SlotRecord> deserialize(ByteView bytes);
  crypto::Digest digest() const;  // of everything that is stored, for the registry

  void close(ByteView kek, const crypto::Key& root, Random& random);
  // Code::invalid when the key is not this slot's, or the record was changed.
  Result<crypto::Key> open(ByteView kek) const;
  // For a slot that only authorizes: proves to later readers that an open vault wrote it.
  void attest(const crypto::Key& registry_key, Random& random);
  Status verify(const crypto::Key& registry_key) const;
};

// The policy of a "shamir" slot. Shares are named by salted hashes, so that a wrong or foreign
// share is told apart from a right one before all are there.
struct SharePolicy {
  std::uint8_t shares = 0;
  std::uint8_t threshold = 0;
  std::array<std::uint8_t, 16> salt{};
  std::vector<crypto::Digest> hashes;

  crypto::Digest hash_of(ByteView share) const;
  Bytes serialize() const;
  static Result<SharePolicy> deserialize(ByteView bytes);
};

struct StoreDescription {
  StoreId id{};
  WallTime created;
  std::string cluster_name;
  std::string cluster_id;

  Bytes serialize() const;
  static Result<StoreDescription> deserialize(ByteView bytes);
};

barrier::PhysicalKey store_key();
barrier::PhysicalKey registry_record_key();
// Its presence says that what the store holds is not finished (Seal::provisional).
barrier::PhysicalKey provisional_key();
barrier::PhysicalKey slot_key(const SlotId& id);

// Everything the seal has stored.
struct Records {
  StoreDescription store;
  Bytes registry;
  std::uint64_t registry_mod = 0;
  bool provisional = false;
  std::vector<SlotRecord> slots;
};
// Absent when the storage holds no vault yet. Code::internal when there is one, and what no slot
// can do without is damaged.
Result<std::optional<Records>> read_records(storage::Snapshot& snapshot);

// The first records of a storage; conflicts when it is not empty.
void add_initial(storage::Batch& batch, const Records& records);
void add_slot(storage::Batch& batch, const SlotRecord& slot);
void add_registry(storage::Batch& batch, ByteView box);
// For use while nothing else writes: at init and before the Committer starts.
Status erase_everything(storage::Storage& storage);
Status commit_alone(storage::Storage& storage, const storage::Batch& batch);

}  // namespace leasehold::seal
