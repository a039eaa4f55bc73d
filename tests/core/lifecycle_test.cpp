#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/broken_lmdb.h"
#include "tests/support/fake_protector.h"
#include "tests/support/faulty_world.h"
#include "tests/support/null_log.h"
#include "tests/support/test_vault.h"
#include "vault/audit/chain_records.h"
#include "vault/audit/verify.h"
#include "vault/seal/codec.h"

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

TEST_CASE("lifecycle: what a listener redacts is empty in every answer to strangers") {
  TestVault vault;
  const auto ask = [&](const std::string& path, core::Operation operation, bool redacted) {
    core::Request request;
    request.operation = operation;
    request.path = path;
    request.listener.redact_version = request.listener.redact_cluster_name = redacted;
    request.listener.redact_addresses = redacted;
    if (operation == core::Operation::update)
      request.body = *parse_json(share_body(vault.world().unseal_key));
    return vault.wait(vault.begin(std::move(request))).data();
  };
  const auto shown = [](const Json& data, const char* name) {
    REQUIRE(data.find(name) != nullptr);  // the key stays
    return data.string_at(name);
  };
  const std::pair<const char*, core::Operation> kAsked[] = {
      {"sys/health", core::Operation::read},
      {"sys/seal-status", core::Operation::read},
      {"sys/unseal", core::Operation::update}};
  for (const auto& one : kAsked) {
    const std::string path = one.first;
    const core::Operation operation = one.second;
    CAPTURE(path);
    for (const char* name : {"version", "leasehold_version", "cluster_name"}) {
      CAPTURE(name);
      CHECK_FALSE(shown(ask(path, operation, false), name).empty());
      CHECK(shown(ask(path, operation, true), name).empty());
    }
  }
  CHECK_FALSE(shown(ask("sys/seal-status", core::Operation::read, false), "build_date").empty());
  CHECK(shown(ask("sys/seal-status", core::Operation::read, true), "build_date").empty());
  CHECK(shown(ask("sys/leader", core::Operation::read, true), "leader_address").empty());
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
  // Nobody can have its password: it does not wait for the end of its issue, no time passes.
  CHECK(TestVault::eventually([&] { return after.count(barrier::Table::lease) == 1; }));
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
  CHECK(record.string_at("type") == "cut");
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
  CHECK(vault.logs("sealed by itself"));
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.get("sys/seal-status", "").data().find("warnings") == nullptr);
  CHECK(vault.post("test/notes/after", vault.root(), R"({"x":1})").status() == 204);
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: a device opens a vault that sealed itself") {
  LossyWorld world;
  testing::FakeDevice device;
  world.protectors = testing::protected_by(device);
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
  world.protectors = testing::protected_by(device);
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

namespace {

// A world whose vault has a device, and the shares to open it without.
struct DeviceWorld : TestWorld {
  testing::FakeDevice device;

