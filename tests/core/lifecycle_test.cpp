#include <doctest/doctest.h>

#include <filesystem>

#include "tests/seal/fake_protector.h"
#include "tests/support/faulty_world.h"
#include "tests/support/test_vault.h"
#include "vault/audit/chain_records.h"
#include "vault/audit/verify.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

std::string share_body(const std::string& key) {
  Json body = Json::object();
  body.set("key", key);
  return body.dump();
}

}  // namespace

TEST_CASE("lifecycle: before init a vault says so and opens nothing") {
  TestWorld world;
  TestVault vault(world, true);
  CHECK_FALSE(vault.get("sys/init", "").data().bool_at("initialized"));
  CHECK(vault.get("sys/health", "").status() == 501);
  CHECK(vault.get("sys/seal-status", "").data().bool_at("sealed"));
  const Answer unseal =
      vault.post("sys/unseal", "", share_body("00112233445566778899aabbccddeeff"));
  CHECK(unseal.status() == 400);
  CHECK(unseal.error() == "Vault is not initialized");
  const Answer other = vault.get("sys/mounts", "x");
  CHECK(other.status() == 503);
  CHECK(other.error() == "Vault is sealed");
}

TEST_CASE("lifecycle: init gives shares and a root token, once") {
  TestWorld world;
  world.shares = 3;
  world.threshold = 2;
  TestVault vault(world, true);
  const Answer made = vault.init();
  REQUIRE(made.status() == 200);
  const Json data = made.data();
  CHECK(data.strings_at("keys").size() == 3);
  CHECK(data.strings_at("keys_base64").size() == 3);
  CHECK(data.find("recovery_keys") == nullptr);
  CHECK(data.string_at("root_token").size() == 28);
  CHECK(vault.sealed());
  const Answer again = vault.init();
  CHECK(again.status() == 400);
  CHECK(again.error() == "Vault is already initialized");
  CHECK(world.root_token == data.string_at("root_token"));
}

TEST_CASE("lifecycle: init refuses share counts that make no sense") {
  TestWorld world;
  TestVault vault(world, true);
  for (const char* body : {"{}", R"({"secret_shares":1,"secret_threshold":2})",
                           R"({"secret_shares":5,"secret_threshold":1})",
                           R"({"secret_shares":256,"secret_threshold":3})",
                           R"({"secret_shares":-1,"secret_threshold":-1})",
                           R"({"recovery_shares":1,"recovery_threshold":1})",
                           R"({"secret_shares":1,"secret_threshold":1,"pgp_keys":["x"]})"}) {
    CAPTURE(body);
    CHECK(vault.post("sys/init", "", body).status() == 400);
  }
  CHECK_FALSE(vault.get("sys/init", "").data().bool_at("initialized"));
}

TEST_CASE("lifecycle: shares are counted, named when wrong, and may be given up") {
  TestWorld world;
  world.shares = 3;
  world.threshold = 2;
  TestVault vault(world, true);
  const auto keys = vault.init().data().strings_at("keys");
  REQUIRE(keys.size() == 3);
  const Json first = vault.post("sys/unseal", "", share_body(keys[0])).data();
  CHECK(first.integer_at("progress") == 1);
  CHECK(first.integer_at("t") == 2);
  CHECK(first.bool_at("sealed"));
  const Json repeated = vault.post("sys/unseal", "", share_body(keys[0])).data();
  CHECK(repeated.integer_at("progress") == 1);
  std::string wrong = keys[1];
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  CHECK(vault.post("sys/unseal", "", share_body(wrong)).status() == 400);
  CHECK(vault.get("sys/seal-status", "").data().integer_at("progress") == 1);
  CHECK(vault.post("sys/unseal", "", share_body("not a share")).status() == 400);
  CHECK(vault.post("sys/unseal", "", "{}").status() == 400);
  CHECK(vault.post("sys/unseal", "", R"({"reset":true})").data().integer_at("progress") == 0);
  vault.post("sys/unseal", "", share_body(keys[2]));
  const Json opened = vault.post("sys/unseal", "", share_body(keys[1])).data();
  CHECK_FALSE(opened.bool_at("sealed"));
  CHECK(vault.post("sys/unseal", "", R"({"reset":true})").status() == 400);
  CHECK(vault.get("sys/health", "").status() == 200);
}

TEST_CASE("lifecycle: sealing shuts everything, unsealing brings it back") {
  TestVault vault;
  vault.post("test/notes/a", vault.root(), R"({"x":1})");
  const std::string token = vault.token(R"({"ttl":"1h"})");
  for (int round = 0; round < 3; ++round) {
    vault.seal();
    CHECK(vault.get("test/notes/a", vault.root()).status() == 503);
    CHECK(vault.get("sys/health", "").status() == 503);
    CHECK(vault.get("sys/seal-status", "").data().bool_at("sealed"));
    REQUIRE(vault.unseal().status() == 200);
    CHECK(vault.get("test/notes/a", vault.root()).data().integer_at("x") == 1);
    CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
  }
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: sealing needs sudo") {
  TestVault vault;
  vault.policy("seals", R"(path "sys/seal" { capabilities = ["update"] })");
  CHECK(vault.post("sys/seal", vault.token(R"({"policies":["seals"]})")).status() == 403);
  vault.policy("really", R"(path "sys/seal" { capabilities = ["update", "sudo"] })");
  CHECK(vault.post("sys/seal", vault.token(R"({"policies":["really"]})")).status() == 204);
  CHECK(TestVault::eventually([&] { return vault.sealed(); }));
}

