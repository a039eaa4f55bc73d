#pragma once
// The replacement of a vault's shares, as it goes on over several requests: begun, approved by
// holders of the old shares one by one, and, where that was asked for, confirmed by holders of the
// new ones before anything changes. Until the last step is committed the old shares stay valid. The
// state lies in memory, so a seal or a crash in between ends the rekey and changes nothing.
//
//   idle --begin--> collecting --last old share--> [verifying --last new share-->] done --> idle
//
//   VAULT_TRY_ASSIGN(Rekey::Step step, rekey.give(std::move(share), nonce, registry_key));
//   if (step.slot) { seal.place(batch, *step.slot, registry_key); … rekey.installed(*step.slot); }
//
// A step that gives a slot may be taken again with the same share, after a conflict: it counts when
// installed() is called. Thread safety: every method from any thread.

#include "vault/base/mutex.h"
#include "vault/seal/seal.h"

namespace leasehold::seal {

class Rekey {
 public:
  explicit Rekey(Seal& seal, Random& random) : seal_(seal), random_(random) {}

  struct Plan {
    unsigned shares = 0, threshold = 0;
    bool verified = false;  // the new shares must be shown once before they count
  };
  // Code::invalid with Vault's words.
  Status begin(const Plan& plan);
  void cancel();

  struct Progress {
    bool started = false;
    std::string nonce;
    Plan plan;
    unsigned progress = 0, required = 0;
    std::string verification_nonce;  // empty until the new shares were made
    unsigned verified = 0;           // of the new shares, so far
  };
  Progress progress() const;

  struct Step {
    std::optional<SlotRecord> slot;   // replaces the stored one: the operation is complete with it
    std::vector<SecretBytes> shares;  // the new ones, when this step made them
    std::string verification_nonce;
    Progress progress;
  };
  Result<Step> give(SecretBytes share, std::string_view nonce, const crypto::Key& registry_key);
  Result<Step> verify(SecretBytes new_share, std::string_view nonce);
  // The new shares have to be shown from the first again; the new nonce.
  Status restart_verification();
  // The slot of a step is stored.
  void installed(const SlotRecord& slot);

 private:
  struct Confirmation {
    SlotRecord slot;
    Quorum quorum;
  };
  Progress progress_now() const REQUIRES(mutex_);

  Seal& seal_;
  Random& random_;
  mutable Mutex mutex_;
  Plan plan_ GUARDED_BY(mutex_);
  std::optional<Quorum> approval_ GUARDED_BY(mutex_);
  std::optional<Confirmation> confirmation_ GUARDED_BY(mutex_);
};

// "incorrect nonce supplied; nonce for this rekey operation is …"
Error wrong_nonce(std::string_view operation, const std::string& nonce);

}  // namespace leasehold::seal
