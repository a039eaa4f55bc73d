// Slots that come or change after init.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/seal/seal.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

Result<SlotRecord> Seal::enroll(Protector& protector, SlotRecord slot, const crypto::Key& root,
                                Millis timeout) {
  Enrolled enrolled = protector.enroll(context_of(slot), timeout);
  if (!enrolled.answer.ok())
    return failure(
        Code::unavailable,
        protector.describe() + " cannot keep a key of this vault: " + enrolled.answer.message,
        enrolled.answer.detail);
  if (enrolled.kek.size() != crypto::kKeySize)
    return failure(Code::internal, protector.describe() + " made a key of the wrong size");
  slot.identity = std::move(enrolled.identity);
  slot.policy = std::move(enrolled.policy);
  slot.close(enrolled.kek.reveal(), root, random_);
  remember(slot.id, std::move(enrolled.answer));
  return slot;
}

// The record to enroll `protector` into: a new one, or the next generation of a slot that its
// device opens no more. Absent when nothing is to do. A device that was replaced is taken in only
// when share holders opened the vault: else whoever swaps one device waits for another to let his
// own in.
std::optional<SlotRecord> Seal::wanted_slot(const Protector& protector,
                                            const Opened& opened) const {
  MutexLock lock(state_->mutex);
  const auto& slots = state_->records->slots;
  const auto same_kind = [&](const SlotRecord& slot) {
    return !slot.unreadable && slot.kind == protector.kind();
  };
  const auto slot = std::find_if(slots.begin(), slots.end(), same_kind);
  if (slot == slots.end()) {
    // The record that is gone or cannot be read may be this device's: without share holders,
    // whoever takes it away would let a device of his own in.
    const bool whole = state_->missing.empty() && state_->strays.empty() &&
                       std::none_of(slots.begin(), slots.end(),
                                    [](const SlotRecord& one) { return one.unreadable; });
    if (!whole && !opened.degraded && !protector.reenrolls()) return std::nullopt;
    if (slots.size() >= kSlotsMax) return std::nullopt;
    return new_slot(opened.store.id, protector.kind(), random_);
  }
  const auto answer = state_->answers.find(slot->id);
  if (answer == state_->answers.end()) return std::nullopt;
  const DeviceState state = answer->second.state;
  const bool replaced = state == DeviceState::replaced && opened.degraded;
  const bool outdated = state == DeviceState::policy || state == DeviceState::tampered ||
                        state == DeviceState::degraded || state == DeviceState::replaced;
  if (!replaced && !(outdated && protector.reenrolls())) return std::nullopt;
  SlotRecord next = *slot;
  ++next.generation;
  next.capabilities = kMayUnseal;  // of a device's slot always, whatever stands in the old record
  return next;
}

// A slot that nobody asked its device for, because another one opened the vault before.
std::optional<SlotRecord> Seal::unasked_slot(const Protector& protector) const {
  MutexLock lock(state_->mutex);
  for (const SlotRecord& slot : state_->records->slots)
    if (!slot.unreadable && slot.kind == protector.kind() && state_->answers.count(slot.id) == 0)
      return slot;
  return std::nullopt;
}

// Whether a slot is outdated, or its device another one, is known once the device was asked. Share
// holders may have opened the vault before it answered.
std::optional<SlotRecord> Seal::slot_to_ask_for(const Protector& protector,
                                                const Opened& opened) const {
  if (!protector.reenrolls() && !opened.degraded) return std::nullopt;
  return unasked_slot(protector);
}

bool Seal::has_to_enroll(const Opened& opened) const {
  return std::any_of(protectors_.begin(), protectors_.end(), [&](const auto& protector) {
    return wanted_slot(*protector, opened) || slot_to_ask_for(*protector, opened);
  });
}

void Seal::keep(const SlotRecord& slot) {
  const Status changed = registry_changed();
  if (!changed.ok())
    log_.error("seal: {}", in_full(changed.error().message, changed.error().detail));
  MutexLock lock(state_->mutex);
  state_->misfits.erase(slot.id);
  state_->strays.erase(slot.id);
  auto& slots = state_->records->slots;
  const auto same = [&](const SlotRecord& other) { return other.id == slot.id; };
  const auto at = std::find_if(slots.begin(), slots.end(), same);
  if (at == slots.end())
    slots.push_back(slot);
  else
    *at = slot;
  arrange(slots);
}

