// One golden byte string per version of every format in vault/barrier/FORMAT.md. They are on users'
// disks: a test here is never changed, only added.
#include <doctest/doctest.h>

#include "vault/barrier/barrier.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using barrier::Barrier;
using barrier::KeyRing;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

// 0, 1, 2 ... so that the bytes below can be made again by other means.
class CountingRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = next_++;
  }

 private:
  std::uint8_t next_ = 0;
};

constexpr barrier::StoreId kStore{0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                  0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};
constexpr barrier::Space kSpace{0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7};

struct Golden {
  CountingRandom random;
  KeyRing ring = KeyRing::generate(random);
  Barrier barrier{kStore, ring.clone(), random};
};

}  // namespace

TEST_CASE_FIXTURE(Golden, "golden: keys of the hidden tree, version 1") {
  CHECK(hex(barrier.value_key(kSpace, "a/b").view()) ==
        "10a0a1a2a3a4a5a6a704a1d282f8c530b06c51264722661d5514e981cb9a21aeac78bc9452e22834"
        "d3");
  CHECK(hex(barrier.name_key(kSpace, "a/").view()) ==
        "11a0a1a2a3a4a5a6a736a1330a2fba141d06266b1e2e4c2643ce19dc21c6c65f9931b536f86913ed"
        "74");
  CHECK(hex(barrier.directory_prefix(kSpace, "a/").view()) ==
        "11a0a1a2a3a4a5a6a704a1d282f8c530b06c51264722661d55");
  CHECK(hex(barrier.counter_key(kSpace, "a/b").view()) ==
        "12a0a1a2a3a4a5a6a704a1d282f8c530b06c51264722661d5514e981cb9a21aeac78bc9452e22834"
        "d3");
}

TEST_CASE_FIXTURE(Golden, "golden: the hash of an id, version 1") {
  CHECK(hex(barrier.id_hash("token", as_bytes("id"))) == "90e88b9f5118f7cdde4ad2658438ce7c");
}

TEST_CASE_FIXTURE(Golden, "golden: a sealed value, version 1") {
  const PhysicalKey key = PhysicalKey::from(Bytes{0x10, 0x01, 0x02});
  Bytes sealed;
  barrier.seal(key, "a/b", as_bytes("value"), sealed);
  const std::string golden =
      "010100000001e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f744f89c4df6907f639ca8"
      "c9505631b1f6731c082f77f85965b323";
  CHECK(hex(sealed) == golden);
  const auto opened = barrier.open(key, "a/b", *from_hex(golden));
  REQUIRE(opened.ok());
  CHECK(as_text(opened->reveal()) == "value");
}

TEST_CASE_FIXTURE(Golden, "golden: a sealed value, version 2, and the key of its name") {
  const PhysicalKey key = barrier.value_key(kSpace, "a/b");
  Bytes sealed;
  barrier.seal(key, "a/b", as_bytes("value"), sealed, 0x0102030405);
  const std::string golden =
      "020100000001000102030405e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f744f89c4d"
      "f6907f639ca80e23bb25f10f281f95646cc976d39c37";
  CHECK(hex(sealed) == golden);
  const auto opened = barrier.open(key, "a/b", *from_hex(golden));
  REQUIRE(opened.ok());
  CHECK(as_text(opened->reveal()) == "value");
  CHECK(hex(barrier::name_of(key, barrier::name_order(sealed)).view()) ==
        "11a0a1a2a3a4a5a6a704a1d282f8c530b06c51264722661d55000102030405"
        "14e981cb9a21aeac78bc");
  CHECK(barrier::name_of(key, {}) == barrier.name_key(kSpace, "a/b"));
}

TEST_CASE_FIXTURE(Golden, "golden: what a record gives to the multiset, version 1") {
  const Bytes key{0x10, 0x01, 0x02};
  Bytes value(60);
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<std::uint8_t>(i);
  CHECK(hex(barrier.contribution(key, value, 5)) ==
        "4056a5428d4470bad0058873d9f98497153e8aa5d21cdbb49410c7174b3daf0b");
  CHECK(hex(barrier.contribution(key, {}, 5)) ==
        "197bc04f485d6e8637793eb1d76c2247cfa54d7f45e206dd2c5cf2e5e49aecd8");
}

TEST_CASE_FIXTURE(Golden, "golden: the key registry, version 1") {
  std::string counted;
  for (int i = 0; i < 7 * 32; ++i) {
    const std::uint8_t byte[] = {static_cast<std::uint8_t>(i)};
    counted += hex(byte);
  }
  CHECK(hex(ring.serialize().reveal()) ==
        "01"
        "00000001"
        "0001"
        "00000001" +
            counted);
}
