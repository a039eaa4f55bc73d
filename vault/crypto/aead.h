#pragma once
// Authenticated encryption for the barrier, the seal and wrapped answers: XChaCha20-Poly1305 (IETF
// draft-irtf-cfrg-xchacha-03) by libsodium. Callers see a box of nonce, ciphertext and tag and
// choose none of it. Thread-safe functions.

#include "vault/base/bytes.h"
#include "vault/base/random.h"

namespace leasehold::crypto {

inline constexpr std::size_t kKeySize = 32;
inline constexpr std::size_t kNonceSize = 24;
inline constexpr std::size_t kTagSize = 16;
inline constexpr std::size_t kBoxOverhead = kNonceSize + kTagSize;

using Key = SecretKey<kKeySize>;

// Appends nonce | ciphertext | tag to `out`. `key` is kKeySize bytes.
void seal(ByteView key, ByteView plain, ByteView aad, Random& random, Bytes& out);
// Code::invalid when the key, the bytes or the aad are not the ones it was sealed with.
Result<SecretBytes> open(ByteView key, ByteView box, ByteView aad);

}  // namespace leasehold::crypto
