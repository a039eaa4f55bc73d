// While no audit device can record: nothing is changed that nobody would hear of, and credentials
// end all the same.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/audit/verify.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

bool has_line(const TestWorld& world, const std::string& text) {
  return world.audit_text().find(text) != std::string::npos;
}

std::string lease_of(TestVault& vault) {
  const Answer creds = vault.get("test/creds/ro", vault.root());
  REQUIRE(creds.status() == 200);
  return creds.response().lease_id;
}

std::string revoking(const std::string& lease) { return R"({"lease_id":")" + lease + R"("})"; }

// The first that notices: its change is made, and its lines wait.
void end_recording(TestVault& vault) {
  vault.world().audit_fails = true;
  CHECK(vault.get("test/notes/a", vault.root()).status() == 500);
}

void let_record(TestVault& vault) {
  vault.world().audit_fails = false;
  vault.advance(Seconds{1});
  CHECK(TestVault::eventually([&] {
    return vault.read(
        [](core::Unsealed& live, commit::ReadTxn&) { return live.audit->can_record(); });
  }));
}

}  // namespace

TEST_CASE("audit outage: a change is refused before it is made, and the store does not grow") {
  TestVault vault;
  const std::string limited = vault.token(R"({"num_uses":5,"policies":["root"]})");
  end_recording(vault);
  const auto index = [&] {
    return vault.read(
        [](core::Unsealed& live, commit::ReadTxn&) { return live.committer.head().index; });
  };
  const std::uint64_t before = index();
  for (const std::string& token : {vault.root(), limited}) {
    for (const char* path : {"test/notes/a", "auth/token/create", "sys/policies/acl/p"}) {
      const Answer answer = vault.post(path, token, R"({"x":1,"policy":"path \"a\" {}"})");
      CHECK(answer.status() == 500);  // 503 would say sealed
      CHECK(answer.response().retry_after == Seconds{1});
    }
    CHECK(vault.remove("test/notes/a", token).status() == 500);
    CHECK(vault.get("test/creds/ro", token).status() == 500);
  }
  CHECK(index() == before);
  CHECK(vault.server()->created() == 0);
  let_record(vault);
  CHECK(vault.get("test/notes/a", limited).status() == 404);
  CHECK(vault.get("auth/token/lookup-self", limited).data().integer_at("num_uses") == 3);
}

TEST_CASE("audit outage: no use of a token is spent on an answer that could not leave") {
  TestVault vault;
  const std::string limited = vault.token(R"({"num_uses":3,"policies":["root"]})");
  end_recording(vault);
  for (const char* path : {"test/notes/a", "nowhere/x"})
    CHECK(vault.get(path, limited).response().retry_after == Seconds{1});
  let_record(vault);
  CHECK(vault.get("auth/token/lookup-self", limited).data().integer_at("num_uses") == 2);
}

// The first change that meets the failure: nobody could know before.
TEST_CASE("audit outage: what a change made is handed out, and its record follows") {
  TestWorld world;
  TestVault vault(world);
  vault.post("test/notes/a", vault.root(), R"({"only":"copy"})");
  std::string path;
  std::function<void()> works;
  SUBCASE("new keys") {
    const std::string nonce =
        vault.post("sys/rekey/init", vault.root(), R"({"secret_shares":1,"secret_threshold":1})")
            .data()
            .string_at("nonce");
    world.audit_fails = true;
    path = "sys/rekey/update";
    const Answer made = vault.post(
        path, vault.root(), R"({"key":")" + world.unseal_key + R"(","nonce":")" + nonce + R"("})");
    REQUIRE(made.status() == 200);
    works = [&, key = made.data().strings_at("keys").at(0)] {
      vault.seal();
      world.unseal_key = key;
      CHECK(vault.unseal().status() == 200);
      CHECK_FALSE(vault.sealed());
    };
  }
  SUBCASE("what is in a wrapped answer") {
    core::Request request;
    request.operation = core::Operation::read;
    request.path = "test/notes/a";
    request.token = vault.root();
    request.wrap_ttl = Seconds{60};
    const Answer wrapped = vault.wait(vault.begin(std::move(request)));
    REQUIRE(wrapped.status() == 200);
    const std::string token(as_text(wrapped.response().wrap->token.reveal()));
    world.audit_fails = true;
    path = "sys/wrapping/unwrap";
    const Answer opened = vault.post(path, token);
    CHECK(as_text(opened.response().data.reveal()).find("copy") != std::string_view::npos);
    works = [] {};
  }
  SUBCASE("what awaits the end of others") {
    world.audit_fails = true;
    path = "sys/remount";
    const Answer moved = vault.post(path, vault.root(), R"({"from":"test","to":"moved"})");
    REQUIRE(moved.status() == 200);
    const std::string id = moved.data().string_at("migration_id");
    works = [&vault, id] {
      CHECK(vault.get("sys/remount/status/" + id, vault.root()).status() == 200);
    };
  }
  SUBCASE("a token") {
    world.audit_fails = true;
    path = "auth/token/create";
    const Answer made = vault.post(path, vault.root());
    REQUIRE(made.status() == 200);
    works = [&vault, token = made.token()] {
      CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
    };
  }
  CHECK_FALSE(has_line(world, path));
  let_record(vault);
  CHECK(TestVault::eventually([&] { return has_line(world, path); }));
  works();
  vault.seal();
  CHECK(audit::verify_files({world.audit_path()}, {})->whole);
}

