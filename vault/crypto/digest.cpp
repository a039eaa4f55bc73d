#include "vault/crypto/digest.h"

#include <openssl/evp.h>

#include "vault/base/result.h"

namespace leasehold::crypto {

namespace {

struct Row {
  std::string_view name;
  const EVP_MD* (*make)();
};
constexpr Row kDigests[] = {
    {"sha2-224", EVP_sha224},   {"sha2-256", EVP_sha256},   {"sha2-384", EVP_sha384},
    {"sha2-512", EVP_sha512},   {"sha3-224", EVP_sha3_224}, {"sha3-256", EVP_sha3_256},
    {"sha3-384", EVP_sha3_384}, {"sha3-512", EVP_sha3_512},
};

}  // namespace

std::optional<Bytes> digest(std::string_view algorithm, ByteView bytes) {
  for (const Row& row : kDigests) {
    if (row.name != algorithm) continue;
    Bytes out(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    VAULT_ASSERT(EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, row.make(), nullptr) ==
                 1);
    out.resize(size);
    return out;
  }
  return std::nullopt;
}

}  // namespace leasehold::crypto
