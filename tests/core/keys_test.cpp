// Rekey, root generation and rotation: new shares, a new root token, a new data key.

#include <doctest/doctest.h>

#include "tests/support/fake_protector.h"
#include "tests/support/faulty_world.h"
#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"
#include "vault/core/road/key_rotation.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

// Three shares, of which two open it.
struct Shared : TestWorld {
  std::vector<std::string> keys;
  std::unique_ptr<TestVault> vault;

  Shared() {
    shares = 3;
    threshold = 2;
    vault = std::make_unique<TestVault>(*this, true);
    const Answer made = vault->init();
    REQUIRE(made.status() == 200);
    keys = made.data().strings_at("keys");
    if (keys.empty()) keys = made.data().strings_at("recovery_keys");
    open(keys);
  }
  void open(const std::vector<std::string>& with) {
    if (!vault->sealed()) return;
    for (int i = 0; i < 2; ++i)
      REQUIRE(
          vault->post("sys/unseal", "", R"({"key":")" + with[static_cast<std::size_t>(i)] + R"("})")
              .status() == 200);
    REQUIRE_FALSE(vault->sealed());
  }
  bool opens(const std::vector<std::string>& with) {
    vault->seal();
    Answer last;
    for (int i = 0; i < 2; ++i)
      last = vault->post("sys/unseal", "",
                         R"({"key":")" + with[static_cast<std::size_t>(i)] + R"("})");
    return last.status() == 200 && !vault->sealed();
  }
  Answer give(const std::string& path, const std::string& key, const std::string& nonce) {
    return vault->post(path, root_token, R"({"key":")" + key + R"(","nonce":")" + nonce + R"("})");
  }
  // The nonce of a root generation that has the first of its two shares.
  std::string begin_root() {
    const std::string nonce =
        vault->post("sys/generate-root/attempt", root_token).data().string_at("nonce");
    REQUIRE(give("sys/generate-root/update", keys[0], nonce).status() == 200);
    return nonce;
  }
  // The nonce.
  std::string begin(const std::string& options = {}) {
    const Answer begun = vault->post("sys/rekey/init", root_token,
                                     R"({"secret_shares":4,"secret_threshold":2)" +
                                         (options.empty() ? "" : "," + options) + "}");
    REQUIRE_MESSAGE(begun.status() == 200, begun.error());
    return begun.data().string_at("nonce");
  }
};

// As a stranger, by a listener that lets strangers or does not.
Answer stranger(TestVault& vault, const std::string& path, core::ListenerTraits listener) {
  core::Request request;
  request.operation = core::Operation::update;
  request.path = path;
  request.body = Json::object();
  request.body.set("secret_shares", 1).set("secret_threshold", 1);
  request.listener = listener;
  return vault.wait(vault.begin(std::move(request)));
}

std::string decoded(const std::string& encoded, const std::string& otp) {
  std::string padded = encoded;
  while (padded.size() % 4 != 0) padded += '=';
  const auto bytes = from_base64(padded);
  REQUIRE((bytes && bytes->size() == otp.size()));
  std::string token(otp.size(), 0);
  for (std::size_t i = 0; i < otp.size(); ++i)
    token[i] = static_cast<char>((*bytes)[i] ^ static_cast<std::uint8_t>(otp[i]));
  return token;
}

}  // namespace

