#include "vault/crypto/aead.h"

#include <sodium.h>

namespace leasehold::crypto {

static_assert(kKeySize == crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
static_assert(kNonceSize == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
static_assert(kTagSize == crypto_aead_xchacha20poly1305_ietf_ABYTES);

void seal(ByteView key, ByteView plain, ByteView aad, Random& random, Bytes& out) {
  VAULT_ASSERT(key.size() == kKeySize);
  const std::size_t start = out.size();
  out.resize(start + kBoxOverhead + plain.size());
  std::uint8_t* const nonce = out.data() + start;
  random.fill({nonce, kNonceSize});
  unsigned long long written = 0;
  crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + kNonceSize, &written, plain.data(),
                                             plain.size(), aad.data(), aad.size(), nullptr, nonce,
                                             key.data());
  VAULT_ASSERT(written == plain.size() + kTagSize);
}

Result<SecretBytes> open(ByteView key, ByteView box, ByteView aad) {
  VAULT_ASSERT(key.size() == kKeySize);
  if (box.size() < kBoxOverhead) return failure(Code::invalid, "the sealed value is too short");
  const ByteView sealed = box.subspan(kNonceSize);
  SecretBytes plain(sealed.size() - kTagSize);
  unsigned long long written = 0;
  const int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
      plain.writable().data(), &written, nullptr, sealed.data(), sealed.size(), aad.data(),
      aad.size(), box.data(), key.data());
  if (failed != 0)
    return failure(Code::invalid, "the sealed value was changed, or was sealed with another key");
  VAULT_ASSERT(written == plain.size());
  return plain;
}

}  // namespace leasehold::crypto
