#pragma once
// The policy bytes of a "pkcs11" slot: which token and key, how they are used, and the salt or box.
// DO NOT CHANGE THE FORMAT: it is on users' disks. Add a version.

#include <string>

#include "vault/base/bytes.h"
#include "vault/base/result.h"

namespace leasehold::keyhost::pkcs11 {

// DO NOT CHANGE A VALUE.
enum class Mode : std::uint8_t {
  aes_gcm = 1,   // `nonce` is the 12-byte IV the token used, `box` ciphertext and tag
  hmac_kdf = 2,  // `nonce` is a 32-byte salt, `box` is empty
};
std::string_view to_text(Mode mode);

struct SlotPolicy {
  Mode mode = Mode::aes_gcm;
  std::string serial;  // of the token
  std::string key_label;
  Bytes key_id;
  Bytes nonce;
  Bytes box;

  Bytes serialize() const;
  static Result<SlotPolicy> deserialize(ByteView bytes);
};

}  // namespace leasehold::keyhost::pkcs11
