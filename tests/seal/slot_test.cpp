#include "vault/seal/slot.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::seal;

namespace {

SlotRecord sample() {
  SlotRecord slot;
  for (std::uint8_t i = 0; i < 16; ++i)
    slot.store[i] = i, slot.id[i] = static_cast<std::uint8_t>(0xf0 + i);
  slot.kind = "tpm";
  slot.generation = 2;
  slot.capabilities = kMayUnseal;
  slot.identity = "TPM of a test";
  slot.policy = {1, 2, 3};
  slot.box = {9, 8, 7};
  return slot;
}

crypto::Key key_of(std::uint8_t byte) {
  crypto::Key key;
  for (auto& each : key.writable()) each = byte;
  return key;
}

}  // namespace

TEST_CASE("slot: its bytes are the ones on users' disks") {
  CHECK(hex(sample().serialize()) ==
        "01"
        "000102030405060708090a0b0c0d0e0f"
        "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
        "0374706d"
        "00000002"
        "01"
        "000d54504d206f6620612074657374"
        "0003010203"
        "0003090807");
}

TEST_CASE("slot: what was written is read again") {
  const auto slot = SlotRecord::deserialize(sample().serialize());
  REQUIRE(slot.ok());
  CHECK(slot->serialize() == sample().serialize());
  CHECK(slot->kind == "tpm");
  CHECK(slot->identity == "TPM of a test");
}

TEST_CASE("slot: its key opens it, and another does not") {
  testing::SeededRandom random;
  SlotRecord slot = sample();
  const crypto::Key root = key_of(5);
  slot.close(key_of(1).reveal(), root, random);
  REQUIRE(slot.open(key_of(1).reveal()).ok());
  CHECK(*slot.open(key_of(1).reveal()) == root);
  CHECK(slot.open(key_of(2).reveal()).is(Code::invalid));
  CHECK(slot.open(as_bytes("short")).is(Code::invalid));
}

TEST_CASE("slot: no bit of a record can be changed") {
  testing::SeededRandom random;
  SlotRecord slot = sample();
  slot.close(key_of(1).reveal(), key_of(5), random);
  const Bytes good = slot.serialize();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bad = good;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    const auto read = SlotRecord::deserialize(bad);
    if (read.ok()) CHECK_MESSAGE(!read->open(key_of(1).reveal()).ok(), "bit ", bit);
  }
}

TEST_CASE("slot: a shorter or longer record is refused") {
  const Bytes good = sample().serialize();
  for (std::size_t size = 0; size < good.size(); ++size)
    CHECK_FALSE(SlotRecord::deserialize(ByteView(good).first(size)).ok());
  Bytes longer = good;
  longer.push_back(0);
  CHECK_FALSE(SlotRecord::deserialize(longer).ok());
}

TEST_CASE("slot: one that only authorizes never opens, and is attested by the registry's key") {
  testing::SeededRandom random;
  SlotRecord slot = sample();
  slot.capabilities = kMayAuthorize;
  slot.attest(key_of(3), random);
  CHECK(slot.verify(key_of(3)).ok());
  CHECK_FALSE(slot.verify(key_of(4)).ok());
  CHECK_FALSE(slot.open(key_of(3).reveal()).ok());
  slot.capabilities = kMayUnseal;
  CHECK_FALSE(slot.verify(key_of(3)).ok());
}

TEST_CASE("store: its description is read again, and a damaged one is not") {
  StoreDescription store;
  store.id = sample().store;
  store.created = {1'800'000'000'000'000'000};
  store.cluster_name = "vault-cluster-1";
  store.cluster_id = "00000000-0000-4000-8000-000000000000";
  const auto read = StoreDescription::deserialize(store.serialize());
  REQUIRE(read.ok());
  CHECK(read->serialize() == store.serialize());
  CHECK(read->created == store.created);
  CHECK_FALSE(StoreDescription::deserialize(ByteView(store.serialize()).first(20)).ok());
}
