#include "vault/crypto/shamir.h"

#include <doctest/doctest.h>

#include <set>

#include "tests/crypto/vectors.h"
#include "tests/support/seeded_random.h"

namespace leasehold::crypto {
namespace {

std::vector<SecretBytes> chosen(const std::vector<SecretBytes>& shares, unsigned subset) {
  std::vector<SecretBytes> out;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (subset >> i & 1u) out.push_back(shares[i].clone());
  }
  return out;
}

std::vector<SecretBytes> shares_of(std::initializer_list<const char*> texts) {
  std::vector<SecretBytes> out;
  for (const char* text : texts) out.emplace_back(ByteView(testing::from_vector(text)));
  return out;
}

TEST_CASE("shamir: every subset of at least the threshold gives the secret, no smaller one does") {
  testing::SeededRandom random;
  const Bytes secret = testing::counting(0, 16);
  for (unsigned threshold = 2; threshold <= 6; ++threshold) {
    const auto shares = shamir_split(secret, 6, threshold, random);
    REQUIRE(shares.ok());
    for (unsigned subset = 0; subset < 64; ++subset) {
      const auto some = chosen(*shares, subset);
      if (some.size() < 2) continue;
      const auto combined = shamir_combine(some);
      REQUIRE(combined.ok());
      CHECK(equal_constant_time(combined->reveal(), secret) == (some.size() >= threshold));
    }
  }
}

// By hand in the AES field: f(x) = 0x42 + 0x03 x, so f(1) = 0x41, f(2) = 0x44; and with 0x80 for
// 0x03, f(2) = 0x42 + 0x1b = 0x59, where the product is reduced by x^8 + x^4 + x^3 + x + 1.
TEST_CASE("shamir: shares computed by hand combine") {
  CHECK(hex(shamir_combine(shares_of({"4101", "4402"}))->reveal()) == "42");
  CHECK(hex(shamir_combine(shares_of({"c201", "5902"}))->reveal()) == "42");
}

TEST_CASE("shamir: 255 shares have 255 coordinates, and all of them are needed when asked") {
  testing::SeededRandom random;
  const Bytes secret = testing::counting(7, 3);
  auto shares = shamir_split(secret, 255, 255, random);
  REQUIRE(shares.ok());
  std::set<std::uint8_t> coordinates;
  for (const SecretBytes& share : *shares) coordinates.insert(share.reveal().back());
  CHECK(coordinates.size() == 255);
  CHECK(coordinates.count(0) == 0);
  CHECK(equal_constant_time(shamir_combine(*shares)->reveal(), secret));
}

TEST_CASE("shamir: what cannot be split is refused") {
  testing::SeededRandom random;
  const Bytes secret = testing::counting(0, 4);
  CHECK(shamir_split(secret, 5, 1, random).is(Code::invalid));
  CHECK(shamir_split(secret, 2, 3, random).is(Code::invalid));
  CHECK(shamir_split(secret, 256, 3, random).is(Code::invalid));
  CHECK(shamir_split({}, 5, 3, random).is(Code::invalid));
}

TEST_CASE("shamir: what cannot be combined is refused") {
  CHECK(shamir_combine({}).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"4101"})).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"4101", "440002"})).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"4101", "4401"})).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"4101", "4400"})).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"01", "02"})).is(Code::invalid));
  CHECK(shamir_combine(shares_of({"", ""})).is(Code::invalid));
}

}  // namespace
}  // namespace leasehold::crypto
