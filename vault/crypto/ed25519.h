#pragma once
// Ed25519 (RFC 8032) by libsodium, for audit checkpoints. The key is its 32-byte seed.

#include <array>

#include "vault/base/bytes.h"

namespace leasehold::crypto {

using PublicKey = std::array<std::uint8_t, 32>;
using Signature = std::array<std::uint8_t, 64>;

PublicKey ed25519_public(ByteView seed);
Signature ed25519_sign(ByteView seed, ByteView message);
bool ed25519_verify(const PublicKey& key, ByteView message, ByteView signature);

}  // namespace leasehold::crypto