TEST_CASE("rekey: the holders of the old shares make new ones, and the old ones end") {
  Shared world;
  const Json idle = world.vault->get("sys/rekey/init", world.root_token).data();
  CHECK_FALSE(idle.bool_at("started"));
  CHECK(idle.integer_at("required") == 2);
  const std::string nonce = world.begin();
  CHECK(
      world.vault
          ->post("sys/rekey/init", world.root_token, R"({"secret_shares":1,"secret_threshold":1})")
          .error() == "rekey already in progress");
  CHECK(world.give("sys/rekey/update", world.keys[0], "another").error() ==
        "incorrect nonce supplied; nonce for this rekey operation is \"" + nonce + "\"");
  CHECK(world.give("sys/rekey/update", world.keys[0], nonce).data().integer_at("progress") == 1);
  CHECK(world.give("sys/rekey/update", world.keys[0], nonce).data().integer_at("progress") == 1);
  const Json done = world.give("sys/rekey/update", world.keys[1], nonce).data();
  CHECK(done.bool_at("complete"));
  const auto fresh = done.strings_at("keys");
  REQUIRE(fresh.size() == 4);
  CHECK(done.strings_at("keys_base64").size() == 4);
  CHECK_FALSE(world.vault->get("sys/rekey/init", world.root_token).data().bool_at("started"));
  CHECK_FALSE(world.opens(world.keys));
  world.open({fresh[3], fresh[1]});
  CHECK(world.opens({fresh[0], fresh[2]}));
  CHECK(world.vault->verifies());
}

TEST_CASE(
    "rekey: by the name of the keys that the vault has not a rekey is neither seen nor ended") {
  Shared world;
  const std::string nonce = world.begin(R"("require_verification":true)");
  TestVault& vault = *world.vault;
  for (const std::string prefix : {"sys/rekey-recovery-key/", "sys/rotate/recovery/"}) {
    CHECK(vault.get(prefix + "init", world.root_token).status() == 400);
    CHECK(vault.remove(prefix + "init", world.root_token).status() == 400);
    CHECK(world.give(prefix + "update", world.keys[0], nonce).status() == 400);
    CHECK(vault.get(prefix + "verify", world.root_token).status() == 400);
    CHECK(world.give(prefix + "verify", world.keys[0], nonce).status() == 400);
    CHECK(vault.remove(prefix + "verify", world.root_token).status() == 400);
  }
  const Json still = vault.get("sys/rekey/init", world.root_token).data();
  CHECK(still.string_at("nonce") == nonce);
  CHECK(still.integer_at("progress") == 0);
}

TEST_CASE("rekey: new shares that have to be verified count once they were shown") {
  Shared world;
  const std::string nonce = world.begin(R"("require_verification":true)");
  CHECK(world.vault->get("sys/rekey/verify", world.root_token).error() ==
        "no rekey verification in progress");
  world.give("sys/rekey/update", world.keys[2], nonce);
  const Json made = world.give("sys/rekey/update", world.keys[0], nonce).data();
  const auto fresh = made.strings_at("keys");
  REQUIRE(fresh.size() == 4);
  const std::string first = made.string_at("verification_nonce");
  CHECK(world.give("sys/rekey/verify", fresh[0], first).data().integer_at("progress") == 1);
  const Json again = world.vault->remove("sys/rekey/verify", world.root_token).data();
  const std::string second = again.string_at("nonce");
  CHECK(second != first);
  CHECK(again.integer_at("progress") == 0);
  CHECK(world.give("sys/rekey/verify", fresh[0], first).status() == 400);
  CHECK(world.give("sys/rekey/verify", world.keys[0], second).status() == 400);
  CHECK(world.give("sys/rekey/verify", fresh[0], second).status() == 200);
  const Answer done = world.give("sys/rekey/verify", fresh[3], second);
  CHECK(done.data().bool_at("complete"));
  CHECK(done.data().string_at("nonce") == second);
  CHECK(world.opens(fresh));
}

TEST_CASE("rekey: a seal before the verification leaves the old shares in force") {
  Shared world;
  const std::string nonce = world.begin(R"("require_verification":true)");
  world.give("sys/rekey/update", world.keys[2], nonce);
  const Json made = world.give("sys/rekey/update", world.keys[0], nonce).data();
  REQUIRE(made.bool_at("complete"));
  CHECK(world.opens(world.keys));
  CHECK_FALSE(world.vault->get("sys/rekey/init", world.root_token).data().bool_at("started"));
}

