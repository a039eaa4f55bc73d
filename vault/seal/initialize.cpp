// sys/init: a root key, its slots, the key registry.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/seal/seal.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

Result<RecoveryMode> parse_recovery_mode(std::string_view text) {
  if (text == "unseal") return RecoveryMode::unseal;
  if (text == "authorize") return RecoveryMode::authorize;
  if (text == "none") return RecoveryMode::none;
  return failure(Code::invalid, "recovery_mode must be \"unseal\", \"authorize\" or \"none\"");
}

namespace {

StoreDescription describe_store(const InitOptions& options, Random& random, Clock& clock) {
  StoreDescription store;
  store.id = random.take<16>();
  store.created = clock.now();
  store.cluster_id = uuid(random);
  store.cluster_name = options.cluster_name.empty() ? "vault-cluster-" + hex(random.take<4>())
                                                    : options.cluster_name;
  return store;
}

Status check_init(const InitOptions& options, bool has_devices) {
  if (!has_devices && options.recovery_mode != RecoveryMode::unseal)
    return failure(Code::invalid,
                   "without a seal device the shares are the only way in; leave "
                   "recovery_mode at \"unseal\"");
  if (has_devices && (options.recovery_mode == RecoveryMode::none ||
                      (options.shares == 0 && options.threshold == 0)))
    return {};
  return check_share_counts(options.shares, options.threshold);
}

bool wants_shares(const InitOptions& options) {
  return options.recovery_mode != RecoveryMode::none && options.shares > 0;
}

// The slot of the shares. Its key is made here, split, and gone.
Result<SlotRecord> make_shamir(const InitOptions& options, bool may_unseal, const StoreId& store,
                               const crypto::Key& root, Random& random,
                               std::vector<SecretBytes>& shares) {
  SlotRecord slot = new_slot(store, "shamir", random);
  SecretBytes kek(crypto::kKeySize);
  random.fill(kek.writable());
  VAULT_TRY_ASSIGN(Split parts, split(kek.reveal(), options.shares, options.threshold, random));
  slot.policy = parts.policy.serialize();
  slot.capabilities = may_unseal ? std::uint8_t{kMayUnseal | kMayAuthorize} : kMayAuthorize;
  if (may_unseal)
    slot.close(kek.reveal(), root, random);
  else
    slot.attest(registry_key(root), random);
  shares = std::move(parts.shares);
  return slot;
}

}  // namespace

Result<std::vector<SlotRecord>> Seal::make_slots(const InitOptions& options, const StoreId& store,
                                                 const crypto::Key& root, Initialized& out) {
  std::vector<SlotRecord> slots;
  for (const auto& protector : protectors_) {
    VAULT_TRY_ASSIGN(auto slot, enroll(*protector, new_slot(store, protector->kind(), random_),
                                       root, kDeviceTimeout));
    slots.push_back(std::move(slot));
  }
  out.shares_are_recovery = !slots.empty();
  if (!wants_shares(options)) return slots;
  const bool may_unseal = slots.empty() || options.recovery_mode == RecoveryMode::unseal;
  VAULT_TRY_ASSIGN(auto slot, make_shamir(options, may_unseal, store, root, random_, out.shares));
  remember(slot.id, {DeviceState::ok, {}, {}});
  slots.push_back(std::move(slot));
  return slots;
}

Result<Initialized> Seal::initialize(const InitOptions& options) {
  MutexLock changing(state_->changing);
  if (initialized()) return failure(Code::invalid, "Vault is already initialized");
  VAULT_TRY(check_init(options, !protectors_.empty()));
  crypto::Key root;
  random_.fill(root.writable());
  Records records;
  records.provisional = options.provisional;
  records.store = describe_store(options, random_, clock_);
  Initialized out;
  VAULT_TRY_ASSIGN(records.slots, make_slots(options, records.store.id, root, out));
  Registry registry;
  registry.keys = barrier::KeyRing::generate(random_);
  for (const SlotRecord& slot : records.slots) registry.list(entry_of(slot));
  records.registry = close_registry(records.store, registry, registry_key(root), random_);
  // Opens what it is about to write: a store nobody can open must not come to be.
  VAULT_TRY_ASSIGN(out.opened, open_store(records, root, records.slots.front(), "initialization"));
  storage::Batch batch;
  add_initial(batch, records);
  const Status written = commit_alone(storage_, batch);
  if (written.is(Code::conflict)) return not_empty();
  VAULT_TRY(written);
  MutexLock lock(state_->mutex);
  state_->records = std::move(records);
  state_->strays.clear();
  state_->missing.clear();
  state_->unseal = state_->new_unseal();
  return out;
}

// Another process was first; or the storage has lost its seal and nothing else.
Error Seal::not_empty() const {
  const auto snapshot = storage_.snapshot();
  if (!snapshot.ok()) return snapshot.error();
  const auto store = (*snapshot)->get(store_key().view());
  if (!store.ok()) return store.error();
  if (*store) return failure(Code::invalid, "Vault is already initialized");
  return failure(Code::invalid,
                 "the storage is not empty, and the records of its seal are gone: restore it from "
                 "a backup, or name another storage for a new vault");
}

bool Seal::provisional() const {
  MutexLock lock(state_->mutex);
  return state_->records && state_->records->provisional;
}

void Seal::settle(storage::Batch& batch) { batch.erase(provisional_key().view()); }

void Seal::settled() {
  MutexLock lock(state_->mutex);
  if (state_->records) state_->records->provisional = false;
}

Status Seal::undo_initialize() {
  MutexLock changing(state_->changing);
  VAULT_TRY(storage_.ready());
  VAULT_TRY(erase_everything(storage_));
  MutexLock lock(state_->mutex);
  state_->records.reset();
  state_->unseal.reset();
  state_->answers.clear();
  return {};
}

}  // namespace leasehold::seal
