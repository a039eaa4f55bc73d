#include <doctest/doctest.h>

#include "vault/crypto/password.h"

using namespace leasehold;
using crypto::bcrypt_cost;
using crypto::hash_password;
using crypto::verify_password;

TEST_CASE("password: a hash verifies its own password only, and no two hashes are alike") {
  const auto hash = hash_password("correct horse");
  REQUIRE(hash.ok());
  CHECK(hash->starts_with("$argon2id$"));
  CHECK(verify_password(*hash, "correct horse"));
  CHECK_FALSE(verify_password(*hash, "correct horsf"));
  CHECK_FALSE(verify_password(*hash, ""));
  CHECK(*hash_password("correct horse") != *hash);
}

// Vectors of crypt_blowfish 1.3 (wrapper.c), a third party's implementation.
TEST_CASE("password: of nothing, at no address, there is a hash too") {
  const auto hash = hash_password({});
  REQUIRE(hash.ok());
  CHECK(verify_password(*hash, {}));
  CHECK_FALSE(verify_password(*hash, "a"));
}

TEST_CASE("password: bcrypt hashes made elsewhere are verified") {
  constexpr const char* kHash = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
  CHECK(bcrypt_cost(kHash) == 5);
  CHECK(verify_password(kHash, "U*U"));
  CHECK_FALSE(verify_password(kHash, "U*V"));
  CHECK(verify_password("$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK", "U*U*"));
}

TEST_CASE("password: bcrypt does not cut a long password silently") {
  constexpr const char* kHash = "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui";
  const std::string password =
      "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  CHECK(verify_password(kHash, password));
  CHECK_FALSE(verify_password(kHash, password + "chars after 72 are ignored"));
}

TEST_CASE("password: texts that are no hash verify nothing") {
  for (const char* text : {"", "plain", "$argon2id$", "$2a$05$short", "$6$salt$hash", "$2z$05$"}) {
    CHECK_FALSE(verify_password(text, ""));
    CHECK_FALSE(verify_password(text, "plain"));
    CHECK_FALSE(bcrypt_cost(text));
  }
  CHECK_FALSE(bcrypt_cost("$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"));
  CHECK_FALSE(hash_password(std::string(crypto::kPasswordMax + 1, 'x')).ok());
}
