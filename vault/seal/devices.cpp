// Opening through devices, and their health.

#include <algorithm>

#include "vault/seal/seal.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

void Seal::remember(const SlotId& id, DeviceAnswer answer) {
  MutexLock lock(state_->mutex);
  state_->answers[id] = std::move(answer);
}

namespace {

DeviceAnswer not_configured(const SlotRecord& slot) {
  return {DeviceState::absent,
          "the configuration has no seal \"" + slot.kind + "\" stanza for this slot",
          {}};
}

DeviceAnswer does_not_fit(const SlotRecord& slot) {
  return {DeviceState::tampered,
          "the " + slot.kind +
              " answered, but its key does not open the slot: the stored slot was "
              "changed, or belongs to another key",
          {}};
}

// Several devices of one kind may be configured; the first that can answers for the slot.
Recovered recover_from_any(const Seal::Protectors& protectors, const SlotRecord& slot,
                           Millis timeout) {
  Recovered last{not_configured(slot), {}};
  for (const auto& protector : protectors) {
    if (protector->kind() != slot.kind) continue;
    last = protector->recover(slot, timeout);
    if (last.answer.ok()) break;
  }
  return last;
}

}  // namespace

std::optional<Opened> Seal::try_slot(const Records& records, const SlotRecord& slot,
                                     Millis timeout) {
  Recovered recovered = recover_from_any(protectors_, slot, timeout);
  if (!recovered.answer.ok()) {
    log_.warn("seal slot {} ({}) cannot open the vault: {}", short_id(slot.id), slot.kind,
              in_full(recovered.answer.message, recovered.answer.detail));
    remember(slot.id, std::move(recovered.answer));
    return std::nullopt;
  }
  const auto root = slot.open(recovered.kek.reveal());
  if (!root.ok()) {
    log_.error("seal slot {} ({}): its device's key does not open it", short_id(slot.id),
               slot.kind);
    remember(slot.id, does_not_fit(slot));
    MutexLock lock(state_->mutex);
    state_->misfits.insert(slot.id);
    return std::nullopt;
  }
  remember(slot.id, std::move(recovered.answer));
  {
    MutexLock lock(state_->mutex);
    state_->misfits.erase(slot.id);
  }
  auto opened = open_store(records, *root, slot, slot.kind + " slot " + short_id(slot.id));
  if (!opened.ok()) {
    log_.error("seal slot {} ({}): {}", short_id(slot.id), slot.kind, opened.error().message);
    remember(slot.id, {DeviceState::tampered, opened.error().message, opened.error().detail});
    return std::nullopt;
  }
  return std::move(*opened);
}

std::optional<Opened> Seal::open_with_devices(Millis timeout) {
  std::optional<Records> records;
  {
    MutexLock lock(state_->mutex);
    records = state_->records;
  }
  if (!records) return std::nullopt;
  for (const SlotRecord& slot : records->slots) {
    if (!is_device(slot) || !slot.may_unseal()) continue;
    auto opened = try_slot(*records, slot, timeout);
    if (!opened) continue;
    verify_authorizing(*records, opened->registry_key);
    MutexLock lock(state_->mutex);
    state_->opened_by_shares = false;
    state_->compare_slots(*records, *opened, log_);
    return opened;
  }
  return std::nullopt;
}

void Seal::verify_authorizing(const Records& records, const crypto::Key& registry_key) {
  for (const SlotRecord& slot : records.slots) {
    if (slot.may_unseal() || slot.unreadable) continue;
    DeviceAnswer answer{DeviceState::ok, {}, {}};
    if (!slot.verify(registry_key).ok()) {
      answer = {DeviceState::tampered,
                "the stored slot was changed behind the vault's back; it approves nothing",
                {}};
      log_.error("seal slot {} ({}): {}", short_id(slot.id), slot.kind, answer.message);
    }
    remember(slot.id, std::move(answer));
  }
}

// A device's key tried on its slot.
DeviceAnswer Seal::use_device(Protector& protector, const SlotRecord& slot, Millis timeout) {
  Recovered recovered = protector.recover(slot, timeout);
  if (!recovered.answer.ok() || slot.open(recovered.kek.reveal()).ok())
    return std::move(recovered.answer);
  MutexLock lock(state_->mutex);
  state_->misfits.insert(slot.id);
  return does_not_fit(slot);
}

DeviceAnswer Seal::check(Protector& protector, const SlotRecord& slot, Millis timeout) {
  bool asked = false, needed = false;
  {
    MutexLock lock(state_->mutex);
    asked = state_->answers.count(slot.id) > 0;
    needed = state_->opened_by_shares;
  }
  if (!asked) return use_device(protector, slot, kDeviceTimeout);
  DeviceAnswer answer = protector.health(slot, timeout);
  if (answer.state == DeviceState::unknown && needed)
    return use_device(protector, slot, kDeviceTimeout);
  return answer;
}

void Seal::check_health(Millis timeout) {
  std::vector<SlotRecord> slots;
  {
    MutexLock lock(state_->mutex);
    if (state_->records) slots = state_->records->slots;
  }
  for (const SlotRecord& slot : slots) {
    if (!is_device(slot)) continue;
    DeviceAnswer answer = not_configured(slot);
    for (const auto& protector : protectors_) {
      if (protector->kind() != slot.kind) continue;
      answer = check(*protector, slot, timeout);
      if (answer.ok()) break;
    }
    note_health(slot, std::move(answer));
  }
  MutexLock lock(state_->mutex);
  if (!state_->records) return;
  bool all_well = true;
  for (const SlotRecord& slot : state_->records->slots)
    all_well = all_well && (!is_device(slot) || state_->answers[slot.id].state == DeviceState::ok);
  if (all_well) state_->opened_by_shares = false;  // the next start needs no shares
}

void Seal::stop_devices() {
  for (const auto& protector : protectors_) protector->stop();
}

// Not over what a later enrolment found, nor over "its key does not open the slot", which a device
// that is well does not know.
void Seal::note_health(const SlotRecord& slot, DeviceAnswer answer) {
  MutexLock lock(state_->mutex);
  const auto& slots = state_->records->slots;
  const bool current = std::any_of(slots.begin(), slots.end(), [&](const SlotRecord& other) {
    return other.id == slot.id && other.generation == slot.generation;
  });
  DeviceAnswer& known = state_->answers[slot.id];
  if (!current || (state_->misfits.count(slot.id) > 0 && answer.ok())) return;
  if (known.state != answer.state) {
    if (answer.state == DeviceState::ok)
      log_.info("seal slot {} ({}) is well", short_id(slot.id), slot.kind);
    else
      log_.warn("seal slot {} ({}) is {}: {}", short_id(slot.id), slot.kind, to_text(answer.state),
                in_full(answer.message, answer.detail));
  }
  known = std::move(answer);
}

}  // namespace leasehold::seal
