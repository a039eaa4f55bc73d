// What holders of shares approve in an open vault: new shares, a root token. Storage may have been
// written by others while the vault was down, so nothing that stands in the slot of the shares is
// believed by itself: the registry has to vouch for the record, and the shares have to open it.

#include "vault/base/encoding.h"
#include "vault/seal/seal.h"
#include "vault/seal/state.h"

namespace leasehold::seal {

std::optional<Quorum> Seal::new_quorum() const {
  MutexLock lock(state_->mutex);
  const SlotRecord* const slot = state_->shares();
  if (slot == nullptr || state_->strays.count(slot->id) > 0) return std::nullopt;
  const auto answer = state_->answers.find(slot->id);
  const bool asked = answer != state_->answers.end();
  const bool fits = asked ? answer->second.ok() : slot->may_unseal();
  if (!fits) return std::nullopt;
  auto quorum = Quorum::from(*slot, uuid(random_));
  if (!quorum.ok()) return std::nullopt;
  return std::move(*quorum);
}

// In status() and in the log as well: shares of its own that a slot was given have just been used.
Error Seal::does_not_prove(const SlotRecord& slot, std::string why) {
  log_.error("seal slot {} ({}): its shares were refused: {}", short_id(slot.id), slot.kind, why);
  MutexLock lock(state_->mutex);
  state_->strays[slot.id] = why;
  return failure(Code::invalid, "these shares approve nothing: " + std::move(why));
}

Status Seal::vouch_for(const SlotRecord& slot, const crypto::Key& registry_key) {
  return with_registry(registry_key, [&](const Records&, Registry& registry) -> Status {
    if (!registry.slots) return {};
    for (const SlotEntry& entry : *registry.slots)
      if (entry.id == slot.id && entry.generation > slot.generation)
        return failure(Code::invalid, "these shares were replaced by newer ones: begin again");
    if (const auto why = disagreement(*registry.slots, slot))
      return failure(Code::invalid, "these shares approve nothing: " + *why);
    return {};
  });
}

Status Seal::prove(const Quorum& quorum, const crypto::Key& registry_key) {
  const SlotRecord& slot = quorum.slot();
  if (slot.may_unseal())
    return with_root(quorum, registry_key, [](const crypto::Key&) { return Status(); });
  VAULT_TRY(vouch_for(slot, registry_key));
  VAULT_TRY(quorum.secret());  // they fit together; the record names each by its hash
  if (slot.verify(registry_key).ok()) return {};
  return does_not_prove(slot, "the stored slot is not one that this vault wrote");
}

Status Seal::with_root(const Quorum& quorum, const crypto::Key& registry_key,
                       FunctionRef<Status(const crypto::Key&)> use) {
  const SlotRecord& slot = quorum.slot();
  VAULT_TRY(vouch_for(slot, registry_key));
  VAULT_TRY_ASSIGN(const SecretBytes kek, quorum.secret());
  const auto root = slot.open(kek.reveal());
  // A record that others made may open, to a root key of their own.
  if (!root.ok() || !(seal::registry_key(*root) == registry_key))
    return does_not_prove(slot,
                          "they are those that the stored slot names, and do not open this vault: "
                          "the slot was changed behind the vault's back");
  return use(*root);
}

Result<Seal::Rekeyed> Seal::rekey(const Quorum& quorum, unsigned shares, unsigned threshold,
                                  const crypto::Key& registry_key) {
  VAULT_TRY(check_share_counts(shares, threshold));
  SecretBytes kek(crypto::kKeySize);
  random_.fill(kek.writable());
  VAULT_TRY_ASSIGN(Split parts, split(kek.reveal(), shares, threshold, random_));
  Rekeyed out{std::move(parts.shares), quorum.slot()};
  ++out.slot.generation;
  out.slot.policy = parts.policy.serialize();
  if (!quorum.slot().may_unseal()) {
    VAULT_TRY(prove(quorum, registry_key));
    out.slot.attest(registry_key, random_);
    return out;
  }
  VAULT_TRY(with_root(quorum, registry_key, [&](const crypto::Key& root) -> Status {
    out.slot.close(kek.reveal(), root, random_);
    return {};
  }));
  return out;
}

}  // namespace leasehold::seal
