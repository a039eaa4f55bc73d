#include "vault/crypto/ed25519.h"

#include <sodium.h>

namespace leasehold::crypto {
namespace {

// libsodium's secret key is the seed followed by the public key; made for one call and wiped.
struct Pair {
  explicit Pair(ByteView seed) {
    VAULT_ASSERT(seed.size() == crypto_sign_SEEDBYTES);
    crypto_sign_seed_keypair(open.data(), secret.writable().data(), seed.data());
  }
  PublicKey open{};
  SecretBytes secret = SecretBytes(std::size_t{crypto_sign_SECRETKEYBYTES});
};

}  // namespace

PublicKey ed25519_public(ByteView seed) { return Pair(seed).open; }

Signature ed25519_sign(ByteView seed, ByteView message) {
  const Pair pair(seed);
  Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, message.data(), message.size(),
                       pair.secret.reveal().data());
  return signature;
}

bool ed25519_verify(const PublicKey& key, ByteView message, ByteView signature) {
  return signature.size() == crypto_sign_BYTES &&
         crypto_sign_verify_detached(signature.data(), message.data(), message.size(),
                                     key.data()) == 0;
}

}  // namespace leasehold::crypto
