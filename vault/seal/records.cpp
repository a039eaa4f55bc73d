// The seal's table in storage.

#include <map>

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

// A slot that cannot be read is an error: leaving it out would tell the operator it never was.
Result<std::vector<SlotRecord>> read_slots(storage::Snapshot& snapshot, const StoreId& store) {
  const PhysicalKey first = named("slot/");
  const PhysicalKey end = first.end_of_prefix();
  std::vector<SlotRecord> slots;
  Status broken;
  VAULT_TRY(snapshot.scan(first.view(), end.view(), kSlotsMax + 1, storage::Scan::values,
                          [&](const storage::Entry& entry) {
                            auto slot = SlotRecord::deserialize(entry.value);
                            if (!slot.ok()) {
                              broken = slot.error();
                              return false;
                            }
                            slots.push_back(std::move(*slot));
                            return true;
                          }));
  VAULT_TRY(broken);
  if (slots.size() > kSlotsMax)
    return failure(Code::internal, "storage is damaged: it holds more than 16 seal slots");
  for (const SlotRecord& slot : slots)
    if (slot.store != store)
      return failure(Code::internal, "storage is damaged: a seal slot of another store is in it");
  return slots;
}

// Storage wants to tell somebody what changed; before the Committer runs there is nobody.
class NobodyWatches final : public storage::GroupObserver {
 public:
  bool admit(std::size_t) override { return true; }
  void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
               std::uint64_t) override {}
  void finish(std::uint64_t, storage::Batch&) override {}
};

}  // namespace

PhysicalKey store_key() { return named("store"); }
PhysicalKey registry_record_key() { return named("registry"); }
PhysicalKey slot_key(const SlotId& id) {
  PhysicalKey key = named("slot/");
  key.push(ByteView(id));
  return key;
}

Result<std::optional<Records>> read_records(storage::Snapshot& snapshot) {
  VAULT_TRY_ASSIGN(const auto store, read(snapshot, store_key()));
  if (!store) return std::optional<Records>();
  VAULT_TRY_ASSIGN(auto registry, read(snapshot, registry_record_key()));
  if (!registry)
    return failure(Code::internal, "storage is damaged: the key registry is missing",
                   "restore the store from a backup");
  Records records;
  VAULT_TRY_ASSIGN(records.store, StoreDescription::deserialize(*store));
  records.registry = std::move(*registry);
  VAULT_TRY_ASSIGN(records.slots, read_slots(snapshot, records.store.id));
  return std::optional<Records>(std::move(records));
}

void add_slot(storage::Batch& batch, const SlotRecord& slot) {
  batch.put(slot_key(slot.id).view(), slot.serialize());
}

void remove_slot(storage::Batch& batch, const SlotId& id) { batch.erase(slot_key(id).view()); }

void add_registry(storage::Batch& batch, ByteView box) {
  batch.put(registry_record_key().view(), box);
}

void add_initial(storage::Batch& batch, const Records& records) {
  batch.guard(store_key().view(), 0);
  batch.put(store_key().view(), records.store.serialize());
  add_registry(batch, records.registry);
  for (const SlotRecord& slot : records.slots) add_slot(batch, slot);
}

Status commit_alone(storage::Storage& storage, const storage::Batch& batch) {
  const storage::Batch* const group[] = {&batch};
  storage::CommitResult result;
  NobodyWatches nobody;
  storage.commit(group, nobody, {&result, 1});
  switch (result.outcome) {
    case storage::Outcome::committed:
      return {};
    case storage::Outcome::conflict:
      return failure(Code::conflict, "another process wrote first");
    case storage::Outcome::no_space:
      return failure(Code::no_space, "storage is full");
    case storage::Outcome::deposed:
      return failure(Code::unavailable, "this node is not active");
    default:
      return failure(Code::internal, "storage could not write the seal's records");
  }
}

}  // namespace leasehold::seal
