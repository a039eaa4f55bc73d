#include "vault/seal/registry.h"

#include <algorithm>

#include "vault/base/grown_fields.h"
#include "vault/seal/codec.h"

namespace leasehold::seal {
namespace {

constexpr std::size_t kRingMax = 64 * 1024;  // 1,024 data keys and six others fit
constexpr std::size_t kFieldMax = 64 * 1024;
constexpr std::uint8_t kHashesTag = 1;
constexpr std::size_t kHashSize = 16 + 4 + 32;  // of one slot in that field
constexpr const char* kDoesNothing = "it opens nothing and approves nothing";

Error damaged(const char* detail) {
  return failure(Code::internal, "storage is damaged: the key registry cannot be read", detail);
}

// The whole description, so that a registry stands or falls with the store it was written for.
Bytes registry_aad(const StoreDescription& store) {
  Writer out;
  out.text("leasehold registry", 1);
  out.raw(store.serialize());
  return out.take_public();
}

template <class List>
auto find(List& list, const SlotId& id) {
  return std::find_if(list.begin(), list.end(),
                      [&](const SlotEntry& entry) { return entry.id == id; });
}

// Whether the record, listed in its generation and without a hash, may be given one as it stands.
// One that may unseal cannot be looked into here: it proves itself when its key opens it, and gets
// no right by its hash.
bool may_be_attested(const SlotRecord& slot, const crypto::Key& key) {
  return !slot.unreadable && (slot.may_unseal() || slot.verify(key).ok());
}

bool lacks_hash(const SlotList& listed, const SlotRecord& slot, const crypto::Key& key) {
  const auto entry = find(listed, slot.id);
  return entry != listed.end() && !entry->record && entry->generation == slot.generation &&
         may_be_attested(slot, key);
}

void write_hashes(Writer& out, const SlotList& listed) {
  Writer hashes;
  for (const SlotEntry& slot : listed) {
    if (!slot.record) continue;
    hashes.raw(slot.id);
    hashes.number(slot.generation, 4);
    hashes.raw(*slot.record);
  }
  const Bytes field = hashes.take_public();
  if (field.empty()) return;
  out.number(kHashesTag, 1);
  out.bytes(field, 4);
}

// A hash of another generation than the listed one was written before an older version of this
// program replaced the slot; it says nothing about the record of today.
Status read_hashes(ByteView field, SlotList& listed) {
  if (field.size() % kHashSize != 0) return damaged("the hashes of its slots are cut");
  for (Reader in(field); !in.rest().empty();) {
    const auto id = in.array<16>();
    const auto generation = static_cast<std::uint32_t>(in.number(4));
    const auto hash = in.array<32>();
    const auto entry = find(listed, id);
    if (entry != listed.end() && entry->generation == generation) entry->record = hash;
  }
  return {};
}

}  // namespace

void Registry::list(const SlotEntry& slot) {
  if (!slots) slots.emplace();
  strike(slot.id);
  slots->push_back(slot);
}

void Registry::strike(const SlotId& id) {
  if (!slots) return;
  if (const auto at = find(*slots, id); at != slots->end()) slots->erase(at);
}

bool Registry::attest(const std::vector<SlotRecord>& stored, const crypto::Key& key) {
  const bool unlisted = !slots;
  bool added = unlisted;
  if (unlisted) slots.emplace();
  for (const SlotRecord& slot : stored) {
    if (unlisted) slots->push_back({slot.id, slot.generation, {}});
    if (!lacks_hash(*slots, slot, key)) continue;
    find(*slots, slot.id)->record = slot.digest();
    added = true;
  }
  return added;
}

bool lacks_attestation(const std::optional<SlotList>& listed, const std::vector<SlotRecord>& stored,
                       const crypto::Key& key) {
  if (!listed) return true;
  return std::any_of(stored.begin(), stored.end(),
                     [&](const SlotRecord& slot) { return lacks_hash(*listed, slot, key); });
}

std::optional<std::string> disagreement(const SlotList& listed, const SlotRecord& slot) {
  const auto entry = find(listed, slot.id);
  if (entry == listed.end())
    return std::string(
               "the stored slot is not one of this vault's: it was removed, or put in behind the "
               "vault's back; ") +
           kDoesNothing;
  if (slot.unreadable) return std::nullopt;
  if (entry->generation != slot.generation)
    return "the stored slot is generation " + std::to_string(slot.generation) +
           ", and the vault has made generation " + std::to_string(entry->generation) +
           ": an older record was put back; " + kDoesNothing;
  if (entry->record && *entry->record != slot.digest())
    return std::string(
               "the stored slot is not the record that the vault wrote: it was changed behind the "
               "vault's back; ") +
           kDoesNothing;
  return std::nullopt;
}

SlotList missing_from(const SlotList& listed, const std::vector<SlotRecord>& stored) {
  SlotList missing;
  for (const SlotEntry& entry : listed) {
    const bool there = std::any_of(stored.begin(), stored.end(),
                                   [&](const SlotRecord& slot) { return slot.id == entry.id; });
    if (!there) missing.push_back(entry);
  }
  return missing;
}

SecretBytes Registry::serialize() const {
  const SlotList none;
  const SlotList& listed = slots ? *slots : none;
  VAULT_ASSERT(listed.size() <= 255);
  Writer out;
  out.number(kRegistryWithSlots, 1);
  out.bytes(keys.serialize().reveal(), 4);
  out.number(listed.size(), 1);
  for (const SlotEntry& slot : listed) {
    out.raw(slot.id);
    out.number(slot.generation, 4);
  }
  write_hashes(out, listed);
  out.raw(unknown);
  return out.take();
}

Result<Registry> Registry::deserialize(ByteView bytes) {
  Registry registry;
  if (!bytes.empty() && bytes[0] == barrier::kRegistryFormat) {
    VAULT_TRY_ASSIGN(registry.keys, barrier::KeyRing::deserialize(bytes));
    return registry;
  }
  Reader in(bytes);
  const std::uint64_t format = in.number(1);
  if (format > kRegistryWithSlots)
    return failure(Code::internal, "the key registry was written by a newer version: upgrade");
  if (format != kRegistryWithSlots) return damaged("unknown format");
  registry.slots.emplace();
  const ByteView ring = in.bytes(4, kRingMax);
  for (std::uint64_t count = in.number(1); count > 0 && !in.failed(); --count) {
    const auto id = in.array<16>();
    registry.slots->push_back({id, static_cast<std::uint32_t>(in.number(4)), {}});
  }
  if (in.failed()) return damaged("its list of slots is cut");
  for (ByteView fields = in.rest(); !fields.empty();) {
    const auto field = take_field(fields);
    if (!field || field->bytes.size() > kFieldMax || field->is_critical())
      return damaged("a field that cannot be left unread");
    if (field->tag == kHashesTag)
      VAULT_TRY(read_hashes(field->bytes, *registry.slots));
    else
      append(registry.unknown, field->whole());
  }
  VAULT_TRY_ASSIGN(registry.keys, barrier::KeyRing::deserialize(ring));
  return registry;
}

crypto::Key registry_key(const crypto::Key& root) {
  return crypto::Key(
      crypto::hkdf(root.reveal(), {}, "leasehold registry key", crypto::kKeySize).reveal());
}

Bytes close_registry(const StoreDescription& store, const Registry& registry,
                     const crypto::Key& registry_key, Random& random) {
  Bytes box;
  crypto::seal(registry_key.reveal(), registry.serialize().reveal(), registry_aad(store), random,
               box);
  return box;
}

Result<Registry> open_registry(const StoreDescription& store, ByteView box,
                               const crypto::Key& registry_key) {
  const auto opened = crypto::open(registry_key.reveal(), box, registry_aad(store));
  if (!opened.ok()) return damaged("it does not belong to this store, or was changed");
  return Registry::deserialize(opened->reveal());
}

}  // namespace leasehold::seal
