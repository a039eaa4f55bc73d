#include "vault/seal/rekey.h"

#include "vault/base/encoding.h"

namespace leasehold::seal {

namespace {

Error not_in_progress() { return failure(Code::invalid, "no rekey in progress"); }

}  // namespace

Error wrong_nonce(std::string_view operation, const std::string& nonce) {
  return failure(Code::invalid, "incorrect nonce supplied; nonce for this " +
                                    std::string(operation) + " operation is \"" + nonce + "\"");
}

Status Rekey::begin(const Plan& plan) {
  VAULT_TRY(check_share_counts(plan.shares, plan.threshold));
  MutexLock lock(mutex_);
  if (approval_) return failure(Code::invalid, "rekey already in progress");
  approval_ = seal_.new_quorum();
  if (!approval_)
    return failure(Code::invalid,
                   "this vault has no shares whose holders could approve a rekey, or their stored "
                   "slot was changed");
  plan_ = plan;
  return {};
}

void Rekey::cancel() {
  MutexLock lock(mutex_);
  approval_.reset();
  confirmation_.reset();
}

Rekey::Progress Rekey::progress() const {
  MutexLock lock(mutex_);
  return progress_now();
}

Rekey::Progress Rekey::progress_now() const {
  Progress out;
  out.started = approval_.has_value();
  if (approval_) {
    out.plan = plan_;
    out.nonce = approval_->nonce();
    out.progress = approval_->progress();
    out.required = approval_->required();
  } else if (const auto idle = seal_.new_quorum()) {
    out.required = idle->required();
  }
  if (confirmation_) {
    out.verification_nonce = confirmation_->quorum.nonce();
    out.verified = confirmation_->quorum.progress();
  }
  return out;
}

Result<Rekey::Step> Rekey::give(SecretBytes share, std::string_view nonce,
                                const crypto::Key& registry_key) {
  MutexLock lock(mutex_);
  if (!approval_) return not_in_progress();
  if (nonce != approval_->nonce()) return wrong_nonce("rekey", approval_->nonce());
  if (confirmation_)
    return failure(Code::invalid, "the new shares are made: verify them, or cancel the rekey");
  VAULT_TRY(approval_->add(std::move(share)));
  Step step;
  if (approval_->complete()) {
    VAULT_TRY_ASSIGN(auto rekeyed,
                     seal_.rekey(*approval_, plan_.shares, plan_.threshold, registry_key));
    step.shares = std::move(rekeyed.shares);
    if (plan_.verified) {
      VAULT_TRY_ASSIGN(Quorum quorum, Quorum::from(rekeyed.slot, uuid(random_)));
      step.verification_nonce = quorum.nonce();
      confirmation_.emplace(Confirmation{std::move(rekeyed.slot), std::move(quorum)});
    } else {
      step.slot = std::move(rekeyed.slot);
    }
  }
  step.progress = progress_now();
  return step;
}

Result<Rekey::Step> Rekey::verify(SecretBytes new_share, std::string_view nonce) {
  MutexLock lock(mutex_);
  if (!confirmation_) return failure(Code::invalid, "no rekey verification in progress");
  Quorum& quorum = confirmation_->quorum;
  if (nonce != quorum.nonce()) return wrong_nonce("verify", quorum.nonce());
  VAULT_TRY(quorum.add(std::move(new_share)));
  Step step;
  if (quorum.complete()) {
    VAULT_TRY_ASSIGN(const SecretBytes kek, quorum.secret());
    if (confirmation_->slot.may_unseal()) VAULT_TRY(confirmation_->slot.open(kek.reveal()));
    step.slot = confirmation_->slot;
  }
  step.verification_nonce = quorum.nonce();
  step.progress = progress_now();
  return step;
}

Status Rekey::restart_verification() {
  MutexLock lock(mutex_);
  if (!confirmation_) return failure(Code::invalid, "no rekey verification in progress");
  confirmation_->quorum.reset(uuid(random_));
  return {};
}

void Rekey::installed(const SlotRecord& slot) {
  seal_.installed(slot);
  cancel();
}

}  // namespace leasehold::seal
