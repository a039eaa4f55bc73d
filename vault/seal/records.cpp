// The seal's table in storage.

#include <algorithm>

#include "vault/seal/slot.h"

namespace leasehold::seal {
namespace {

using barrier::PhysicalKey;
using barrier::Table;

PhysicalKey named(std::string_view name) {
  PhysicalKey key(Table::seal);
  key.push(as_bytes(name));
  return key;
}

Result<std::optional<Bytes>> read(storage::Snapshot& snapshot, const PhysicalKey& key) {
  VAULT_TRY_ASSIGN(const auto found, snapshot.get(key.view()));
  if (!found) return std::optional<Bytes>();
  return std::optional<Bytes>(to_bytes(found->value));
}

constexpr std::uint8_t kFirstKey[] = {0x00}, kLastKey[] = {0xff};

SlotRecord unreadable_slot(const StoreId& store, ByteView id) {
  SlotRecord slot;
  slot.store = store;
  std::copy_n(id.begin(), std::min(id.size(), slot.id.size()), slot.id.begin());
  slot.kind = "unknown";
  slot.capabilities = 0;
  slot.unreadable = true;
  return slot;
}

// One slot that cannot be read takes no other with it. It is not left out either: that would tell
// the operator it never was.
SlotRecord read_slot(const StoreId& store, ByteView id, ByteView record) {
  auto slot = SlotRecord::deserialize(record);
  const bool fits = slot.ok() && slot->store == store && compare(slot->id, id) == 0;
  return fits ? std::move(*slot) : unreadable_slot(store, id);
}

Result<std::vector<SlotRecord>> read_slots(storage::Snapshot& snapshot, const StoreId& store) {
  const PhysicalKey first = named("slot/");
  const PhysicalKey end = first.end_of_prefix();
  std::vector<SlotRecord> slots;
  VAULT_TRY(snapshot.scan(first.view(), end.view(), kSlotsMax + 1, storage::Scan::values,
                          [&](const storage::Entry& entry) {
                            const ByteView id = entry.key.subspan(first.view().size());
                            slots.push_back(read_slot(store, id, entry.value));
                            return true;
                          }));
  if (slots.size() > kSlotsMax)
    return failure(Code::internal, "storage is damaged: it holds more than 16 seal slots");
  return slots;
}

// Storage reports changes to an observer; before the Committer runs there is none.
class NullObserver final : public storage::GroupObserver {
 public:
  bool admit(std::size_t) override { return true; }
  void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
               std::uint64_t) override {}
  void finish(std::uint64_t, storage::Batch&) override {}
};

}  // namespace

PhysicalKey store_key() { return named("store"); }
PhysicalKey registry_record_key() { return named("registry"); }
PhysicalKey provisional_key() { return named("provisional"); }
PhysicalKey slot_key(const SlotId& id) {
  PhysicalKey key = named("slot/");
  key.push(ByteView(id));
  return key;
}

Result<std::optional<Records>> read_records(storage::Snapshot& snapshot) {
  VAULT_TRY_ASSIGN(const auto store, read(snapshot, store_key()));
  if (!store) return std::optional<Records>();
  VAULT_TRY_ASSIGN(const auto registry, snapshot.get(registry_record_key().view()));
  if (!registry)
    return failure(Code::internal, "storage is damaged: the key registry is missing",
                   "restore the store from a backup");
  Records records;
  records.registry = to_bytes(registry->value);
  records.registry_mod = registry->mod;
  VAULT_TRY_ASSIGN(records.store, StoreDescription::deserialize(*store));
  VAULT_TRY_ASSIGN(records.slots, read_slots(snapshot, records.store.id));
  VAULT_TRY_ASSIGN(const auto provisional, snapshot.get(provisional_key().view()));
  records.provisional = provisional.has_value();
  return std::optional<Records>(std::move(records));
}

void add_slot(storage::Batch& batch, const SlotRecord& slot) {
  batch.put(slot_key(slot.id).view(), slot.serialize());
}

void add_registry(storage::Batch& batch, ByteView box) {
  batch.put(registry_record_key().view(), box);
}

void add_initial(storage::Batch& batch, const Records& records) {
  batch.guard_empty(kFirstKey, kLastKey);
  batch.put(store_key().view(), records.store.serialize());
  add_registry(batch, records.registry);
  for (const SlotRecord& slot : records.slots) add_slot(batch, slot);
  constexpr std::uint8_t kThere = 1;
  if (records.provisional) batch.put(provisional_key().view(), ByteView(&kThere, 1));
}

Status erase_everything(storage::Storage& storage) {
  for (;;) {
    storage::Batch batch;
    VAULT_TRY_ASSIGN(auto snapshot, storage.snapshot());
    VAULT_TRY(snapshot->scan(kFirstKey, kLastKey, storage::kBatchOperationsMax, storage::Scan::keys,
                             [&](const storage::Entry& entry) {
                               batch.erase(entry.key);
                               return true;
                             }));
    snapshot->release();
    if (batch.empty()) return {};
    VAULT_TRY(commit_alone(storage, batch));
  }
}

Status commit_alone(storage::Storage& storage, const storage::Batch& batch) {
  const storage::Batch* const group[] = {&batch};
  storage::CommitResult result;
  NullObserver nobody;
  storage.commit(group, nobody, {&result, 1});
  switch (result.outcome) {
    case storage::Outcome::committed:
      return {};
    case storage::Outcome::conflict:
      return failure(Code::conflict, "another process wrote first");
    case storage::Outcome::no_space:
      return failure(Code::no_space, std::string(storage::kFull));
    case storage::Outcome::deposed:
      return failure(Code::unavailable, "this node is not active");
    default:
      return failure(Code::internal, "storage could not write the seal's records");
  }
}

}  // namespace leasehold::seal
