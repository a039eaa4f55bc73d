#include "vault/seal/seal.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

const SlotRecord* find_shamir(const std::vector<SlotRecord>& slots) {
  for (const SlotRecord& slot : slots)
    if (is_shares(slot)) return &slot;
  return nullptr;
}

std::string short_id(const SlotId& id) { return hex(ByteView(id).first(4)); }

const SlotRecord* Seal::State::shares() const {
  if (!records) return nullptr;
  for (const SlotRecord& slot : records->slots)
    if (is_shares(slot) && strays.count(slot.id) == 0) return &slot;
  return find_shamir(records->slots);
}

std::optional<Quorum> Seal::State::new_unseal() const {
  const SlotRecord* const slot = shares();
  if (slot == nullptr || !slot->may_unseal()) return std::nullopt;
  auto quorum = Quorum::from(*slot, {});
  if (!quorum.ok()) return std::nullopt;
  return std::move(*quorum);
}

void Seal::State::choose_slot(const SecretBytes& first_share) {
  for (const SlotRecord& slot : records->slots) {
    if (!is_shares(slot) || !slot.may_unseal()) continue;
    auto quorum = Quorum::from(slot, {});
    if (!quorum.ok() || !quorum->add(first_share.clone()).ok()) continue;
    quorum->reset({});
    unseal = std::move(*quorum);
    return;
  }
}

SlotRecord new_slot(const StoreId& store, std::string_view kind, Random& random) {
  SlotRecord slot;
  slot.store = store;
  slot.id = random.take<16>();
  slot.kind = kind;
  return slot;
}

Result<Opened> open_store(const Records& records, const crypto::Key& root,
                          const SlotRecord& through, std::string by) {
  Opened opened;
  opened.registry_key = registry_key(root);
  VAULT_TRY_ASSIGN(Registry registry,
                   open_registry(records.store, records.registry, opened.registry_key));
  if (registry.slots)
    if (const auto why = disagreement(*registry.slots, through))
      return failure(Code::invalid, *why);
  opened.slots = std::move(registry.slots);
  opened.keys = std::move(registry.keys);
  opened.store = records.store;
  opened.through = through;
  opened.by = std::move(by);
  opened.root = root.clone();
  return opened;
}

namespace {

Error no_shares_open(const Records& records) {
  if (find_shamir(records.slots) != nullptr)
    return failure(Code::invalid,
                   "the shares of this vault approve operations and cannot open it (recovery mode "
                   "\"authorize\"): bring the seal device back");
  if (std::any_of(records.slots.begin(), records.slots.end(),
                  [](const SlotRecord& slot) { return slot.unreadable; }))
    return failure(Code::invalid,
                   "a stored slot of this vault cannot be read, which may be that of its shares: "
                   "restore the store from a backup, or bring the seal device back");
  return failure(Code::invalid, "this vault has no shares: bring the seal device back");
}

}  // namespace

Seal::Seal(storage::Storage& storage, Random& random, Clock& clock, LogSink& log,
           Protectors protectors)
    : storage_(storage),
      random_(random),
      clock_(clock),
      log_(log),
      protectors_(std::move(protectors)),
      state_(std::make_unique<State>()) {}

Seal::~Seal() = default;

Status Seal::load() {
  VAULT_TRY_ASSIGN(auto snapshot, storage_.snapshot());
  VAULT_TRY_ASSIGN(auto records, read_records(*snapshot));
  if (records) {
    arrange(records->slots);
    for (const SlotRecord& slot : records->slots)
      if (slot.unreadable) log_.error("seal slot {}: {}", short_id(slot.id), kCannotBeRead);
  }
  MutexLock lock(state_->mutex);
  state_->records = std::move(records);
  state_->unseal = state_->new_unseal();
  return {};
}