TEST_CASE("rekey: two last shares that arrive together make one new slot") {
  Shared world;
  const std::string nonce = world.begin();
  const std::string one = R"({"nonce":")" + nonce + R"(","key":")";
  REQUIRE(world.give("sys/rekey/update", world.keys[0], nonce).status() == 200);
  std::vector<TestVault::Waiting> waiting;
  for (const int key : {1, 2, 1, 2})
    waiting.push_back(world.vault->begin("POST", "sys/rekey/update", world.root_token,
                                         one + world.keys[static_cast<std::size_t>(key)] + "\"}"));
  std::vector<std::string> fresh;
  int complete = 0;
  for (const auto& each : waiting) {
    const Answer answer = world.vault->wait(each);
    if (answer.status() != 200) continue;
    ++complete;
    fresh = answer.data().strings_at("keys");
  }
  CHECK(complete == 1);
  CHECK(world.opens(fresh));
}

TEST_CASE("rekey: new shares are shown also when storage cannot say whether they count") {
  testing::FaultyWorld world;
  TestVault vault(world);
  const std::string plan = R"({"secret_shares":1,"secret_threshold":1})";
  const std::string nonce =
      vault.post("sys/rekey/init", world.root_token, plan).data().string_at("nonce");
  const std::string before = world.unseal_key;
  world.fails->outcome = storage::Outcome::unknown;
  world.fails->commits_only = true;
  world.fails->left = 0;
  const Answer done = vault.post("sys/rekey/update", world.root_token,
                                 R"({"key":")" + before + R"(","nonce":")" + nonce + R"("})");
  world.fails->left = -1;
  REQUIRE(done.status() == 200);
  CHECK(done.data().bool_at("complete"));
  REQUIRE(done.response().warnings.size() == 1);
  CHECK(done.response().warnings[0].find("keep them and the ones") != std::string::npos);
  CHECK(done.response().form == core::Response::Form::injected);  // which has room for warnings
  REQUIRE(TestVault::eventually([&] { return vault.sealed(); }));
  CHECK(vault.unseal().status() == 400);
  world.unseal_key = done.data().strings_at("keys").at(0);
  CHECK(vault.unseal().status() == 200);
  CHECK_FALSE(vault.sealed());
}

TEST_CASE("rekey: recovery keys of a device's vault are replaced under their own name") {
  testing::FakeDevice device;
  TestWorld world;
  world.protectors = testing::protected_by(device);
  TestVault vault(world, true);
  const Answer made = vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
  REQUIRE(made.status() == 200);
  const std::string root = made.data().string_at("root_token");
  const std::string plan = R"({"secret_shares":1,"secret_threshold":1})";
  CHECK(vault.post("sys/rekey/init", root, plan).status() == 400);
  const Json begun = vault.post("sys/rekey-recovery-key/init", root, plan).data();
  const std::string key = made.data().strings_at("recovery_keys").at(0);
  const Json done =
      vault
          .post("sys/rekey-recovery-key/update", root,
                R"({"key":")" + key + R"(","nonce":")" + begun.string_at("nonce") + "\"}")
          .data();
  REQUIRE(done.strings_at("keys").size() == 1);
  const std::string fresh = done.strings_at("keys").at(0);
  device.answer_with({seal::DeviceState::absent, "gone", {}});
  CHECK(vault.post("sys/seal", root).status() == 204);
  REQUIRE(TestVault::eventually([&] { return vault.sealed(); }));
  CHECK(vault.post("sys/unseal", "", R"({"key":")" + key + "\"}").status() == 400);
  CHECK(vault.post("sys/unseal", "", R"({"key":")" + fresh + "\"}").status() == 200);
  CHECK_FALSE(vault.sealed());
}