void Seal::enroll_missing(Opened& opened, WriteSlot write, Millis timeout) {
  MutexLock changing(state_->changing);
  for (const auto& protector : protectors_) {
    if (const auto slot = slot_to_ask_for(*protector, opened))
      note_health(*slot, use_device(*protector, *slot, timeout));
    auto wanted = wanted_slot(*protector, opened);
    if (!wanted) continue;
    auto slot = enroll(*protector, std::move(*wanted), opened.root, timeout);
    Status written = slot.ok() ? Status() : Status(slot.error());
    if (slot.ok()) {
      storage::Batch batch;
      written = place(batch, *slot, opened.registry_key);
      if (written.ok()) written = write(batch, *slot);
    }
    if (written.ok()) {
      log_.info("seal: {} now opens this vault (slot {}, generation {})", protector->describe(),
                short_id(slot->id), slot->generation);
      keep(*slot);
    } else {
      log_.warn("seal: {}", in_full(written.error().message, written.error().detail));
    }
    MutexLock lock(state_->mutex);
    state_->not_enrolled.erase(protector->describe());
    if (!written.ok()) state_->not_enrolled[protector->describe()] = written.error().message;
  }
  wipe(opened.root.writable().data(), crypto::kKeySize);
}

Status Seal::with_registry(const crypto::Key& registry_key,
                           FunctionRef<Status(const Records&, Registry&)> use) const {
  MutexLock one(state_->ring);
  VAULT_TRY_ASSIGN(auto snapshot, storage_.snapshot());
  VAULT_TRY_ASSIGN(const auto records, read_records(*snapshot));
  if (!records) return failure(Code::invalid, "Vault is not initialized");
  VAULT_TRY_ASSIGN(Registry registry,
                   open_registry(records->store, records->registry, registry_key));
  return use(*records, registry);
}

Status Seal::change_registry(storage::Batch& batch, const crypto::Key& registry_key,
                             FunctionRef<void(Registry&)> change) {
  return with_registry(registry_key, [&](const Records& records, Registry& registry) -> Status {
    registry.attest(records.slots, registry_key);
    change(registry);
    batch.guard(registry_record_key().view(), records.registry_mod);
    add_registry(batch, close_registry(records.store, registry, registry_key, random_));
    return {};
  });
}

Status Seal::place(storage::Batch& batch, const SlotRecord& slot, const crypto::Key& registry_key) {
  add_slot(batch, slot);
  return change_registry(batch, registry_key,
                         [&](Registry& registry) { registry.list(entry_of(slot)); });
}

Status Seal::list_slots(storage::Batch& batch, const Opened& opened) {
  {
    MutexLock lock(state_->mutex);
    if (!lacks_attestation(opened.slots, state_->records->slots, opened.registry_key)) return {};
  }
  return change_registry(batch, opened.registry_key, [](Registry&) {});
}

Status Seal::registry_changed() {
  VAULT_TRY_ASSIGN(auto snapshot, storage_.snapshot());
  VAULT_TRY_ASSIGN(auto records, read_records(*snapshot));
  if (!records) return failure(Code::invalid, "Vault is not initialized");
  MutexLock lock(state_->mutex);
  state_->records->registry = std::move(records->registry);
  state_->records->registry_mod = records->registry_mod;
  return {};
}

Status Seal::with_stored_keys(const crypto::Key& registry_key,
                              FunctionRef<void(const barrier::KeyRing&)> use) {
  VAULT_TRY(registry_changed());
  return with_registry(registry_key, [&](const Records&, Registry& registry) -> Status {
    use(registry.keys);
    return {};
  });
}

void Seal::installed(const SlotRecord& slot) {
  keep(slot);
  MutexLock lock(state_->mutex);
  state_->unseal = state_->new_unseal();
}

}  // namespace leasehold::seal
