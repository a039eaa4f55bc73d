#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"
#include "vault/barrier/barrier.h"

using namespace leasehold;
using barrier::Barrier;
using barrier::kCoreSpace;
using barrier::KeyRing;
using barrier::PhysicalKey;
using barrier::Space;
using barrier::Table;

namespace {

constexpr barrier::StoreId kStore{1, 2, 3};
constexpr Space kSpace{9, 8, 7};

struct Fixture {
  testing::SeededRandom random;
  KeyRing ring = KeyRing::generate(random);
  Barrier barrier{kStore, ring.clone(), random};

  Bytes sealed(const PhysicalKey& key, std::string_view name, std::string_view plain) {
    Bytes out;
    barrier.seal(key, name, as_bytes(plain), out);
    return out;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "barrier: what was sealed opens under its key and name") {
  const auto key = barrier.value_key(kSpace, "a/b");
  const auto value = sealed(key, "a/b", "secret");
  CHECK(value.size() == barrier::kOverhead + 2 + 3 + 6);
  const auto opened = barrier.open(key, "a/b", value);
  REQUIRE(opened.ok());
  CHECK(as_text(opened->reveal()) == "secret");
  const auto named = barrier.open_named(key, value);
  REQUIRE(named.ok());
  CHECK(named->name == "a/b");
}

TEST_CASE_FIXTURE(Fixture, "barrier: empty names and empty values are sealed as any other") {
  const PhysicalKey key(Table::head);
  const auto value = sealed(key, "", "");
  const auto opened = barrier.open(key, "", value);
  REQUIRE(opened.ok());
  CHECK(opened->empty());
}

TEST_CASE_FIXTURE(Fixture, "barrier: every single changed bit of a sealed value is refused") {
  const auto key = barrier.value_key(kSpace, "a");
  auto value = sealed(key, "a", "secret");
  for (std::size_t bit = 0; bit < value.size() * 8; ++bit) {
    value[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    CAPTURE(bit);
    CHECK(barrier.open(key, "a", value).is(Code::internal));
    value[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  }
  CHECK(barrier.open(key, "a", value).ok());
}

TEST_CASE_FIXTURE(Fixture, "barrier: a sealed value that was cut or made longer is refused") {
  const auto key = barrier.value_key(kSpace, "a");
  auto value = sealed(key, "a", "secret");
  for (std::size_t size = 0; size < value.size(); ++size)
    CHECK_FALSE(barrier.open(key, "a", ByteView(value).first(size)).ok());
  value.push_back(0);
  CHECK_FALSE(barrier.open(key, "a", value).ok());
}

TEST_CASE_FIXTURE(Fixture, "barrier: a record moved to another place is refused") {
  const auto here = barrier.value_key(kSpace, "a"), there = barrier.value_key(kSpace, "b");
  const auto value = sealed(here, "a", "secret");
  CHECK_FALSE(barrier.open(there, "b", value).ok());
  CHECK_FALSE(barrier.open(there, "a", value).ok());
  CHECK_FALSE(barrier.open(barrier.value_key(kCoreSpace, "a"), "a", value).ok());
}

TEST_CASE_FIXTURE(Fixture, "barrier: a value that bears another name is refused") {
  const auto key = barrier.value_key(kSpace, "a");
  CHECK_FALSE(barrier.open(key, "a", sealed(key, "b", "secret")).ok());
}

TEST_CASE_FIXTURE(Fixture, "barrier: a value of another store is refused") {
  const Barrier other({4, 5, 6}, ring.clone(), random);
  const auto key = barrier.value_key(kSpace, "a");
  CHECK_FALSE(other.open(key, "a", sealed(key, "a", "secret")).ok());
}

TEST_CASE_FIXTURE(Fixture,
                  "barrier: after rotation old values open and new ones use the new term") {
  const auto key = barrier.value_key(kSpace, "a");
  const auto old = sealed(key, "a", "old");
  KeyRing rotated = ring.clone();
  rotated.term = 2;
  random.fill(rotated.data[2].writable());
  const Barrier later(kStore, std::move(rotated), random);
  CHECK(later.open(key, "a", old).ok());
  Bytes fresh;
  later.seal(key, "a", as_bytes("new"), fresh);
  CHECK(get_be(&fresh[2], 4) == 2);
  CHECK_FALSE(barrier.open(key, "a", fresh).ok());
}

TEST_CASE_FIXTURE(Fixture,
                  "barrier: the same name in another space, table or store has another key") {
  const auto key = barrier.value_key(kSpace, "a/b");
  CHECK_FALSE(key == barrier.value_key(kCoreSpace, "a/b"));
  CHECK_FALSE(key == barrier.name_key(kSpace, "a/b"));
  CHECK_FALSE(key == barrier.counter_key(kSpace, "a/b"));
  CHECK(key == barrier.value_key(kSpace, "a/b"));
  CHECK(key.size() == 41);
  CHECK(key.table() == Table::value);
}

TEST_CASE_FIXTURE(Fixture, "barrier: the names of a directory share its prefix, and no others do") {
  const auto begins = [&](std::string_view name, std::string_view directory) {
    const auto prefix = barrier.directory_prefix(kSpace, directory);
    const auto key = barrier.name_key(kSpace, name);
    return compare(key.view().first(prefix.size()), prefix.view()) == 0;
  };
  CHECK(begins("a/b/c", "a/b/"));
  CHECK(begins("a/b/", "a/"));
  CHECK(begins("a", ""));
  CHECK(begins("a/", ""));
  CHECK(begins("/", ""));
  CHECK(begins("/x", "/"));
  CHECK_FALSE(begins("a/b/c", "a/"));
  CHECK_FALSE(begins("a/b/", "a/b/"));
  CHECK_FALSE(begins("a/b", ""));
}

TEST_CASE_FIXTURE(Fixture, "barrier: neither name nor value stands in what is stored") {
  const auto key = barrier.value_key(kSpace, "recognisable-name");
  const auto value = sealed(key, "recognisable-name", "recognisable-value");
  CHECK(as_text(key.view()).find("recognisable") == std::string_view::npos);
  CHECK(as_text(value).find("recognisable") == std::string_view::npos);
}

TEST_CASE_FIXTURE(Fixture, "barrier: ids hash by purpose, and purpose and id do not run together") {
  CHECK(barrier.id_hash("token", as_bytes("x")) != barrier.id_hash("lease", as_bytes("x")));
  CHECK(barrier.id_hash("ab", as_bytes("c")) != barrier.id_hash("a", as_bytes("bc")));
}

TEST_CASE_FIXTURE(Fixture, "barrier: a contribution changes with key, version, nonce and tag") {
  const auto key = barrier.value_key(kSpace, "a");
  auto value = sealed(key, "a", "secret");
  const auto sum = barrier.contribution(key.view(), value, 7);
  CHECK(sum == barrier.contribution(key.view(), value, 7));
  CHECK(sum != barrier.contribution(key.view(), value, 8));
  CHECK(sum != barrier.contribution(barrier.value_key(kSpace, "b").view(), value, 7));
  for (const std::size_t at : {std::size_t{2}, std::size_t{10}, value.size() - 1}) {
    value[at] ^= 1;
    CHECK(sum != barrier.contribution(key.view(), value, 7));
    value[at] ^= 1;
  }
  CHECK(barrier.contribution(key.view(), {}, 7) != sum);
}

TEST_CASE("key: the end of a prefix is the first key after all that begin with it") {
  CHECK(PhysicalKey::from(Bytes{1, 2}).end_of_prefix() == PhysicalKey::from(Bytes{1, 3}));
  CHECK(PhysicalKey::from(Bytes{1, 0xff, 0xff}).end_of_prefix() == PhysicalKey::from(Bytes{2}));
}

TEST_CASE_FIXTURE(Fixture, "key ring: it is read back as it was written") {
  ring.term = 3;
  random.fill(ring.data[3].writable());
  const SecretBytes bytes = ring.serialize();
  auto read = KeyRing::deserialize(bytes.reveal());
  REQUIRE(read.ok());
  CHECK(read->term == 3);
  CHECK(read->data.size() == 2);
  CHECK(read->serialize() == bytes);
  CHECK(read->clone().serialize() == bytes);
  CHECK(read->index == ring.index);
  CHECK(read->audit_sign == ring.audit_sign);
}

TEST_CASE_FIXTURE(Fixture, "key ring: what is cut, longer, newer or inconsistent is refused") {
  const SecretBytes bytes = ring.serialize();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(KeyRing::deserialize(bytes.reveal().first(size)).ok());
  SecretBytes longer = bytes.clone();
  longer.append(Bytes{0});
  CHECK_FALSE(KeyRing::deserialize(longer.reveal()).ok());
  SecretBytes newer = bytes.clone();
  newer.writable()[0] = 2;
  CHECK_FALSE(KeyRing::deserialize(newer.reveal()).ok());
  SecretBytes missing = bytes.clone();
  missing.writable()[4] = 9;  // the newest term has no key
  CHECK_FALSE(KeyRing::deserialize(missing.reveal()).ok());

  ring.term = 2;
  random.fill(ring.data[2].writable());
  SecretBytes reversed = ring.serialize();
  std::swap(reversed.writable()[10], reversed.writable()[46]);  // terms 1, 2 become 2, 1
  CHECK_FALSE(KeyRing::deserialize(reversed.reveal()).ok());
}
