#include "vault/seal/quorum.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/crypto/shamir.h"

namespace leasehold::seal {

Quorum::Quorum(SlotRecord slot, SharePolicy policy, std::string nonce)
    : slot_(std::move(slot)), policy_(std::move(policy)), nonce_(std::move(nonce)) {}

Result<Quorum> Quorum::from(SlotRecord slot, std::string nonce) {
  if (slot.kind != "shamir") return failure(Code::invalid, "only a shamir slot has shares");
  VAULT_TRY_ASSIGN(SharePolicy policy, SharePolicy::deserialize(slot.policy));
  return Quorum(std::move(slot), std::move(policy), std::move(nonce));
}

// The fingerprint is of a salted hash of a random share: it tells holders apart and tells no
// secret.
std::string Quorum::text_about(const crypto::Digest& hash, std::size_t size) const {
  return "this share (fingerprint " + hex(ByteView(hash).first(4)) + ", " + std::to_string(size) +
         " bytes) is not one of this vault's current " + std::to_string(policy_.shares) +
         " shares: it may be mistyped, from another vault, or from before a rekey; the " +
         std::to_string(given_.size()) + " of " + std::to_string(policy_.threshold) +
         " already given are kept";
}

Status Quorum::add(SecretBytes share) {
  if (share.size() < kShareMin || share.size() > kShareMax)
    return failure(Code::invalid,
                   "a share has 16 to 33 bytes; this one has " + std::to_string(share.size()));
  const crypto::Digest hash = policy_.hash_of(share.reveal());
  if (std::find(policy_.hashes.begin(), policy_.hashes.end(), hash) == policy_.hashes.end())
    return failure(Code::invalid, text_about(hash, share.size()));
  const bool repeated = std::any_of(given_.begin(), given_.end(),
                                    [&](const SecretBytes& other) { return other == share; });
  if (!repeated && !complete()) given_.push_back(std::move(share));
  return {};
}

void Quorum::reset(std::string nonce) {
  given_.clear();
  nonce_ = std::move(nonce);
}

Result<SecretBytes> Quorum::secret() const {
  if (!complete()) return failure(Code::invalid, "more shares are needed");
  if (policy_.threshold == 1) return given_.front().clone();
  return crypto::shamir_combine(given_);
}

Status check_share_counts(unsigned shares, unsigned threshold) {
  if (shares < 1) return failure(Code::invalid, "shares must be at least one");
  if (threshold < 1) return failure(Code::invalid, "threshold must be at least one");
  if (shares > crypto::kSharesMax) return failure(Code::invalid, "shares must be less than 256");
  if (threshold > shares) return failure(Code::invalid, "threshold cannot be larger than shares");
  if (shares > 1 && threshold == 1)
    return failure(Code::invalid, "threshold must be greater than one for multiple shares");
  return {};
}

Result<Split> split(ByteView secret, unsigned shares, unsigned threshold, Random& random) {
  VAULT_TRY(check_share_counts(shares, threshold));
  Split out;
  if (shares == 1) {
    out.shares.emplace_back(secret);
  } else {
    VAULT_TRY_ASSIGN(out.shares, crypto::shamir_split(secret, shares, threshold, random));
  }
  out.policy.shares = static_cast<std::uint8_t>(shares);
  out.policy.threshold = static_cast<std::uint8_t>(threshold);
  out.policy.salt = random.take<16>();
  for (const SecretBytes& share : out.shares)
    out.policy.hashes.push_back(out.policy.hash_of(share.reveal()));
  return out;
}

}  // namespace leasehold::seal