TEST_CASE("rekey: its newer names are the same ceremony, in the envelope and with a token") {
  Shared world;
  const std::string begin = "sys/rotate/root/init", update = "sys/rotate/root/update";
  CHECK(world.vault->get(begin, "").status() == 403);
  const std::string plan = R"({"secret_shares":4,"secret_threshold":2})";
  CHECK(world.vault->post("sys/rotate/recovery/init", world.root_token, plan).status() == 400);
  const Answer begun = world.vault->post(begin, world.root_token, plan);
  REQUIRE(begun.status() == 200);
  CHECK(begun.response().form == core::Response::Form::envelope);
  const std::string nonce = begun.data().string_at("nonce");
  CHECK(world.vault->get("sys/rekey/init", world.root_token).data().string_at("nonce") == nonce);
  world.give(update, world.keys[0], nonce);
  const auto fresh = world.give(update, world.keys[1], nonce).data().strings_at("keys");
  REQUIRE(fresh.size() == 4);
  CHECK_FALSE(world.opens(world.keys));
  world.open(fresh);
  CHECK(
      world.vault->post("sys/rotate/root", world.root_token).error().find("sys/rotate/root/init") !=
      std::string::npos);
}

TEST_CASE("ceremonies: without a token only where the listener lets strangers, else with sudo") {
  Shared world;
  TestVault& vault = *world.vault;
  vault.policy("plain",
               R"(path "sys/*" { capabilities = ["create", "update", "read", "delete"] })");
  vault.policy("strong",
               R"(path "sys/*" { capabilities = ["create", "update", "read", "delete", "sudo"] })");
  const std::string plain = vault.token(R"({"policies":["plain"]})");
  const std::string strong = vault.token(R"({"policies":["strong"]})");
  for (const char* path : {"sys/rekey/init", "sys/generate-root/attempt"}) {
    const bool rekey = std::string_view(path) == "sys/rekey/init";
    CHECK(stranger(vault, path, {}).status() == 403);
    CHECK(stranger(vault, path, {!rekey, rekey}).status() == 403);
    CHECK(stranger(vault, path, {rekey, !rekey}).status() == 200);
    CHECK(vault.get(path, plain).status() == 403);
    CHECK(vault.get(path, strong).status() == 200);
    CHECK(vault.remove(path, strong).status() == 204);
  }
}

TEST_CASE("generate-root: the holders of the shares make a root token, under a one-time password") {
  Shared world;
  TestVault& vault = *world.vault;
  const Json begun = vault.post("sys/generate-root/attempt", world.root_token).data();
  const std::string otp = begun.string_at("otp"), nonce = begun.string_at("nonce");
  CHECK(otp.size() == 28);
  CHECK(begun.integer_at("otp_length") == 28);
  CHECK(begun.integer_at("required") == 2);
  CHECK(vault.get("sys/generate-root/attempt", world.root_token).data().string_at("otp").empty());
  CHECK(vault.post("sys/generate-root/attempt", world.root_token).error() ==
        "root generation already in progress for this namespace");
  CHECK(world.give("sys/generate-root/update", world.keys[0], "x").status() == 400);
  CHECK(
      world.give("sys/generate-root/update", "00112233445566778899aabbccddeeff", nonce).status() ==
      400);
  CHECK(
      world.give("sys/generate-root/update", world.keys[0], nonce).data().integer_at("progress") ==
      1);
  const Json done = world.give("sys/generate-root/update", world.keys[2], nonce).data();
  REQUIRE(done.bool_at("complete"));
  CHECK(done.string_at("encoded_token") == done.string_at("encoded_root_token"));
  const std::string token = decoded(done.string_at("encoded_token"), otp);
  const Json self = vault.get("auth/token/lookup-self", token).data();
  CHECK(self.strings_at("policies") == std::vector<std::string>{"root"});
  CHECK(world.give("sys/generate-root/update", world.keys[2], nonce).error() ==
        "no root generation in progress");
  CHECK(world.audit_text().find(token) == std::string::npos);
  CHECK(world.audit_text().find(otp) == std::string::npos);
}

TEST_CASE("generate-root: its newer name is the same ceremony, in the envelope and with a token") {
  Shared world;
  TestVault& vault = *world.vault;
  const std::string attempt = "sys/generate-root-token/attempt";
  const std::string update = "sys/generate-root-token/update";
  CHECK(vault.get(attempt, "").status() == 403);
  CHECK(stranger(vault, attempt, {true, true}).status() == 403);
  const Answer begun =
      vault.request("PUT", attempt, world.root_token, R"({"otp":"","pgp_key":""})");
  REQUIRE(begun.status() == 200);
  CHECK(begun.response().form == core::Response::Form::envelope);
  const std::string nonce = begun.data().string_at("nonce");
  CHECK(vault.get("sys/generate-root/attempt", world.root_token).data().string_at("nonce") ==
        nonce);
  CHECK(world.give(update, world.keys[0], nonce).data().integer_at("progress") == 1);
  CHECK(vault.get(attempt, world.root_token).data().integer_at("progress") == 1);
  const Answer done = world.give(update, world.keys[1], nonce);
  CHECK(done.response().form == core::Response::Form::envelope);
  REQUIRE(done.data().bool_at("complete"));
  const std::string token =
      decoded(done.data().string_at("encoded_token"), begun.data().string_at("otp"));
  CHECK(vault.get("auth/token/lookup-self", token).data().strings_at("policies") ==
        std::vector<std::string>{"root"});
  CHECK(world.give(update, world.keys[0], nonce).status() == 400);
  CHECK(vault.remove(attempt, world.root_token).status() == 204);
}

TEST_CASE("generate-root: an answer that leaves wrapped ends the attempt, too") {
  Shared world;
  TestVault& vault = *world.vault;
  const std::string nonce = world.begin_root();
  core::Request request;
  request.operation = core::Operation::update;
  request.path = "sys/generate-root/update";
  request.token = world.root_token;
  request.wrap_ttl = Seconds{60};
  request.body = Json::object();
  request.body.set("key", world.keys[1]).set("nonce", nonce);
  REQUIRE(vault.wait(vault.begin(std::move(request))).response().wrap.has_value());
  CHECK_FALSE(vault.get("sys/generate-root/attempt", world.root_token).data().bool_at("started"));
}

TEST_CASE(
    "generate-root: one approval gives one token, and a password of another length is refused") {
  Shared world;
  TestVault& vault = *world.vault;
  CHECK(vault.post("sys/generate-root/attempt", world.root_token, R"({"otp":"short"})").status() ==
        400);
  CHECK(vault.post("sys/generate-root/attempt", world.root_token, R"({"pgp_key":"x"})").status() ==
        400);
  const std::size_t before = vault.count(barrier::Table::token);
  const std::string nonce = world.begin_root();
  std::vector<TestVault::Waiting> waiting;
  for (const int key : {1, 2, 1, 2})
    waiting.push_back(vault.begin("POST", "sys/generate-root/update", world.root_token,
                                  R"({"nonce":")" + nonce + R"(","key":")" +
                                      world.keys[static_cast<std::size_t>(key)] + "\"}"));
  int complete = 0;
  for (const auto& each : waiting) complete += vault.wait(each).status() == 200 ? 1 : 0;
  CHECK(complete == 1);
  CHECK(vault.count(barrier::Table::token) == before + 1);
}

TEST_CASE("generate-root: shares that were replaced meanwhile approve no token") {
  Shared world;
  TestVault& vault = *world.vault;
  const std::string attempt = world.begin_root();
  const std::string rekey = world.begin();
  REQUIRE(world.give("sys/rekey/update", world.keys[0], rekey).status() == 200);
  REQUIRE(world.give("sys/rekey/update", world.keys[1], rekey).data().bool_at("complete"));
  const std::size_t before = vault.count(barrier::Table::token);
  const Answer late = world.give("sys/generate-root/update", world.keys[1], attempt);
  CHECK(late.status() == 400);
  CHECK(late.error().find("the shares were replaced") != std::string::npos);
  CHECK(vault.count(barrier::Table::token) == before);
  CHECK(vault.remove("sys/generate-root/attempt", world.root_token).status() == 204);
}

// The store of a vault that its device opens, written to while it is down. What the slot could
// approve in a store that opens: tests/seal/approval_test.cpp.
TEST_CASE("generate-root: one who writes to storage gets no root token with shares of his own") {
  for (const char* mode : {"unseal", "authorize"}) {
    testing::FakeDevice device;
    TestWorld world;
    world.protectors = testing::protected_by(device);
    world.recovery_mode = *seal::parse_recovery_mode(mode);
    {
      TestVault vault(world, true);
      REQUIRE(
          vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})").status() ==
          200);
    }
    SecretBytes mine(std::size_t{32});
    storage::Batch batch;
    {
      const auto snapshot = world.storage->snapshot();
      const auto records = seal::read_records(**snapshot);
      for (seal::SlotRecord slot : (*records)->slots) {
        if (slot.kind != "shamir") continue;
        slot.policy = seal::split(mine.reveal(), 1, 1, world.random)->policy.serialize();
        slot.capabilities = seal::kMayUnseal | seal::kMayAuthorize;
        seal::add_slot(batch, slot);
      }
    }
    REQUIRE(seal::commit_alone(*world.storage, batch).ok());
    TestVault vault(world, true);
    CHECK(TestVault::eventually([&] {
      return world.log.text().find("it opens nothing and approves nothing") != std::string::npos;
    }));
    CHECK(TestVault::eventually(
        [&] { return world.audit_text().find("storage-changed") != std::string::npos; }));
    CHECK(vault.sealed());
  }
}

namespace {

std::size_t sealed_under(TestVault& vault, std::uint32_t term) {
  return vault.read([&](core::Unsealed&, commit::ReadTxn& txn) {
    std::size_t records = 0;
    const Status scanned = txn.scan(
        barrier::PhysicalKey(barrier::Table::value), barrier::PhysicalKey(barrier::Table::outbox),
        SIZE_MAX, storage::Scan::values, [&](const storage::Entry& entry) {
          if (entry.value.size() >= barrier::kOverhead && get_be(&entry.value[2], 4) == term)
            ++records;
          return true;
        });
    VAULT_ASSERT(scanned.ok());
    return records;
  });
}

}  // namespace

TEST_CASE("rotate: a new data key is used at once, and older records follow it in the background") {
  TestWorld world;
  TestVault vault(world);
  for (int i = 0; i < 700; ++i)
    REQUIRE(vault.post("test/notes/" + std::to_string(i), vault.root(), R"({"x":1})").status() ==
            204);
  const std::string token = vault.token("{}");
  CHECK(vault.get("sys/key-status", vault.root()).data().integer_at("term") == 1);
  REQUIRE(sealed_under(vault, 1) > 700);
  CHECK(vault.post("sys/rotate", vault.root()).status() == 204);
  const Json rotated = vault.get("sys/key-status", vault.root()).data();
  CHECK(rotated.integer_at("term") == 2);
  CHECK(vault.post("test/notes/after", vault.root(), R"({"x":2})").status() == 204);
  CHECK(sealed_under(vault, 2) > 0);
  REQUIRE(TestVault::eventually(
      [&] { return vault.get("sys/key-status", vault.root()).data().bool_at("rewrapped"); }));
  CHECK(sealed_under(vault, 1) == 0);
  CHECK(vault.verifies());
  vault.seal();
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.get("test/notes/42", vault.root()).status() == 200);
  CHECK(vault.get("test/notes/after", vault.root()).status() == 200);
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
  CHECK(world.audit_text().find("key-rewrapped") != std::string::npos);

  const auto names = vault.count(barrier::Table::name);
  CHECK(vault.request("DELETE", "test/notes/42", vault.root()).status() == 204);
  CHECK(vault.count(barrier::Table::name) == names - 1);  // the name went with what was rewrapped
}

TEST_CASE("rotate: records that are larger together than a batch follow as well") {
  TestVault vault;
  const std::string large = R"({"x":")" + std::string(200 * 1024, 'x') + "\"}";
  for (int i = 0; i < 8; ++i)
    REQUIRE(vault.post("test/notes/" + std::to_string(i), vault.root(), large).status() == 204);
  CHECK(vault.post("sys/rotate", vault.root()).status() == 204);
  CHECK(TestVault::eventually(
      [&] { return vault.get("sys/key-status", vault.root()).data().bool_at("rewrapped"); }));
  CHECK(sealed_under(vault, 1) == 0);
}

TEST_CASE("rotate: rotations that meet give every term one key") {
  TestWorld world;
  TestVault vault(world);
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 8; ++i) {
    waiting.push_back(vault.begin("POST", "sys/rotate", vault.root(), "{}"));
    waiting.push_back(
        vault.begin("POST", "test/notes/" + std::to_string(i), vault.root(), R"({"x":1})"));
  }
  int rotated = 0;
  for (std::size_t i = 0; i < waiting.size(); ++i)
    if (vault.wait(waiting[i]).status() == 204 && i % 2 == 0) ++rotated;
  CHECK(vault.get("sys/key-status", vault.root()).data().integer_at("term") == 1 + rotated);
  vault.seal();
  REQUIRE(vault.unseal().status() == 200);
  for (int i = 0; i < 8; ++i)
    CHECK(vault.get("test/notes/" + std::to_string(i), vault.root()).status() == 200);
}

TEST_CASE("rotate: a stored key of the greatest length may end a page") {
  TestWorld world;
  TestVault vault(world);
  storage::Batch batch;
  for (int i = 0; i < 1200; ++i) {  // foreign ones, of the table that is not sealed by the barrier
    barrier::PhysicalKey key(barrier::Table::seal);
    Bytes rest(barrier::PhysicalKey::kMax - 1, std::uint8_t{0xff});
    put_be(rest.data(), static_cast<std::uint64_t>(i), 4);
    key.push(rest);
    batch.put(key.view(), as_bytes(std::string_view("x")));
    if (batch.size() < storage::kBatchOperationsMax) continue;
    REQUIRE(seal::commit_alone(*world.storage, batch).ok());
    batch = storage::Batch();
  }
  REQUIRE(seal::commit_alone(*world.storage, batch).ok());
  CHECK(vault.post("sys/rotate", vault.root()).status() == 204);
  CHECK(TestVault::eventually(
      [&] { return vault.get("sys/key-status", vault.root()).data().bool_at("rewrapped"); }));
  CHECK(sealed_under(vault, 1) == 0);
}

TEST_CASE("rotate: by itself once its interval is over, within bounds, and not when disabled") {
  TestWorld world;
  TestVault vault(world);
  const Json fallback = vault.get("sys/rotate/config", vault.root()).data();
  CHECK(fallback.integer_at("max_operations") == 3865470566);
  CHECK(fallback.bool_at("enabled"));
  for (const char* bad :
       {R"({"interval":"1h"})", R"({"interval":"9999999999h"})", R"({"max_operations":5})"})
    CHECK(vault.post("sys/rotate/config", vault.root(), bad).status() == 400);
  CHECK(vault.post("sys/rotate/config", vault.root(), R"({"interval":"24h","enabled":false})")
            .status() == 204);
  vault.advance(Seconds(25 * 3600));
  CHECK(vault.get("sys/key-status", vault.root()).data().integer_at("term") == 1);
  CHECK(vault.post("sys/rotate/config", vault.root(), R"({"enabled":true})").status() == 204);
  CHECK(TestVault::eventually(
      [&] { return vault.get("sys/key-status", vault.root()).data().integer_at("term") == 2; }));
  CHECK(vault.get("sys/rotate/config", vault.root()).data().integer_at("interval") == 24 * 3600);
}

TEST_CASE("rotate: what was made of policies and mounts follows their records to the new key") {
  TestVault vault;
  vault.policy("app", R"(path "test/*" { capabilities = ["create", "update", "read"] })");
  const std::string token = vault.token(R"({"policies":["app"]})");
  for (int round = 0; round < 3; ++round) {
    REQUIRE(vault.post("sys/rotate", vault.root()).status() == 204);
    REQUIRE(vault.as_time_passes(
        [&] { return vault.get("sys/key-status", vault.root()).data().bool_at("rewrapped"); }));
    CHECK(vault.post("test/notes/a", token, R"({"x":1})").status() == 204);
    CHECK(vault.post("test/notes/b", vault.root(), R"({"x":1})").status() == 204);
  }
}
