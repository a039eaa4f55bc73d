#include "vault/seal/static_key.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/support/seeded_random.h"
#include "tests/support/temporary_folder.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using namespace leasehold::seal;
using testing::TemporaryFolder;

namespace {

constexpr Millis kTimeout{1000};
const std::string kHexKey(64, 'a');
const std::string kOtherKey(64, 'b');

Result<std::unique_ptr<Protector>> made_of(const std::string& keys, const std::string& data) {
  static testing::SeededRandom random;
  auto body = parse_hcl("seal \"static\" {\n" + keys + "\n}", {"seal"});
  REQUIRE(body.ok());
  Stanza stanza("vault.hcl", body->blocks[0]);
  return make_static_protector(stanza, data, random);
}

std::unique_ptr<Protector> protector_of(const std::string& keys, const std::string& data = {}) {
  auto made = made_of(keys, data);
  REQUIRE_MESSAGE(made.ok(), made.error().message);
  return std::move(*made);
}

std::string keys_of(const std::string& id, const std::string& key) {
  return "current_key_id = \"" + id + "\"\ncurrent_key = \"" + key + "\"\n";
}

SlotRecord slot_of(const Enrolled& enrolled, const SlotContext& context) {
  SlotRecord slot;
  slot.store = context.store;
  slot.id = context.slot;
  slot.kind = "static";
  slot.policy = enrolled.policy;
  slot.identity = enrolled.identity;
  static testing::SeededRandom random;
  slot.close(enrolled.kek.reveal(), crypto::Key(), random);
  return slot;
}

}  // namespace

TEST_CASE("static: the same key gives the same slot key again, and another does not") {
  TemporaryFolder folder;
  const auto file = folder.write("seal.key", kHexKey + "\n");
  const SlotContext context;
  const auto protector = protector_of(keys_of("one", "file://" + file));
  const Enrolled enrolled = protector->enroll(context, kTimeout);
  REQUIRE_MESSAGE(enrolled.answer.ok(), enrolled.answer.message);
  const SlotRecord slot = slot_of(enrolled, context);
  const Recovered again = protector->recover(slot, kTimeout);
  REQUIRE(again.answer.ok());
  CHECK(again.kek == enrolled.kek);
  CHECK_FALSE(enrolled.kek == SecretBytes(ByteView(*from_hex(kHexKey))));
  folder.write("seal.key", kOtherKey);
  const Recovered other = protector->recover(slot, kTimeout);
  CHECK(other.answer.state == DeviceState::replaced);
  CHECK(other.kek.empty());
  CHECK(protector->health(slot, kTimeout).state == DeviceState::replaced);
  CHECK_FALSE(protector->is_hardware());
  CHECK(enrolled.identity.find("no hardware protection") != std::string::npos);
}

TEST_CASE("static: one key gives every slot its own") {
  const auto protector = protector_of(keys_of("one", kHexKey));
  SlotContext a, b;
  b.slot[0] = 1;
  CHECK_FALSE(protector->enroll(a, kTimeout).kek == protector->enroll(b, kTimeout).kek);
}

TEST_CASE("static: a file that others can read is refused") {
  TemporaryFolder folder;
  const auto file = folder.write("seal.key", kHexKey, 0640);
  const auto answer = protector_of(keys_of("one", "file://" + file))->enroll({}, kTimeout).answer;
  CHECK_FALSE(answer.ok());
  CHECK(answer.message.find("chmod 600") != std::string::npos);
}

TEST_CASE("static: a file inside the data directory is refused") {
  TemporaryFolder folder;
  const auto file = folder.write("seal.key", kHexKey);
  const auto answer =
      protector_of(keys_of("one", "file://" + file), folder.path())->enroll({}, kTimeout).answer;
  CHECK_FALSE(answer.ok());
  CHECK(answer.message.find("data directory") != std::string::npos);
  CHECK(protector_of(keys_of("one", "file://" + file), folder.path() + "/data")
            ->enroll({}, kTimeout)
            .answer.ok());
}

TEST_CASE("static: a key that is missing is told, a misspelt one by its name") {
  const auto said = [](const std::string& keys) { return made_of(keys, {}).error().message; };
  CHECK(said("current_key = \"" + kHexKey + "\"").find("needs \"current_key_id\"") !=
        std::string::npos);
  CHECK(said("current_key_id = \"1\"").find("needs \"current_key\"") != std::string::npos);
  CHECK(said("current_key_id = \"1\"\ncurent_key = \"x\"")
            .find("vault.hcl:3:1: unknown key \"curent_key\"") == 0);
}

TEST_CASE("static: a missing file is absent") {
  const auto answer =
      protector_of(keys_of("one", "file:///nonexistent/seal.key"))->enroll({}, kTimeout).answer;
  CHECK(answer.state == DeviceState::absent);
}

TEST_CASE("static: a key of another length is refused without being shown") {
  const auto answer = protector_of(keys_of("one", "c2hvcnQtc2VjcmV0"))->enroll({}, kTimeout).answer;
  CHECK_FALSE(answer.ok());
  CHECK(answer.message.find("c2hvcnQ") == std::string::npos);
  CHECK(answer.message.find("32 bytes") != std::string::npos);
}

TEST_CASE("static: the previous key still opens its slot, degraded") {
  const SlotContext context;
  const Enrolled enrolled = protector_of(keys_of("one", kHexKey))->enroll(context, kTimeout);
  const SlotRecord slot = slot_of(enrolled, context);
  CHECK(protector_of(keys_of("two", kOtherKey))->recover(slot, kTimeout).answer.state ==
        DeviceState::replaced);
  const Recovered opened =
      protector_of(keys_of("two", kOtherKey) + "previous_key_id = \"one\"\nprevious_key = \"" +
                   kHexKey + "\"")
          ->recover(slot, kTimeout);
  CHECK(opened.answer.state == DeviceState::degraded);
  CHECK(opened.kek == enrolled.kek);
}

TEST_CASE("static: raw, hexadecimal and base64 bytes are keys") {
  const std::string raw(32, '\x01');
  CHECK(parse_static_key(as_bytes(raw)).size() == 32);
  CHECK(parse_static_key(as_bytes(hex(as_bytes(raw)) + "\n")) == SecretBytes(raw));
  CHECK(parse_static_key(as_bytes(base64(as_bytes(raw)))) == SecretBytes(raw));
  CHECK(parse_static_key(as_bytes("")).empty());
  CHECK(parse_static_key(as_bytes(raw + "x")).empty());
}

TEST_CASE("static: a key of the environment is gone from there once it is in use") {
  ::setenv("LEASEHOLD_TEST_SEAL_KEY", kHexKey.c_str(), 1);
  const auto protector = protector_of(keys_of("one", "env://LEASEHOLD_TEST_SEAL_KEY"));
  const SlotContext context;
  const Enrolled enrolled = protector->enroll(context, kTimeout);
  REQUIRE_MESSAGE(enrolled.answer.ok(), enrolled.answer.message);
  CHECK(std::string(std::getenv("LEASEHOLD_TEST_SEAL_KEY")).empty());
  CHECK(protector->recover(slot_of(enrolled, context), kTimeout).answer.ok());
  ::setenv("LEASEHOLD_TEST_SEAL_KEY", "not a key", 1);
  const auto broken = protector_of(keys_of("one", "env://LEASEHOLD_TEST_SEAL_KEY"));
  CHECK_FALSE(broken->enroll(context, kTimeout).answer.ok());
  ::unsetenv("LEASEHOLD_TEST_SEAL_KEY");
}