  DeviceWorld() { protectors = testing::protected_by(device); }
  void init() {
    TestVault vault(*this, true);
    const Answer made =
        vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
    REQUIRE(made.status() == 200);
    unseal_key = made.data().strings_at("recovery_keys").front();
    root_token = made.data().string_at("root_token");
  }
};

bool initialized(TestVault& vault) {
  return vault.get("sys/init", "").data().bool_at("initialized");
}

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("lifecycle: an init beside the audit log of another vault writes nothing") {
  TestWorld other;
  { TestVault vault(other); }
  const std::string lines = other.audit_text();
  // Half a line at its end stays, too.
  std::ofstream(other.audit_path(), std::ios::app) << "{\"seq\":";
  TestWorld world;
  std::filesystem::copy_file(other.audit_path(), world.audit_path());
  TestVault vault(world, true);
  const Answer refused = vault.init();
  CHECK(refused.status() == 400);
  CHECK(mentions(refused.error(), "lines of another vault"));
  CHECK(mentions(refused.error(), "move it aside"));
  CHECK(world.audit_text() == lines + "{\"seq\":");
  CHECK_FALSE(initialized(vault));
  std::filesystem::rename(world.audit_path(), world.audit_path() + ".other");
  REQUIRE(vault.init().status() == 200);
  CHECK(vault.unseal().status() == 200);
}

TEST_CASE("lifecycle: an init without an audit log writes nothing and can be tried again") {
  TestWorld world;
  TestVault vault(world, true);
  world.audit_fails = true;
  const Answer refused = vault.init();
  CHECK(refused.status() == 507);
  CHECK(mentions(refused.error(), "init again"));
  CHECK_FALSE(initialized(vault));
  world.audit_fails = false;
  REQUIRE(vault.init().status() == 200);
  CHECK(vault.unseal().status() == 200);
  CHECK_FALSE(vault.sealed());
}

TEST_CASE(
    "lifecycle: wherever storage fails once, init gives shares that open, or can be repeated") {
  storage::Outcome outcome = storage::Outcome::failed;
  SUBCASE("with an error") {}
  SUBCASE("because it is full") { outcome = storage::Outcome::no_space; }
  bool untouched = false;
  for (int nth = 0; !untouched; ++nth) {
    REQUIRE(nth < 100);
    CAPTURE(nth);
    testing::FaultyWorld world;
    TestVault vault(world, true);
    world.fails->outcome = outcome;
    world.fails->once = true;
    world.fails->left = nth;
    const Answer first = vault.init();
    untouched = world.fails->left > 0;
    world.fails->left = -1;
    CHECK(initialized(vault) == (first.status() == 200));
    if (first.status() != 200) {
      CHECK(first.error() != "");
      REQUIRE(vault.init().status() == 200);
    }
    REQUIRE(vault.unseal().status() == 200);
    CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
    CHECK(vault.verifies());
  }
}

TEST_CASE("lifecycle: strangers who unseal while the vault is being sealed do not hold it open") {
  TestWorld world;
  world.audit_sync_always = true;
  TestVault vault(world);
  vault.role();
  // Its answer, an error, is recorded by a flush of its own, on a worker.
  vault.server()->set("create", testing::AccountServer::Fault::refuse);
  vault.server()->hang("create");
  const auto issued = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  vault.seal();
  std::vector<TestVault::Waiting> strangers;
  for (int i = 0; i < 4; ++i)
    strangers.push_back(vault.begin("PUT", "sys/unseal", "", share_body(std::string(64, '0'))));
  // Nothing but the end of the request that is in flight answers the one who waits.
  CHECK(TestVault::eventually([&] {
    return std::count_if(strangers.begin(), strangers.end(),
                         [&](const auto& one) { return vault.answered(one); }) == 3;
  }));
  vault.server()->release("create");
  CHECK(vault.wait(issued).status() >= 400);
  int refused = 0;
  for (const auto& one : strangers) {
    const Answer answer = vault.wait(one);
    if (answer.status() != 503) continue;
    ++refused;
    CHECK(answer.response().retry_after);
  }
  CHECK(refused == 3);
  REQUIRE(vault.unseal().status() == 200);
}

TEST_CASE("lifecycle: while a device works on its answer the shares open the vault") {
  DeviceWorld world;
  world.init();
  world.device.hang();
  TestVault vault(world, true);
  REQUIRE(TestVault::eventually([&] { return world.device.waiting() == 1; }));
  REQUIRE(vault.unseal().status() == 200);
  CHECK(world.device.waiting() > 0);
  CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
  // What the device says in the end changes nothing.
  world.device.release();
  CHECK(TestVault::eventually([&] { return world.device.waiting() == 0; }));
  CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
  CHECK_FALSE(mentions(world.log.text(), "unsealed by its device"));
}

TEST_CASE("lifecycle: a vault that an operator sealed is not opened by a device's late answer") {
  DeviceWorld world;
  world.init();
  world.device.hang();
  TestVault vault(world, true);
  REQUIRE(TestVault::eventually([&] { return world.device.waiting() == 1; }));
  REQUIRE(vault.unseal().status() == 200);
  vault.seal();
  world.device.release();
  CHECK(TestVault::eventually([&] { return world.device.waiting() == 0; }));
  CHECK(TestVault::eventually([&] { return mentions(world.log.text(), "vault is sealed"); }));
  CHECK(vault.sealed());
}

TEST_CASE("lifecycle: a vault stops although its device does not answer") {
  DeviceWorld world;
  world.init();
  world.device.hang();
  const TestVault vault(world, true);
  CHECK(TestVault::eventually([&] { return world.device.waiting() == 1; }));
}

TEST_CASE("lifecycle: a device that hangs while it gets its slot holds up nobody") {
  DeviceWorld world;
  auto with_device = std::exchange(world.protectors, nullptr);
  { TestVault vault(world); }
  world.protectors = with_device;
  world.device.hang();
  TestVault vault(world);
  CHECK(TestVault::eventually([&] { return world.device.waiting() == 1; }));
  CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
  world.device.release();
  const auto access = [&] { return vault.get("sys/seal-status", "").data().string_at("access"); };
  CHECK(TestVault::eventually([&] { return access() == "tpm OR 1 share"; }));
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: a vault over a storage that gave up opens again without a restart") {
  testing::TemporaryDirectory directory;
  NullLog log;
  TestWorld world([&] {
    auto opened = storage::open_lmdb(directory.path(), testing::small_lmdb(), log);
    VAULT_ASSERT(opened.ok());
    return std::move(opened).value();
  }());
  TestVault vault(world);
  REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
  testing::break_lmdb(directory.path());
  CHECK(vault.post("test/notes/b", vault.root(), R"({"x":1})").status() >= 500);
  REQUIRE(TestVault::eventually([&] { return vault.sealed(); }));
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.get("test/notes/a", vault.root()).data().integer_at("x") == 1);
  CHECK(vault.post("test/notes/b", vault.root(), R"({"x":1})").status() == 204);
  CHECK(vault.verifies());
}

