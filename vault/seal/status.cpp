// What sys/seal-status says.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/seal/seal.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

std::string_view to_text(DeviceState state) {
  switch (state) {
    case DeviceState::ok:
      return "ok";
    case DeviceState::unknown:
      return "unknown";
    case DeviceState::degraded:
      return "degraded";
    case DeviceState::absent:
      return "absent";
    case DeviceState::replaced:
      return "replaced";
    case DeviceState::locked:
      return "locked";
    case DeviceState::auth:
      return "auth";
    case DeviceState::policy:
      return "policy";
    case DeviceState::tampered:
      return "tampered";
    case DeviceState::unsupported:
      return "unsupported";
    case DeviceState::wedged:
      return "wedged";
    case DeviceState::failed:
      return "failed";
  }
  return "failed";
}

namespace {

std::string shares_in_words(const SharePolicy& policy) {
  if (policy.shares == 1) return "1 share";
  return std::to_string(policy.threshold) + " of " + std::to_string(policy.shares) + " shares";
}

// "tpm OR 3 of 5 shares"
std::string access_in_words(const std::vector<SlotRecord>& slots) {
  std::string ways, approval;
  for (const SlotRecord& slot : slots) {
    if (slot.unreadable) continue;
    std::string way = slot.kind;
    if (!is_device(slot)) {
      const auto policy = SharePolicy::deserialize(slot.policy);
      way = policy.ok() ? shares_in_words(*policy) : "shares (unreadable)";
    }
    if (slot.may_unseal())
      ways += (ways.empty() ? "" : " OR ") + way;
    else
      approval = " (" + way + " approve operations and cannot open it)";
  }
  return ways + approval;
}

void add_share_counts(const std::vector<SlotRecord>& slots, SealStatus& out) {
  const SlotRecord* const slot = find_shamir(slots);
  if (slot == nullptr) return;
  const auto policy = SharePolicy::deserialize(slot->policy);
  if (!policy.ok()) return;
  out.t = policy->threshold;
  out.n = policy->shares;
}

void add_type(const std::vector<SlotRecord>& slots, SealStatus& out) {
  const auto device = std::find_if(slots.begin(), slots.end(), is_device);
  if (device == slots.end()) return;
  out.type = device->kind;
  out.recovery_seal = true;
}

void add_warnings(const std::vector<SlotRecord>& slots, SealStatus& out) {
  const bool shares_open = std::any_of(slots.begin(), slots.end(), [](const SlotRecord& slot) {
    return is_shares(slot) && slot.may_unseal();
  });
  const auto devices = std::count_if(slots.begin(), slots.end(), is_device);
  for (const SlotRecord& slot : slots)
    if (slot.kind == "static")
      out.warnings.push_back(
          "seal \"static\": no hardware protection; whoever reads the key file "
          "opens the vault");
  if (!shares_open && devices == 1)
    out.warnings.push_back("the " + out.type +
                           " is the only way in: if it is lost, so is the data");
}

// Those that the registry, where it was opened, does not contradict: what else is stored is no way
// in.
std::vector<SlotRecord> ways_in(const Records& records,
                                const std::map<SlotId, std::string>& strays) {
  std::vector<SlotRecord> ways;
  for (const SlotRecord& slot : records.slots)
    if (strays.count(slot.id) == 0) ways.push_back(slot);
  return ways;
}

}  // namespace

SealStatus Seal::status() const {
  SealStatus out;
  MutexLock lock(state_->mutex);
  if (!state_->records) {  // what init would make of it
    out.recovery_seal = !protectors_.empty();
    if (out.recovery_seal) out.type = protectors_.front()->kind();
    return out;
  }
  const Records& records = *state_->records;
  out.initialized = true;
  out.type = "shamir";
  out.cluster_name = records.store.cluster_name;
  out.cluster_id = records.store.cluster_id;
  const std::vector<SlotRecord> ways = ways_in(records, state_->strays);
  out.access = access_in_words(ways);
  add_type(ways, out);
  add_share_counts(ways, out);
  add_warnings(ways, out);
  if (state_->unseal && state_->unseal->progress() > 0) {
    out.progress = state_->unseal->progress();
    out.nonce = state_->unseal->nonce();
  }
  out.degraded = state_->opened_by_shares;
  for (const SlotRecord& slot : records.slots) {
    const auto answer = state_->answers.find(slot.id);
    out.slots.push_back(
        status_of(slot, answer == state_->answers.end() ? DeviceAnswer{} : answer->second));
    if (const auto stray = state_->strays.find(slot.id); stray != state_->strays.end()) {
      out.slots.back().state = DeviceState::tampered;
      out.slots.back().message = stray->second;
      out.slots.back().may_unseal = false;
    }
    const DeviceState state = out.slots.back().state;
    out.degraded |= state != DeviceState::ok && state != DeviceState::unknown;
  }
  for (const SlotEntry& gone : state_->missing)
    out.warnings.push_back("seal slot " + short_id(gone.id) + ": " + kIsGone);
  out.degraded |= !state_->missing.empty();
  for (const auto& [device, message] : state_->not_enrolled) out.not_enrolled.push_back(message);
  return out;
}

SlotStatus Seal::status_of(const SlotRecord& slot, const DeviceAnswer& answer) const {
  SlotStatus out;
  out.id = hex(slot.id);
  out.kind = slot.kind;
  out.identity = slot.identity;
  out.state = answer.state;
  out.message = answer.message;
  out.generation = slot.generation;
  out.may_unseal = slot.may_unseal();
  out.configured = !is_device(slot);
  for (const auto& protector : protectors_) {
    if (protector->kind() != slot.kind) continue;
    out.configured = true;
    out.hardware |= protector->is_hardware();
  }
  if (slot.unreadable) {
    out.state = DeviceState::tampered;
    out.message = kCannotBeRead;
  }
  // Shares need no device to be well.
  if (is_shares(slot) && out.state == DeviceState::unknown) out.state = DeviceState::ok;
  return out;
}

}  // namespace leasehold::seal
