#include "vault/seal/quorum.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"

using namespace leasehold;
using namespace leasehold::seal;

namespace {

struct Fixture {
  testing::SeededRandom random;
  SecretBytes secret{std::size_t{32}};
  Split parts;

  Fixture(unsigned shares, unsigned threshold) {
    random.fill(secret.writable());
    auto made = split(secret.reveal(), shares, threshold, random);
    REQUIRE(made.ok());
    parts = std::move(*made);
  }
  Quorum quorum() const {
    SlotRecord slot;
    slot.kind = "shamir";
    slot.policy = parts.policy.serialize();
    auto made = Quorum::from(slot, "nonce");
    REQUIRE(made.ok());
    return std::move(*made);
  }
};

}  // namespace

TEST_CASE("quorum: any three of five shares give the secret") {
  Fixture fixture(5, 3);
  Quorum quorum = fixture.quorum();
  for (const int i : {4, 0, 2}) {
    CHECK_FALSE(quorum.complete());
    REQUIRE(quorum.add(fixture.parts.shares[static_cast<std::size_t>(i)].clone()).ok());
  }
  REQUIRE(quorum.complete());
  CHECK(*quorum.secret() == fixture.secret);
  CHECK(fixture.parts.shares[0].size() == 33);
}

TEST_CASE("quorum: one share of one is the secret itself") {
  Fixture fixture(1, 1);
  CHECK(fixture.parts.shares[0] == fixture.secret);
  Quorum quorum = fixture.quorum();
  REQUIRE(quorum.add(fixture.secret.clone()).ok());
  CHECK(*quorum.secret() == fixture.secret);
}

TEST_CASE("quorum: a repeated share changes nothing") {
  Fixture fixture(3, 2);
  Quorum quorum = fixture.quorum();
  REQUIRE(quorum.add(fixture.parts.shares[1].clone()).ok());
  REQUIRE(quorum.add(fixture.parts.shares[1].clone()).ok());
  CHECK(quorum.progress() == 1);
}

TEST_CASE("quorum: a foreign share is named and the others stay") {
  Fixture ours(5, 3), theirs(5, 3);
  SecretBytes foreign = theirs.parts.shares[0].clone();
  foreign.writable()[0] ^= 1;
  Quorum quorum = ours.quorum();
  REQUIRE(quorum.add(ours.parts.shares[0].clone()).ok());
  const Status refused = quorum.add(std::move(foreign));
  CHECK(refused.is(Code::invalid));
  CHECK(refused.error().message.find("fingerprint") != std::string::npos);
  CHECK(refused.error().message.find("1 of 3 already given are kept") != std::string::npos);
  CHECK(quorum.progress() == 1);
  REQUIRE(quorum.add(ours.parts.shares[1].clone()).ok());
  REQUIRE(quorum.add(ours.parts.shares[2].clone()).ok());
  CHECK(*quorum.secret() == ours.secret);
}

TEST_CASE("quorum: something of another length is not a share") {
  Fixture fixture(3, 2);
  Quorum quorum = fixture.quorum();
  CHECK(quorum.add(SecretBytes(std::size_t{15})).is(Code::invalid));
  CHECK(quorum.add(SecretBytes(std::size_t{34})).is(Code::invalid));
  CHECK(quorum.add(SecretBytes()).is(Code::invalid));
}

TEST_CASE("quorum: share counts are refused in Vault's words") {
  CHECK(check_share_counts(0, 0).error().message == "shares must be at least one");
  CHECK(check_share_counts(5, 1).error().message ==
        "threshold must be greater than one for multiple shares");
  CHECK(check_share_counts(3, 4).error().message == "threshold cannot be larger than shares");
  CHECK_FALSE(check_share_counts(256, 3).ok());
  CHECK_FALSE(check_share_counts(3, 0).ok());
  CHECK(check_share_counts(1, 1).ok());
  CHECK(check_share_counts(255, 255).ok());
}
