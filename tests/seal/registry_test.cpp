#include "vault/seal/registry.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::seal;

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

SlotId id_of(std::uint8_t first) {
  SlotId id{};
  id[0] = first;
  return id;
}

Registry sample() {
  CountingRandom random;
  Registry registry;
  registry.keys = barrier::KeyRing::generate(random);
  registry.list({id_of(0xf0), 1});
  registry.list({id_of(0xf1), 7});
  return registry;
}

std::string ring_in_hex() {
  std::string counted;
  for (int i = 0; i < 7 * 32; ++i) {
    const std::uint8_t byte[] = {static_cast<std::uint8_t>(i)};
    counted += hex(byte);
  }
  return "01"
         "00000001"
         "0001"
         "00000001" +
         counted;
}

crypto::Key key_of(std::uint8_t byte) {
  crypto::Key key;
  for (auto& each : key.writable()) each = byte;
  return key;
}

}  // namespace

TEST_CASE("registry: its bytes are the ones on users' disks, version 2") {
  CHECK(hex(sample().serialize().reveal()) ==
        "02"
        "000000eb" +
            ring_in_hex() +
            "02"
            "f0000000000000000000000000000000"
            "00000001"
            "f1000000000000000000000000000000"
            "00000007");
}

TEST_CASE("registry: its bytes with the hashes of the slots' records") {
  Registry registry = sample();
  registry.slots->at(1).record.emplace().fill(0xab);
  std::string hash;
  for (int i = 0; i < 32; ++i) hash += "ab";
  const std::string field =
      "01"
      "00000034"
      "f1000000000000000000000000000000"
      "00000007" +
      hash;
  const SecretBytes bytes = registry.serialize();
  CHECK(hex(bytes.reveal()) == hex(sample().serialize().reveal()) + field);
  const auto read = Registry::deserialize(bytes.reveal());
  REQUIRE(read.ok());
  CHECK(*read->slots == *registry.slots);
}

// What an older version leaves that replaced the slot and kept the field, which it does not know.
TEST_CASE("registry: a hash of another generation, or of a slot that is not listed, says nothing") {
  for (const char* slot :
       {"f100000000000000000000000000000000000006", "f200000000000000000000000000000000000001"}) {
    SecretBytes bytes = sample().serialize();
    bytes.append(*from_hex("0100000034" + std::string(slot) + std::string(64, 'a')));
    const auto read = Registry::deserialize(bytes.reveal());
    REQUIRE(read.ok());
    CHECK(*read->slots == *sample().slots);
  }
  SecretBytes cut = sample().serialize();
  cut.append(*from_hex("0100000001aa"));
  CHECK_FALSE(Registry::deserialize(cut.reveal()).ok());
}

TEST_CASE("registry: only records that are as listed get a hash, and a hash binds all of one") {
  SlotRecord slot;
  slot.id = id_of(0xf1);
  slot.generation = 7;
  SlotRecord older = slot, foreign = slot, unreadable = slot, unproven = slot;
  older.generation = 6;
  foreign.id = id_of(0xf2);
  unreadable.unreadable = true;
  unproven.capabilities = kMayAuthorize;  // nothing that the vault wrote is in its box
  for (const SlotRecord& other : {older, foreign, unreadable, unproven}) {
    Registry registry = sample();
    CHECK_FALSE(lacks_attestation(registry.slots, {other}, key_of(1)));
    CHECK_FALSE(registry.attest({other}, key_of(1)));
    CHECK(*registry.slots == *sample().slots);
  }
  Registry registry = sample();
  CHECK(lacks_attestation(registry.slots, {slot}, key_of(1)));
  CHECK(registry.attest({slot}, key_of(1)));
  CHECK_FALSE(disagreement(*registry.slots, slot));
  for (auto change : {+[](SlotRecord& one) { one.policy.push_back(1); },
                      +[](SlotRecord& one) { one.capabilities = 3; },
                      +[](SlotRecord& one) { one.box.push_back(1); },
                      +[](SlotRecord& one) { one.kind = "shamir"; }}) {
    SlotRecord changed = slot;
    change(changed);
    CHECK(disagreement(*registry.slots, changed));
    CHECK_FALSE(registry.attest({changed}, key_of(1)));  // the first hash stays
  }
}

TEST_CASE("registry: a key ring of version 1 is read, and lists no slots") {
  const auto read = Registry::deserialize(*from_hex(ring_in_hex()));
  REQUIRE(read.ok());
  CHECK_FALSE(read->slots);
  CHECK(read->keys.index == sample().keys.index);
}

TEST_CASE("registry: what was written is read again; fields of a newer version stay") {
  SecretBytes bytes = sample().serialize();
  bytes.append(
      *from_hex("05"
                "00000003"
                "616263"));
  const auto read = Registry::deserialize(bytes.reveal());
  REQUIRE(read.ok());
  REQUIRE(read->slots);
  CHECK(read->slots->at(1) == SlotEntry{id_of(0xf1), 7});
  CHECK(read->serialize() == bytes);
}

TEST_CASE("registry: what is cut, newer or critical is refused") {
  const SecretBytes bytes = sample().serialize();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(Registry::deserialize(bytes.reveal().first(size)).ok());
  SecretBytes newer = bytes.clone();
  newer.writable()[0] = 3;
  CHECK_FALSE(Registry::deserialize(newer.reveal()).ok());
  SecretBytes critical = bytes.clone();
  critical.append(*from_hex("8500000000"));
  CHECK_FALSE(Registry::deserialize(critical.reveal()).ok());
}

TEST_CASE("registry: it opens under its own store and key only") {
  testing::SeededRandom random;
  StoreDescription store;
  store.cluster_name = "one";
  const Bytes box = close_registry(store, sample(), key_of(1), random);
  const auto opened = open_registry(store, box, key_of(1));
  REQUIRE(opened.ok());
  CHECK(opened->keys.index == sample().keys.index);
  CHECK_FALSE(open_registry(store, box, key_of(2)).ok());
  store.cluster_name = "another";
  CHECK_FALSE(open_registry(store, box, key_of(1)).ok());
}

TEST_CASE("registry: a slot is listed once, in its newest generation, until it is struck") {
  Registry registry = sample();
  registry.list({id_of(0xf0), 2});
  CHECK(registry.slots->size() == 2);
  SlotRecord slot;
  slot.id = id_of(0xf0);
  slot.generation = 2;
  CHECK_FALSE(disagreement(*registry.slots, slot));
  slot.generation = 1;
  CHECK(disagreement(*registry.slots, slot));
  CHECK(missing_from(*registry.slots, {slot}) == SlotList{{id_of(0xf1), 7}});
  registry.strike(id_of(0xf0));
  CHECK(disagreement(*registry.slots, slot));
  CHECK(missing_from(*registry.slots, {}) == SlotList{{id_of(0xf1), 7}});
}