// Devices in the order of the configuration, the shares last: the order of trying and of every
// status.
void Seal::arrange(std::vector<SlotRecord>& slots) const {
  const auto rank = [this](const SlotRecord& slot) {
    std::size_t at = 0;
    while (at < protectors_.size() && protectors_[at]->kind() != slot.kind) ++at;
    return is_device(slot) ? at : protectors_.size() + 1;
  };
  std::stable_sort(slots.begin(), slots.end(),
                   [&](const SlotRecord& a, const SlotRecord& b) { return rank(a) < rank(b); });
}

bool Seal::initialized() const {
  MutexLock lock(state_->mutex);
  return state_->records.has_value();
}

Seal::Cluster Seal::cluster() const {
  MutexLock lock(state_->mutex);
  if (!state_->records) return {};
  return {state_->records->store.cluster_name, state_->records->store.cluster_id};
}

bool Seal::has_device_slot() const {
  MutexLock lock(state_->mutex);
  return state_->records &&
         std::any_of(state_->records->slots.begin(), state_->records->slots.end(), is_device);
}

namespace {

Result<Opened> opened_by_shares(const Records& records, const Quorum& quorum) {
  VAULT_TRY_ASSIGN(const SecretBytes kek, quorum.secret());
  const auto root = quorum.slot().open(kek.reveal());
  if (!root.ok())
    return failure(Code::internal,
                   "the shares are right and do not open the vault: the stored slot was changed",
                   root.error().message);
  VAULT_TRY_ASSIGN(auto opened, open_store(records, *root, quorum.slot(),
                                           std::to_string(quorum.required()) + " of " +
                                               std::to_string(quorum.shares()) + " shares"));
  opened.degraded = std::any_of(records.slots.begin(), records.slots.end(), is_device);
  return opened;
}

}  // namespace

Result<Step> Seal::add_share(SecretBytes share) {
  MutexLock lock(state_->mutex);
  if (!state_->records) return failure(Code::invalid, "Vault is not initialized");
  if (!state_->unseal || state_->unseal->progress() == 0) state_->choose_slot(share);
  if (!state_->unseal) return no_shares_open(*state_->records);
  Quorum& quorum = *state_->unseal;
  if (quorum.progress() == 0) quorum.reset(uuid(random_));
  VAULT_TRY(quorum.add(std::move(share)));
  Step step;
  if (!quorum.complete()) return step;
  auto opened = opened_by_shares(*state_->records, quorum);
  quorum.reset({});
  if (!opened.ok()) return opened.error();
  state_->opened_by_shares = opened->degraded;
  state_->compare_slots(*state_->records, *opened, log_);
  step.opened = std::move(*opened);
  return step;
}

Status Seal::confirm(Opened& opened) {
  VAULT_TRY(load());
  std::optional<Records> records;
  {
    MutexLock lock(state_->mutex);
    records = state_->records;
  }
  if (!records || records->store.id != opened.store.id)
    return failure(Code::unavailable, "the storage holds another store than the one opened");
  opened.keys = {};  // one copy of them at a time
  auto again = open_store(*records, opened.root, opened.through, opened.by);
  if (again.is(Code::invalid))
    return failure(Code::invalid,
                   "what opened the vault was replaced since: begin again with what opens it now",
                   again.error().message);
  if (!again.ok()) return again.error();
  again->degraded = opened.degraded;
  opened = std::move(*again);
  return {};
}

void Seal::State::compare_slots(const Records& stored, const Opened& opened, LogSink& log) {
  strays.clear();
  missing.clear();
  if (!opened.slots) return;
  for (const SlotRecord& slot : stored.slots) {
    auto why = disagreement(*opened.slots, slot);
    if (!why) continue;
    log.error("seal slot {} ({}): {}", short_id(slot.id), slot.kind, *why);
    strays[slot.id] = std::move(*why);
  }
  missing = missing_from(*opened.slots, stored.slots);
  for (const SlotEntry& gone : missing) log.error("seal slot {}: {}", short_id(gone.id), kIsGone);
}

void Seal::reset_shares() {
  MutexLock lock(state_->mutex);
  if (state_->unseal) state_->unseal->reset({});
}

}  // namespace leasehold::seal