namespace {

// As the first version left it: a registry that lists no slots.
Status forget_the_list(core::Unsealed& live) {
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  VAULT_TRY_ASSIGN(const auto records, seal::read_records(*held));
  seal::Writer aad;
  aad.text("leasehold registry", 1);
  aad.raw(records->store.serialize());
  Bytes box;
  crypto::seal(live.registry_key.reveal(), live.barrier.keys().serialize().reveal(),
               aad.take_public(), live.environment.random, box);
  commit::Changes changes;
  seal::add_registry(changes.storage, box);
  return live.committer.commit(commit::Batch(std::move(changes), commit::Unrecorded{"a test"}))
      .status();
}

}  // namespace

TEST_CASE("lifecycle: a full store opens, and what is due in it ends") {
  testing::FaultyWorld world;
  std::string token;
  bool first_version = false;
  SUBCASE("of this version") {}
  SUBCASE("of the first version") { first_version = true; }
  {
    TestVault vault(world);
    token = vault.token(R"({"ttl":"1h"})");
    REQUIRE(vault
                .read([&](core::Unsealed& live, commit::ReadTxn&) {
                  return first_version ? forget_the_list(live) : Status();
                })
                .ok());
  }
  world.fails->low = true;
  TestVault vault(world);
  REQUIRE_FALSE(vault.sealed());
  const Answer refused = vault.post("test/notes/a", vault.root(), R"({"x":1})");
  CHECK(refused.status() == 507);
  CHECK(mentions(refused.error(), "map_size"));
  CHECK(vault.get("sys/health", "").data().find("leasehold_storage_works") != nullptr);
  CHECK(vault.get("sys/seal-status", "").data().strings_at("warnings").size() == 1);
  CHECK(vault.post("auth/token/revoke", vault.root(), R"({"token":")" + token + R"("})").status() ==
        204);
  CHECK(vault.get("auth/token/lookup-self", token).status() == 403);
  world.fails->low = false;
  CHECK(vault.get("sys/health", "").data().find("leasehold_storage_works") == nullptr);
  CHECK(vault.verifies());
}

