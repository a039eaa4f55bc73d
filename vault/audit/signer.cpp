#include "vault/audit/signer.h"

#include "vault/audit/chain_records.h"
#include "vault/base/encoding.h"

namespace leasehold::audit {

Signer::Named Signer::name(const crypto::PublicKey& named) {
  const bool first = !key_;
  if (first || (given_ && is_the_given() && !has_signed_)) key_ = named;
  if (*key_ != named) return Named::another;
  return first ? Named::first : Named::known;
}

bool Signer::vouches(const ParsedLine& line, const Json& checkpoint, std::string& why) {
  const auto covered = position_at(checkpoint, "signed_seq", "signed_hash");
  const auto signature = from_hex(checkpoint.string_at("signature"));
  const auto store_id = from_hex(checkpoint.string_at("store_id"));
  if (!covered || !signature || !store_id) {
    why = "the checkpoint cannot be read";
  } else if (covered->seq + 1 != line.seq || covered->hash != line.previous) {
    why = "the checkpoint speaks of another line than the one before it";
  } else if (key_) {
    const Bytes message = checkpoint_message(*store_id, covered->seq, covered->hash);
    if (crypto::ed25519_verify(*key_, message, *signature)) return has_signed_ = true;
    why = "the signature of the checkpoint is not by this key";
  }
  return false;
}

std::string Signer::refusal() const {
  if (!given_) return {};
  const std::string given = hex(*given_);
  if (is_the_given())
    return has_signed_ ? std::string() : "nothing in these files is signed by the key " + given;
  const std::string theirs = hex(*key_);
  if (has_signed_)
    return "these files are signed by the key " + theirs + "; the key given is " + given +
           ": they are another vault's, or the key is";
  return "these files name the key " + theirs + "; the key given is " + given +
         ": nothing in them is signed by either";
}

std::string Signer::shown_key() const {
  if (given_) return hex(*given_);
  return key_ ? hex(*key_) : std::string();
}

std::string Signer::signed_by() const { return has_signed_ ? hex(*key_) : std::string(); }

}  // namespace leasehold::audit
