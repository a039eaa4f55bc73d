#pragma once
// The key registry: the store's key ring and the list of its slots, each in the generation that
// counts and with a hash of its record. The root key seals it as a whole, so a slot record that was
// added, changed, taken away or put back behind the vault's back is found: the list does not agree
// with it. A store of the first version has no list (`slots` is absent), and one of the second no
// hashes; it gets them when it is next opened.
//
//   plaintext  format:u8 = 2 | length:u32 | key ring | count:u8 | count * (slot id[16] |
//              generation:u32) | (tag:u8 | length:u32 | bytes)*
//   tag 1      (slot id[16] | generation:u32 | SHA-256 of the slot's record[32])*
//
// Format 1 is a bare key ring. Fields behind the list are kept when they are not known, unless
// their tag has its highest bit set: then the registry is refused. A version that does not know
// tag 1 keeps it when it changes a slot: a hash counts for its generation only. DO NOT CHANGE A
// FORMAT HERE: it is on users' disks. Thread safety: values.

#include <optional>

#include "vault/barrier/keyring.h"
#include "vault/seal/slot.h"

namespace leasehold::seal {

inline constexpr std::uint8_t kRegistryWithSlots = 2;

struct SlotEntry {
  SlotId id{};
  std::uint32_t generation = 1;
  std::optional<crypto::Digest> record{};  // hash of the whole record; absent until it was attested
  bool operator==(const SlotEntry&) const = default;
};
// Of a record that is as it will be stored.
inline SlotEntry entry_of(const SlotRecord& slot) {
  return {slot.id, slot.generation, slot.digest()};
}

using SlotList = std::vector<SlotEntry>;

struct Registry {
  barrier::KeyRing keys;
  std::optional<SlotList> slots;  // absent: written by a version that did not list them
  Bytes unknown;                  // fields of a newer version, as they stood

  // Adds the slot to the list, or puts its new generation in place of the old one.
  void list(const SlotEntry& slot);
  void strike(const SlotId& id);
  // Adds the hashes of those stored slots that are listed as they stand and have none yet; lists
  // all where there is no list. `key` is the registry's. True: something was added.
  bool attest(const std::vector<SlotRecord>& stored, const crypto::Key& key);

  SecretBytes serialize() const;
  static Result<Registry> deserialize(ByteView bytes);
};

// Whether attest() would add something.
bool lacks_attestation(const std::optional<SlotList>& listed, const std::vector<SlotRecord>& stored,
                       const crypto::Key& key);
// In what a stored slot disagrees with the list, in words for the operator; nothing when it agrees.
std::optional<std::string> disagreement(const SlotList& listed, const SlotRecord& slot);
// What is listed, and not among the stored slots.
SlotList missing_from(const SlotList& listed, const std::vector<SlotRecord>& stored);

// The key that wraps the registry; derived from the root key, which nobody needs while running.
crypto::Key registry_key(const crypto::Key& root);
Bytes close_registry(const StoreDescription& store, const Registry& registry,
                     const crypto::Key& registry_key, Random& random);
Result<Registry> open_registry(const StoreDescription& store, ByteView box,
                               const crypto::Key& registry_key);

}  // namespace leasehold::seal