TEST_CASE("lifecycle: a clock that disagrees with what storage saw is named with both times") {
  TestWorld world;
  { TestVault vault(world); }
  const WallTime seen = world.clock.now();
  SUBCASE("behind") {
    const WallTime now = add(seen, Seconds{-100 * 24 * 3600});
    world.clock.set(now);
    TestVault vault(world);
    CHECK(mentions(world.log.text(), "error: the clock says " + rfc3339(now)));
    CHECK(mentions(world.log.text(), "written at " + rfc3339(seen) + ", 8640000 s later"));
    CHECK(mentions(world.audit_text(), "\"clock\":\"" + rfc3339(now)));
    CHECK(mentions(world.audit_text(), "\"last_written\":\"" + rfc3339(seen)));
  }
  SUBCASE("a little behind, as after a correction") {
    world.clock.set(add(seen, Seconds{-300}));
    TestVault vault(world);
    CHECK_FALSE(mentions(world.log.text(), "the clock"));
    CHECK_FALSE(mentions(world.audit_text(), "last_written"));
  }
  SUBCASE("far ahead") {
    const WallTime now = add(seen, Seconds{100 * 24 * 3600});
    world.clock.set(now);
    TestVault vault(world);
    CHECK(mentions(world.log.text(), "the vault was not down for so long"));
    CHECK(mentions(world.log.text(), rfc3339(seen)));
    CHECK(mentions(world.log.text(), rfc3339(now)));
    CHECK(mentions(world.audit_text(), "\"last_written\":\"" + rfc3339(seen)));
  }
  SUBCASE("a little ahead, after a restart") {
    world.clock.set(add(seen, Seconds{600}));
    TestVault vault(world);
    CHECK_FALSE(mentions(world.log.text(), "clock"));
  }
}

TEST_CASE("lifecycle: sys/health answers with the status that is asked for, where it is one") {
  TestVault vault;
  const auto health = [&](const std::string& code) {
    core::Request request;
    request.path = "sys/health";
    request.body = Json::object();
    request.body.set("activecode", code);
    return vault.wait(vault.begin(std::move(request))).status();
  };
  for (const char* code : {"200", "204", "299", "304", "429", "599"})
    CHECK(health(code) == std::stoi(code));
  for (const char* code : {"100", "199", "600", "999"}) CHECK(health(code) == 400);
}

TEST_CASE("lifecycle: a stranger is told the state of a slot, and who may read it the device") {
  testing::FakeDevice device;
  TestWorld world;
  world.protectors = testing::protected_by(device);
  TestVault vault(world, true);
  const Answer made = vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
  REQUIRE(made.status() == 200);
  const std::string root = made.data().string_at("root_token");
  device.answer_with({seal::DeviceState::absent, "no token with serial S-1234 at /dev/secret", {}});
  vault.seal_of().check_health();
  for (const char* token : {"", "hvs.not-a-token"}) {
    const Json slot = vault.get("sys/seal-status", token).data().find("slots")->items().at(0);
    CHECK(slot.string_at("state") == "absent");
    CHECK(slot.string_at("message") == "the device, its token or its key is not there");
    CHECK(slot.find("identity") == nullptr);
  }
  CHECK(vault.get("sys/seal/slots", "").status() == 403);
  const Json slot = vault.get("sys/seal/slots", root).data().find("slots")->items().at(0);
  CHECK(slot.string_at("identity") == "A1");
  CHECK(slot.string_at("message") == "no token with serial S-1234 at /dev/secret");
}

TEST_CASE("lifecycle: sealing a sealed vault is a success") {
  TestWorld world;
  TestVault vault(world);
  CHECK(vault.post("sys/seal", vault.root()).status() == 204);
  CHECK(vault.post("sys/seal", vault.root()).status() == 204);
  CHECK(vault.post("sys/seal", "").status() == 204);
  CHECK(vault.get("sys/seal", "").status() == 405);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.post("sys/seal", "").status() == 403);
}
