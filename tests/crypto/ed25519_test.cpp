#include "vault/crypto/ed25519.h"

#include <doctest/doctest.h>

#include "tests/crypto/vectors.h"

namespace leasehold::crypto {
namespace {

using testing::from_vector;

struct Vector {
  const char* seed;
  const char* key;
  const char* message;
  const char* signature;
};
// Source: RFC 8032, section 7.1, TEST 1 to 3.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST_CASE("ed25519: the vectors of RFC 8032 hold") {
  for (const Vector& vector : kVectors) {
    const Bytes seed = from_vector(vector.seed);
    const Bytes message = from_vector(vector.message);
    const PublicKey key = ed25519_public(seed);
    CHECK(hex(key) == vector.key);
    const Signature signature = ed25519_sign(seed, message);
    CHECK(hex(signature) == vector.signature);
    CHECK(ed25519_verify(key, message, signature));
  }
}

TEST_CASE("ed25519: another message, key or signature does not verify") {
  const Bytes seed = from_vector(kVectors[1].seed);
  const PublicKey key = ed25519_public(seed);
  Signature signature = ed25519_sign(seed, as_bytes("checkpoint"));
  CHECK_FALSE(ed25519_verify(key, as_bytes("checkpoint "), signature));
  CHECK_FALSE(ed25519_verify(ed25519_public(from_vector(kVectors[0].seed)), as_bytes("checkpoint"),
                             signature));
  CHECK_FALSE(ed25519_verify(key, as_bytes("checkpoint"), ByteView(signature).first(63)));
  signature[0] ^= 1;
  CHECK_FALSE(ed25519_verify(key, as_bytes("checkpoint"), signature));
}

}  // namespace
}  // namespace leasehold::crypto
