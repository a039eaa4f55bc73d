#pragma once
// Collects shares of one shamir slot until enough are there. A share is recognised by its hash when
// it arrives: a repeated one changes nothing, a foreign one is named and refused, the others stay.
//
//   Quorum quorum(slot, nonce);
//   VAULT_TRY(quorum.add(std::move(share)));
//   if (quorum.complete()) ... quorum.secret()
//
// Thread safety: none, one thread at a time.

#include "vault/seal/slot.h"

namespace leasehold::seal {

// Lengths of a share: the bare 32-byte secret when one share is all there is, else secret and x.
inline constexpr std::size_t kShareMin = 16;
inline constexpr std::size_t kShareMax = 33;

// `nonce` names this collection to those who take part in it (a UUID).
class Quorum {
 public:
  // The record's policy must be a SharePolicy.
  static Result<Quorum> from(SlotRecord slot, std::string nonce);

  // Code::invalid for a share that is not of this slot.
  Status add(SecretBytes share);
  void reset(std::string nonce);
  bool complete() const { return given_.size() >= policy_.threshold; }
  unsigned progress() const { return static_cast<unsigned>(given_.size()); }
  unsigned required() const { return policy_.threshold; }
  unsigned shares() const { return policy_.shares; }
  const std::string& nonce() const { return nonce_; }
  const SlotRecord& slot() const { return slot_; }
  // Of a complete quorum: the slot's key-encryption key.
  Result<SecretBytes> secret() const;

 private:
  Quorum(SlotRecord slot, SharePolicy policy, std::string nonce);
  std::string text_about(const crypto::Digest& hash, std::size_t size) const;

  SlotRecord slot_;
  SharePolicy policy_;
  std::string nonce_;
  std::vector<SecretBytes> given_;
};

// Splits `secret` and writes the policy that recognises the shares. 1 of 1: the share is the
// secret.
struct Split {
  std::vector<SecretBytes> shares;
  SharePolicy policy;
};
// Code::invalid with Vault's words when the counts do not fit.
Status check_share_counts(unsigned shares, unsigned threshold);
Result<Split> split(ByteView secret, unsigned shares, unsigned threshold, Random& random);

}  // namespace leasehold::seal