TEST_CASE("lifecycle: every request in flight is answered when the vault is sealed") {
  TestVault vault;
  vault.role();
  for (int round = 0; round < 10; ++round) {
    std::vector<TestVault::Waiting> all;
    for (int i = 0; i < 100; ++i) {
      all.push_back(vault.begin("POST", "test/counters/c", vault.root()));
      all.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
      all.push_back(vault.begin("GET", "test/slow", vault.root()));
      if (i == 20) all.push_back(vault.begin("POST", "sys/seal", vault.root()));
    }
    for (const auto& one : all) {
      const int status = vault.wait(one).status();
      CHECK((status == 200 || status == 204 || status == 503));
    }
    REQUIRE(TestVault::eventually([&] { return vault.sealed(); }));
    REQUIRE(vault.unseal().status() == 200);
  }
  CHECK(vault.post("sys/leases/revoke-prefix/test/", vault.root(), R"({"sync":false})").status() ==
        202);
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: leases that end while the vault is sealed end when it opens") {
  TestVault vault;
  vault.role(R"({"ttl":"10m"})");
  CHECK(vault.get("test/creds/ro", vault.root()).status() == 200);
  vault.seal();
  vault.advance(Seconds{1000});
  CHECK(vault.server()->accounts().size() == 1);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
}

TEST_CASE("lifecycle: what an earlier process had begun is ended by the next, on disk") {
  testing::TemporaryDirectory directory, copy;
  NullLog log;
  TestWorld world([&] {
    auto opened = storage::open_lmdb(directory.path(), testing::small_lmdb(), log);
    VAULT_ASSERT(opened.ok());
    return std::move(opened).value();
  }());
  TestVault before(world);
  before.role(R"({"ttl":"1h"})");
  CHECK(before.get("test/creds/ro", before.root()).status() == 200);
  before.server()->hang("create");
  const auto waiting = before.begin("GET", "test/creds/ro", before.root());
  REQUIRE(TestVault::eventually([&] { return before.server()->inside("create") == 1; }));
  // The process dies here: this is all that is left of it. Its session still runs at the target.
  std::filesystem::copy_file(directory.path() + "/data.mdb", copy.path() + "/data.mdb");

  TestWorld next([&] {
    auto opened = storage::open_lmdb(copy.path(), testing::small_lmdb(), log);
    VAULT_ASSERT(opened.ok());
    return std::move(opened).value();
  }());
  next.unseal_key = world.unseal_key;
  next.root_token = world.root_token;
  SUBCASE("its CREATE is still running") {}
  SUBCASE("its CREATE was done in the meantime") {
    before.server()->release("create");
    REQUIRE(TestVault::eventually([&] { return before.server()->created() == 2; }));
    before.server()->hang("create");
  }
  next.servers.share("db", before.server());
  TestVault after(next);
  CHECK(after.count(barrier::Table::lease) == 2);
  CHECK(after.as_time_passes([&] { return after.count(barrier::Table::lease) == 1; }));
  CHECK(after.server()->accounts().size() == 1);
  CHECK(after.server()->visits("fence") > 0);
  CHECK(after.verifies());
  // The zombie wakes up, and makes nothing any more.
  const int created = after.server()->created();
  after.server()->release("create");
  before.wait(waiting);
  CHECK(after.server()->created() == created);
  CHECK(after.post("sys/leases/revoke-prefix/test/", after.root()).status() == 204);
  CHECK(after.server()->accounts().empty());
}

TEST_CASE("lifecycle: without the audit log a vault does not open") {
  TestWorld world;
  TestVault vault(world);
  vault.seal();
  world.audit_fails = true;
  CHECK(vault.unseal().status() >= 400);
  CHECK(vault.sealed());
  world.audit_fails = false;
  CHECK(vault.unseal().status() == 200);
  CHECK_FALSE(vault.sealed());
  CHECK(vault.get("test/notes/none", vault.root()).status() == 404);
}