TEST_CASE("audit outage: what ends credentials is done, and its records wait") {
  TestWorld world;
  TestVault vault(world);
  vault.role(R"({"ttl":"1h"})");
  const std::string asked = lease_of(vault), expiring = lease_of(vault);
  const std::string token = vault.token(R"({"policies":["root"]})");
  end_recording(vault);
  CHECK(vault.post("sys/leases/revoke", vault.root(), revoking(asked)).status() == 204);
  CHECK(vault.post("auth/token/revoke-self", token).status() == 204);
  CHECK(vault.server()->accounts().size() == 1);
  vault.advance(Seconds{3601});
  CHECK(TestVault::eventually([&] { return vault.server()->accounts().empty(); }));
  CHECK_FALSE(has_line(world, "lease-revoked"));
  let_record(vault);
  CHECK(TestVault::eventually([&] { return has_line(world, expiring); }));
  CHECK(TestVault::eventually([&] { return has_line(world, asked); }));
  const auto answers = [&](const std::string& path) {
    std::vector<std::int64_t> statuses;
    for (const std::string& line : world.audit_lines()) {
      const Json one = *parse_json(line);
      if (one.string_at("type") == "response" && one.find("request")->string_at("path") == path)
        statuses.push_back(one.find("response")->integer_at("status"));
    }
    return statuses;
  };
  CHECK(TestVault::eventually([&] { return answers("sys/leases/revoke").size() == 1; }));
  CHECK(answers("sys/leases/revoke") == std::vector<std::int64_t>{204});
  CHECK(TestVault::eventually([&] { return has_line(world, "auth/token/revoke-self"); }));
  vault.seal();
  CHECK(audit::verify_files({world.audit_path()}, {})->whole);
}

TEST_CASE("audit outage: a vault opens for revocation alone, and says so") {
  TestWorld world;
  std::string lease;
  {
    TestVault vault(world);
    vault.role(R"({"ttl":"1h"})");
    lease = lease_of(vault);
  }
  world.audit_fails = true;
  TestVault vault(world);
  CHECK_FALSE(vault.sealed());
  CHECK(vault.get("sys/seal-status", "").data().strings_at("warnings").size() == 1);
  const Answer health = vault.get("sys/health", "");
  CHECK(health.status() == 200);
  CHECK(health.data().find("leasehold_audit_works") != nullptr);
  CHECK(vault.get("test/notes/a", vault.root()).error().find("no audit device can record") !=
        std::string::npos);
  CHECK(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 500);
  CHECK(vault.get("test/notes/a", vault.root()).status() == 500);
  vault.advance(Seconds{3601});
  CHECK(TestVault::eventually([&] { return vault.server()->accounts().empty(); }));
  let_record(vault);
  CHECK(TestVault::eventually([&] { return has_line(world, "lease-revoked"); }));
  CHECK(has_line(world, lease));
  CHECK(vault.get("sys/seal-status", "").data().find("warnings") == nullptr);
  CHECK(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
  vault.seal();
  CHECK(audit::verify_files({world.audit_path()}, {})->whole);
}
