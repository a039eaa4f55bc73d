#pragma once
// The random keys of a store, each with its own purpose, wrapped as one registry by the root key
// (vault/seal). Lives in the locked arena. Immutable once shared; rotation makes a new one.

#include <map>

#include "vault/crypto/aead.h"

namespace leasehold::barrier {

struct KeyRing {
  std::uint32_t term = 1;                     // newest data key; new records are sealed with it
  std::map<std::uint32_t, crypto::Key> data;  // by term
  crypto::Key index;                          // names to keys (keyed BLAKE2b)
  crypto::Key multiset;                       // head record
  crypto::Key token;                          // accessor of a token, key of an accessor
  crypto::Key batch_token;  // with each data key: what batch tokens are sealed with
  crypto::Key audit_hmac;   // HMAC of values in the audit log
  crypto::Key audit_sign;   // Ed25519 seed for checkpoints

  static KeyRing generate(Random& random);
  KeyRing clone() const;
  // Fixed order, versioned: format.h `kRegistryFormat`.
  SecretBytes serialize() const;
  static Result<KeyRing> deserialize(ByteView bytes);
};

}  // namespace leasehold::barrier