TEST_CASE("lifecycle: a vault without audit devices works, as in development mode") {
  TestWorld world;
  world.audited = false;
  TestVault vault(world);
  CHECK(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
  CHECK(vault.get("test/notes/a", vault.root()).status() == 200);
}

TEST_CASE("lifecycle: a log that was rotated while the vault was sealed goes on in the next file") {
  TestWorld world;
  const std::string before = world.audit_path() + ".1";
  {
    TestVault vault(world);
    REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
    vault.get("test/notes/a", vault.root());
  }
  const std::size_t lines = world.audit_lines().size();
  std::filesystem::rename(world.audit_path(), before);
  {
    TestVault vault(world);
    REQUIRE(vault.get("test/notes/a", vault.root()).status() == 200);
  }
  const auto first = audit::parse_line(world.audit_lines().front());
  REQUIRE(first.ok());
  CHECK(first->seq == lines + 1);
  CHECK(world.log.text().find("rotated while the server was down") != std::string::npos);
  const Json epoch = audit::read_chain_record(first->body);
  CHECK(epoch.string_at("type") == "epoch");
  CHECK(epoch.string_at("incarnation").size() == 32);
  const auto verdict = audit::verify_files({before, world.audit_path()}, {});
  REQUIRE(verdict.ok());
  CHECK(verdict->whole);
}

TEST_CASE("lifecycle: a log that was cut while the vault was sealed says so") {
  TestWorld world;
  { TestVault vault(world); }
  const std::vector<std::string> lines = world.audit_lines();
  std::size_t kept = 0;
  for (std::size_t i = 0; i + 4 < lines.size(); ++i) kept += lines[i].size() + 1;
  std::filesystem::resize_file(world.audit_path(), kept);
  { TestVault vault(world); }
  CHECK(world.log.text().find("it was cut") != std::string::npos);
  const auto gap = audit::parse_line(world.audit_lines()[lines.size() - 4]);
  REQUIRE(gap.ok());
  CHECK(gap->seq == lines.size() + 1);
  const Json record = audit::read_chain_record(gap->body);
  CHECK(record.string_at("type") == "gap");
}

namespace {

struct LossyWorld : testing::FaultyWorld {
  // One write of which storage cannot say whether it happened.
  void lose_a_commit(TestVault& vault) {
    fails->outcome = storage::Outcome::unknown;
    for (int nth = 0; log.text().find("cannot say") == std::string::npos; ++nth) {
      REQUIRE(nth < 100);
      vault.post("test/notes/lost", root_token, R"({"x":1})");  // after an error more is read
      fails->left = nth;
      vault.post("test/notes/lost", root_token, R"({"x":1})");
      fails->left = -1;
    }
  }
};

}  // namespace

TEST_CASE("lifecycle: a vault that does not know what was written seals itself and says why") {
  LossyWorld world;
  TestVault vault(world);
  world.lose_a_commit(vault);
  REQUIRE(TestVault::eventually([&] { return vault.sealed(); }));
  const auto warnings = vault.get("sys/seal-status", "").data().strings_at("warnings");
  REQUIRE(warnings.size() == 1);
  CHECK(warnings.front().find("sealed by itself") == 0);
  CHECK(world.log.text().find("sealed by itself") != std::string::npos);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.get("sys/seal-status", "").data().find("warnings") == nullptr);
  CHECK(vault.post("test/notes/after", vault.root(), R"({"x":1})").status() == 204);
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: a device opens a vault that sealed itself") {
  LossyWorld world;
  testing::FakeDevice device;
  world.protectors = [&] {
    seal::Seal::Protectors all;
    all.push_back(std::make_unique<testing::FakeProtector>(device));
    return all;
  };
  TestVault vault(world, true);
  const Answer made = vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
  REQUIRE(made.status() == 200);
  world.root_token = made.data().string_at("root_token");
  REQUIRE(vault.post("sys/mounts/test", vault.root(), R"({"type":"test"})").status() == 204);
  world.lose_a_commit(vault);
  REQUIRE(TestVault::eventually(
      [&] { return world.log.text().find("unsealed by its device") != std::string::npos; }));
  CHECK_FALSE(vault.sealed());
  CHECK(vault.post("test/notes/after", vault.root(), R"({"x":1})").status() == 204);
  // What an operator sealed stays so.
  vault.seal();
  CHECK(TestVault::eventually([&, left = 300]() mutable { return --left == 0; }));
  CHECK(vault.sealed());
}

TEST_CASE("lifecycle: seal-status tells how a device is while the vault is open") {
  TestWorld world;
  testing::FakeDevice device;
  world.protectors = [&] {
    seal::Seal::Protectors all;
    all.push_back(std::make_unique<testing::FakeProtector>(device));
    return all;
  };
  {
    TestVault vault(world, true);
    const Answer made =
        vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
    REQUIRE(made.status() == 200);
    world.unseal_key = made.data().strings_at("recovery_keys").front();
  }
  device.serial = "B2";  // replaced: the shares open it, and the new one is enrolled
  device.secret = 9;
  TestVault vault(world, true);
  const auto has_logged = [&](const char* text) {
    return TestVault::eventually([&] { return world.log.text().find(text) != std::string::npos; });
  };
  REQUIRE(has_logged("another device answered"));
  REQUIRE(vault.unseal().status() == 200);
  const auto degraded = [&] { return vault.get("sys/seal-status", "").data().bool_at("degraded"); };
  CHECK(TestVault::eventually([&] { return !degraded(); }));
  CHECK(has_logged("generation 2"));
  device.serial = "C3";
  vault.advance(Seconds{61});
  CHECK(TestVault::eventually(degraded));
  CHECK(has_logged("is replaced: another device answered"));
  device.serial = "B2";
  vault.advance(Seconds{61});
  CHECK(TestVault::eventually([&] { return !degraded(); }));
}
