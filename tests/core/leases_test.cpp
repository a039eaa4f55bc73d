// Leases over a target that refuses, hangs, is down, or loses its answers. Whatever happens, no
// account outlives its lease and none is left without one.

#include <doctest/doctest.h>

#include "tests/support/faulty_world.h"
#include "vault/base/encoding.h"
#include "vault/core/road/effects.h"

using namespace leasehold;
using testing::AccountServer;
using testing::Answer;
using testing::TestVault;
using Fault = testing::AccountServer::Fault;

namespace {

constexpr Nanos kStep = std::chrono::milliseconds(500);

std::string body(const std::string& name, const std::string& value) {
  Json fields = Json::object();
  fields.set(name, value);
  return fields.dump();
}
std::string lease_of(const Answer& answer) { return answer.response().lease_id; }
std::string account_of(const Answer& answer) { return answer.data().string_at("username"); }

// Everything a lease leaves behind is gone: the account, the record, its indexes.
bool nothing_left(TestVault& vault) {
  return vault.server()->accounts().empty() && vault.count(barrier::Table::lease) == 0 &&
         vault.count(barrier::Table::due) == 0 && vault.count(barrier::Table::lease_owner) == 0 &&
         vault.count(barrier::Table::lease_path) == 0;
}

struct LeasingVault : TestVault {
  LeasingVault() { role(R"({"ttl":"1h","max_ttl":"4h"})"); }
  Answer creds(const std::string& token = {}) {
    return get("test/creds/ro", token.empty() ? root() : token);
  }
  // The answer while time goes on: who comes to wait behind a failed attempt waits for the next.
  Answer revoke(const Answer& creds) {
    const auto waiting =
        begin("POST", "sys/leases/revoke", root(), body("lease_id", lease_of(creds)));
    REQUIRE(as_time_passes([&] { return answered(waiting); }, kStep));
    return wait(waiting);
  }
  bool ends_clean() {
    return as_time_passes([&] { return nothing_left(*this); }, kStep) && verifies();
  }
};

}  // namespace

TEST_CASE("leases: an issued credential has an account, a lease and an end") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  REQUIRE(creds.status() == 200);
  CHECK(creds.response().lease_duration == Seconds{3600});
  CHECK(creds.response().renewable);
  CHECK(lease_of(creds).starts_with("test/creds/ro/"));
  CHECK(lease_of(creds).size() == std::string("test/creds/ro/").size() + 24);
  CHECK(vault.server()->accounts() == std::set<std::string>{account_of(creds)});
  const Answer shown =
      vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds)));
  CHECK(shown.data().string_at("id") == lease_of(creds));
  CHECK(shown.data().string_at("path") == "test/creds/ro");
  CHECK(shown.data().integer_at("ttl") == 3600);
  CHECK(shown.data().find("last_renewal")->is_null());
  vault.advance(std::chrono::milliseconds(1));
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds)))
            .data()
            .integer_at("ttl") == 3599);
  CHECK(vault.list("sys/leases/lookup/test/creds/ro/", vault.root())
            .data()
            .strings_at("keys")
            .size() == 1);
  CHECK(vault.list("sys/leases/lookup/", vault.root()).data().strings_at("keys") ==
        std::vector<std::string>{"test/"});
}

TEST_CASE("leases: an account goes when its lease ends, and a receipt stays") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.advance(Seconds{3599});
  CHECK(vault.server()->accounts().size() == 1);
  vault.advance(Seconds{2});
  CHECK(vault.ends_clean());
  CHECK(vault.count(barrier::Table::receipt) == 1);
  CHECK(vault.count(barrier::Table::expiry) == 0);
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds))).error() ==
        "invalid lease");
  CHECK(vault.world().audit_text().find("lease-revoked") != std::string::npos);
}

TEST_CASE("leases: renewal moves the end, at the target first, up to the maximum") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.advance(Seconds{3000});
  const Answer renewed =
      vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds)));
  REQUIRE(renewed.status() == 200);
  CHECK(renewed.response().lease_duration == Seconds{3600});
  CHECK(lease_of(renewed) == lease_of(creds));
  CHECK(vault.server()->end_of(account_of(creds)) == add(vault.world().clock.now(), Seconds{3600}));
  vault.advance(Seconds{3500});
  const Answer capped =
      vault.post("sys/leases/renew/" + lease_of(creds), vault.root(), R"({"increment":999999})");
  CHECK(capped.response().lease_duration == Seconds{4 * 3600 - 6500});
  CHECK(capped.response().warnings.size() == 1);
  vault.advance(Seconds{4 * 3600 - 6500});
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds))).status() ==
        400);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: what is not renewable, or not there, is not renewed") {
  LeasingVault vault;
  vault.role(R"({"ttl":"1h","renewable":false})", "once");
  const Answer creds = vault.get("test/creds/once", vault.root());
  CHECK_FALSE(creds.response().renewable);
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds))).error() ==
        "lease is not renewable");
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", "test/creds/ro/x")).error() ==
        "lease not found");
  CHECK(vault.post("sys/leases/renew", vault.root()).status() == 400);
}

TEST_CASE("leases: a renewal that fails at the target leaves the old end") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.advance(Seconds{1800});
  for (const Fault fault : {Fault::refuse, Fault::lose_answer}) {
    vault.server()->set("renew", fault);
    const Answer failed =
        vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds)));
    CHECK(failed.status() == (fault == Fault::refuse ? 400 : 500));
    if (fault == Fault::refuse) CHECK(failed.error().starts_with("failed to renew entry: "));
    CHECK(failed.response().retry_after.has_value() == (fault == Fault::lose_answer));
    const Answer shown =
        vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds)));
    CHECK(shown.data().integer_at("ttl") == 1800);
  }
  CHECK(vault.server()->accounts().size() == 1);
}

TEST_CASE("leases: a refused CREATE is an error and leaves nothing") {
  LeasingVault vault;
  vault.server()->set("create", Fault::refuse);
  const Answer answer = vault.creds();
  // The target's words are those of the vault for who may not: its origin tells them apart.
  CHECK(answer.status() == 500);
  CHECK(answer.error().find("the target: permission denied") != std::string::npos);
  vault.policy("none", R"(path "test/notes/*" { capabilities = ["read"] })");
  const Answer refused =
      vault.get("test/creds/ro", vault.token(R"({"policies":["none"],"no_default_policy":true})"));
  CHECK(refused.status() == 403);
  CHECK(refused.error().find("the target") == std::string::npos);
  CHECK(lease_of(answer).empty());
  CHECK(answer.data().is_null());
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a CREATE whose answer was lost has its account removed") {
  LeasingVault vault;
  vault.server()->set("create", Fault::lose_answer);
  CHECK(vault.creds().status() == 500);
  CHECK(vault.server()->created() == 1);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a CREATE that hangs is given up, and what it still makes is removed") {
  LeasingVault vault;
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  CHECK(vault.wait(waiting).status() == 500);
  CHECK(vault.count(barrier::Table::lease) == 1);  // nothing is taken for gone meanwhile
  vault.server()->release("create");
  REQUIRE(TestVault::eventually([&] { return vault.server()->created() == 1; }));
  CHECK(vault.ends_clean());
}

namespace {

// How often the log has a line of this kind about creds/ro.
int lines_about_creds(TestVault& vault, const std::string& type) {
  int count = 0;
  for (const std::string& text : vault.world().audit_lines())
    count += text.find("\"type\":\"" + type + "\"") != text.npos &&
             text.find("\"path\":\"test/creds/ro\"") != text.npos;
  return count;
}

}  // namespace

TEST_CASE("leases: a request that is given up is in the log once, whenever that happens") {
  LeasingVault vault;
  std::string step = "create";
  int made = 1;
  SUBCASE("while the account is made") {}
  SUBCASE("before a connection is there, so that nothing is begun") {
    step = "connect";
    made = 0;
  }
  vault.server()->hang(step);
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside(step) >= 1; }));
  REQUIRE(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  CHECK(vault.wait(waiting).status() == 500);
  CHECK(lines_about_creds(vault, "request") == 1);
  CHECK(lines_about_creds(vault, "response") == 1);
  vault.server()->release(step);
  REQUIRE(TestVault::eventually([&] { return vault.server()->created() == made; }));
  CHECK(vault.ends_clean());
  CHECK(lines_about_creds(vault, "request") == 1);
}

TEST_CASE("leases: an account whose lease ends while it is made is known by its handle") {
  LeasingVault vault;
  const std::string token = vault.token(R"({"ttl":"1h"})");
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", token);
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  SUBCASE("its token was revoked") {
    CHECK(vault.post("auth/token/revoke", vault.root(), body("token", token)).status() == 204);
    REQUIRE(TestVault::eventually([&] { return vault.count(barrier::Table::due) == 1; }));
  }
  SUBCASE("its request was given up") {
    REQUIRE(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  }
  // The account takes another name before anything looks for it.
  std::atomic<bool> renamed{false};
  vault.server()->at("revoke", [&] {
    const auto accounts = vault.server()->accounts();
    if (accounts.empty() || renamed.exchange(true)) return;
    vault.server()->rename(*accounts.begin(), "somebody");
  });
  vault.server()->release("create");
  CHECK(vault.wait(waiting).status() >= 400);
  REQUIRE(TestVault::eventually([&] { return vault.server()->created() == 1; }));
  CHECK(vault.ends_clean());
  CHECK(renamed);
}

TEST_CASE("leases: the first requests for a path are at its target side by side") {
  LeasingVault vault;
  vault.server()->hang("connect");
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 8; ++i) waiting.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
  CHECK(vault.get("sys/health", "").status() == 200);  // behind them: each has its plan
  vault.server()->hang("create");
  vault.server()->release("connect");
  CHECK(TestVault::eventually([&] { return vault.server()->inside("create") == 3; }));
  vault.server()->release("create");
  for (const auto& one : waiting) CHECK(vault.wait(one).status() == 200);
  CHECK(vault.server()->accounts().size() == 8);
}

TEST_CASE(
    "leases: too many requests for one target are refused as busy, and say which bound it is") {
  LeasingVault vault;
  vault.server()->hang("create");
  std::vector<TestVault::Waiting> waiting;
  for (int i = 0; i < 400; ++i)
    waiting.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
  const auto refused = [&] {
    return std::find_if(waiting.begin(), waiting.end(),
                        [&](const auto& one) { return vault.answered(one); });
  };
  REQUIRE(TestVault::eventually([&] { return refused() != waiting.end(); }));
  const Answer busy = vault.wait(*refused());
  CHECK(busy.status() == 503);
  CHECK(busy.response().retry_after == Seconds{1});
  CHECK(busy.error() == "busy: 256 requests wait for the target already; try again");
  const auto one = refused();
  vault.server()->release("create");
  waiting.erase(one);
  for (const auto& other : waiting) vault.wait(other);
  CHECK(vault.creds().status() == 200);
}

// Without the clock going on, so that its PENDING lease does not end by itself.
TEST_CASE("leases: what a CREATE makes that was given up is removed at once") {
  LeasingVault vault;
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  vault.advance(core::kEffectLimit + Nanos{Seconds{3}});
  CHECK(vault.wait(waiting).status() == 500);
  vault.server()->release("create");
  REQUIRE(TestVault::eventually([&] { return vault.server()->created() == 1; }));
  CHECK(TestVault::eventually([&] { return vault.server()->accounts().empty(); }));
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a lease that is revoked while it is renewed is not renewed") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->hang("renew");
  const auto renewal =
      vault.begin("POST", "sys/leases/renew", vault.root(), body("lease_id", lease_of(creds)));
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("renew") == 1; }));
  Json fields = Json::object();
  fields.set("lease_id", lease_of(creds)).set("sync", false);
  CHECK(vault.post("sys/leases/revoke", vault.root(), fields.dump()).status() < 300);
  vault.server()->release("renew");
  CHECK(vault.wait(renewal).status() == 400);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: the target is not asked to renew what was revoked while it was waited for") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->be("first");  // its sessions end
  vault.server()->hang("connect");
  const auto renewal =
      vault.begin("POST", "sys/leases/renew", vault.root(), body("lease_id", lease_of(creds)));
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("connect") > 0; }));
  Json fields = Json::object();
  fields.set("lease_id", lease_of(creds)).set("sync", false);
  CHECK(vault.post("sys/leases/revoke", vault.root(), fields.dump()).status() < 300);
  vault.server()->release("connect");
  const Answer refused = vault.wait(renewal);
  CHECK(refused.error().find("lease not found") != std::string::npos);
  CHECK(vault.server()->visits("renew") == 0);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a renewal that brings a lease's end nearer leaves the account's where it is") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  const WallTime end = vault.server()->end_of(account_of(creds));
  Json fields = Json::object();
  fields.set("lease_id", lease_of(creds)).set("increment", 60);
  const Answer renewed = vault.post("sys/leases/renew", vault.root(), fields.dump());
  CHECK(renewed.response().lease_duration == Seconds{60});
  CHECK(vault.server()->end_of(account_of(creds)) == end);
  vault.advance(Seconds{61});
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: no role lets its leases live longer than their mount does") {
  LeasingVault vault;
  REQUIRE(vault.post("sys/mounts/test/tune", vault.root(), R"({"max_lease_ttl":"2h"})").status() ==
          204);
  const Answer creds = vault.creds();  // of a role with four hours
  const auto longest = vault.read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    return (*live.leases.find(txn, lease_of(creds)))->max_ttl;
  });
  CHECK(longest == Seconds{2 * 3600});
}

TEST_CASE("leases: a request follows a role that leads elsewhere at each connect once") {
  LeasingVault vault;
  for (int i = 0; i < 4; ++i) {
    const auto server = vault.server("db" + std::to_string(i));
    server->set("connect", Fault::unreachable);
    server->at("connect",
               [&vault, i] { vault.role(R"({"target":"db)" + std::to_string(i + 1) + R"("})"); });
  }
  vault.role(R"({"target":"db0"})");
  CHECK(vault.creds().status() == 500);
  CHECK(vault.server("db0")->visits("connect") == 1);
  CHECK(vault.server("db1")->visits("connect") == 1);
  CHECK(vault.server("db2")->visits("connect") == 0);
  CHECK(vault.read([](core::Unsealed& live, commit::ReadTxn&) {
    return live.revoker->claimed();  // nor is any of the first plan left
  }) == 0);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a target that is down is refused at once and leaves no trace") {
  LeasingVault vault;
  vault.server()->down(true);
  CHECK(vault.creds().status() == 500);
  const Answer again = vault.creds();
  CHECK(again.status() == 500);
  CHECK(again.response().retry_after.has_value());
  CHECK(vault.count(barrier::Table::lease) == 0);
  vault.server()->down(false);
  CHECK(vault.as_time_passes([&] { return vault.creds().status() == 200; }, kStep));
}

TEST_CASE("leases: one target's outage does not touch another's") {
  LeasingVault vault;
  vault.role(R"({"target":"other","ttl":"1m"})", "other");
  const Answer here = vault.creds();
  const Answer there = vault.get("test/creds/other", vault.root());
  REQUIRE(there.status() == 200);
  vault.server()->down(true);
  vault.advance(Seconds{3601});
  CHECK(vault.as_time_passes([&] { return vault.server("other")->accounts().empty(); }, kStep));
  CHECK(vault.server()->accounts().size() == 1);
  CHECK(vault.get("test/creds/other", vault.root()).status() == 200);
  vault.server()->down(false);
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }, kStep));
}

TEST_CASE("leases: a lease revoked while it is being issued is never handed out") {
  LeasingVault vault;
  const std::string token = vault.token(R"({"ttl":"1h"})");
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", token);
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", token)).status() == 204);
  REQUIRE(TestVault::eventually([&] { return vault.count(barrier::Table::due) == 1; }));
  CHECK(vault.server()->visits("revoke") == 0);  // its owner still works on it
  vault.server()->release("create");
  const Answer answer = vault.wait(waiting);
  CHECK(answer.status() >= 400);
  CHECK(answer.data().is_null());
  CHECK(vault.ends_clean());
}

namespace {

// A vault that does something at the last moment before an effect has done its work outside.
struct LateVault : LeasingVault {
  LateVault() {
    policy("roles", R"(path "test/*" { capabilities = ["create", "read", "update"] })");
    token_text = token(R"({"policies":["roles"],"ttl":"1h"})");
  }
  // The answer to `path`, when `meanwhile` happens while the target is inside `step`.
  template <class Meanwhile>
  Answer during(const std::string& step, const std::string& method, const std::string& path,
                Meanwhile meanwhile) {
    server()->hang(step);
    const auto waiting = begin(method, path, token_text, method == "GET" ? "" : R"({"ttl":"1h"})");
    REQUIRE(eventually([&] { return server()->inside(step) == 1; }));
    meanwhile();
    server()->release(step);
    return wait(waiting);
  }
  void revoke_token() {
    REQUIRE(post("auth/token/revoke", root(), body("token", token_text)).status() == 204);
  }
  std::string token_text;
};

}  // namespace

TEST_CASE_FIXTURE(LateVault, "leases: what a revoked token had tried is not saved") {
  SUBCASE("a check") {
    const Answer answer = during("ping", "POST", "test/checked/late", [&] { revoke_token(); });
    CHECK(answer.status() == 403);
    CHECK(answer.error() == "permission denied");
  }
  SUBCASE("a probe") {
    CHECK(during("create", "POST", "test/tried/late", [&] { revoke_token(); }).status() >= 400);
  }
  CHECK(get("test/creds/late", root()).error() == "unknown role: late");
  CHECK(ends_clean());
}

TEST_CASE_FIXTURE(LateVault, "leases: what a policy forbids meanwhile is not saved") {
  const auto forbid = [&] { policy("roles", R"(path "test/*" { capabilities = ["deny"] })"); };
  SUBCASE("a check") { CHECK(during("ping", "POST", "test/checked/late", forbid).status() == 403); }
  SUBCASE("a probe") { CHECK(during("create", "POST", "test/tried/late", forbid).status() == 403); }
  SUBCASE("a credential") {
    const Answer answer = during("create", "GET", "test/creds/ro", forbid);
    CHECK(answer.status() == 403);
    CHECK(answer.data().is_null());
  }
  CHECK(get("test/creds/late", root()).error() == "unknown role: late");
  CHECK(ends_clean());
}

TEST_CASE_FIXTURE(LateVault, "leases: no credential of a role that was deleted while it waited") {
  const Answer answer = during("connect", "GET", "test/creds/ro",
                               [&] { REQUIRE(remove("test/roles/ro", root()).status() == 204); });
  CHECK(answer.status() == 400);
  CHECK(answer.error() == "unknown role: ro");
  CHECK(server()->created() == 0);
  CHECK(ends_clean());
}

TEST_CASE_FIXTURE(LateVault, "leases: what changes meanwhile and allows it is no hindrance") {
  const auto change = [&] {
    policy("other", R"(path "x" { capabilities = ["read"] })");
    REQUIRE(post("auth/token/renew-self", token_text).status() == 200);
  };
  CHECK(during("ping", "POST", "test/checked/a", change).status() == 204);
  CHECK(during("create", "POST", "test/tried/b", change).status() == 204);
  CHECK(during("create", "GET", "test/creds/a", change).status() == 200);
  CHECK(get("test/creds/b", root()).status() == 200);
}

TEST_CASE_FIXTURE(LateVault, "leases: nothing is saved in a mount that is disabled meanwhile") {
  const Answer answer = during("ping", "POST", "test/checked/late", [&] {
    REQUIRE(remove("sys/mounts/test", root()).status() == 204);
    REQUIRE(post("sys/mounts/test", root(), R"({"type":"test"})").status() == 204);
  });
  CHECK(answer.status() == 503);
  CHECK(get("test/creds/late", root()).error() == "unknown role: late");
  CHECK(ends_clean());
}

TEST_CASE("leases: a client that hung up does not keep a credential alive") {
  LeasingVault vault;
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  vault.hang_up(waiting);
  vault.server()->release("create");
  REQUIRE(TestVault::eventually([&] { return vault.answered(waiting); }));
  CHECK(vault.server()->created() == 1);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: what could not be delivered when the vault was sealed ends at the next unseal") {
  LeasingVault vault;
  Answer creds = vault.creds();
  Answer made = vault.post("auth/token/create", vault.root(), R"({"ttl":"1h"})");
  const std::string token = made.token();
  vault.seal();
  vault.core().undelivered(core::issued_by(creds.response()));
  vault.core().undelivered(core::issued_by(made.response()));
  CHECK(vault.server()->accounts().size() == 1);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(TestVault::eventually([&] { return nothing_left(vault); }));
  CHECK(vault.get("auth/token/lookup-self", token).status() == 403);
}

TEST_CASE("leases: what was asked to end just before sealing is on record") {
  for (int i = 0; i < 10; ++i) {
    testing::TestWorld world;
    {
      TestVault vault(world);
      vault.role(R"({"ttl":"1h"})");
      Answer creds = vault.get("test/creds/ro", vault.root());
      REQUIRE(creds.status() == 200);
      vault.core().undelivered(core::issued_by(creds.response()));
    }
    TestVault vault(world);
    CHECK(TestVault::eventually([&] { return nothing_left(vault); }));
  }
}

TEST_CASE("leases: a hang-up during a renewal revokes nothing") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->hang("renew");
  const auto waiting =
      vault.begin("POST", "sys/leases/renew", vault.root(), body("lease_id", lease_of(creds)));
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("renew") == 1; }));
  vault.hang_up(waiting);
  vault.server()->release("renew");
  REQUIRE(TestVault::eventually([&] { return vault.answered(waiting); }));
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds))).status() ==
        200);
}

TEST_CASE("leases: an account is not begun whose request no audit device took") {
  LeasingVault vault;
  vault.world().audit_fails = true;
  CHECK(vault.creds().status() == 500);
  CHECK(vault.server()->created() == 0);
  // Revocation does not wait for the audit log.
  CHECK(vault.ends_clean());
  vault.world().audit_fails = false;
  CHECK(vault.as_time_passes([&] { return vault.creds().status() == 200; }, kStep));
}

TEST_CASE("leases: a credential whose record waits in the store is handed out, and lives") {
  LeasingVault vault;
  vault.server()->at("create", [&] { vault.world().audit_fails = true; });
  const Answer creds = vault.creds();
  REQUIRE(creds.status() == 200);
  CHECK(vault.server()->accounts() == std::set<std::string>{account_of(creds)});
  CHECK(vault.world().audit_text().find(lease_of(creds)) == std::string::npos);
  vault.server()->at("create", [] {});
  vault.world().audit_fails = false;
  CHECK(vault.as_time_passes(
      [&] { return vault.world().audit_text().find(lease_of(creds)) != std::string::npos; },
      kStep));
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds))).status() ==
        200);
}

TEST_CASE("leases: a renewal whose record waits in the store keeps the credential") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->at("renew", [&] { vault.world().audit_fails = true; });
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds))).status() ==
        200);
  vault.world().audit_fails = false;
  std::optional<Answer> later;
  REQUIRE(vault.as_time_passes([&] {
    later = vault.creds();
    return later->status() == 200;
  }));
  REQUIRE(vault.revoke(*later).status() == 204);  // behind all that was to be revoked before
  CHECK(vault.server()->visits("revoke") == 1);
  CHECK(vault.server()->accounts() == std::set<std::string>{account_of(creds)});
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds))).status() ==
        200);
}

TEST_CASE("leases: revocation is done when the account was seen gone") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds))).status() ==
        204);
  CHECK(nothing_left(vault));
  // Again, unknown, and by the legacy path: done already.
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds))).status() ==
        204);
  CHECK(vault.post("sys/revoke/" + lease_of(creds), vault.root()).status() == 204);
  CHECK(vault.post("sys/leases/revoke", vault.root()).status() == 400);
}

TEST_CASE("leases: an asynchronous revocation answers at once") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->hang("revoke");
  const Answer answer = vault.post("sys/leases/revoke", vault.root(),
                                   R"({"sync":false,"lease_id":")" + lease_of(creds) + R"("})");
  CHECK(answer.status() == 202);
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds))).status() ==
        400);
  CHECK(vault.list("sys/leases/lookup/test/creds/ro/", vault.root()).status() == 404);
  vault.server()->release("revoke");
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: revoking while the target is down is an error, and goes on by itself") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->down(true);
  vault.advance(Seconds{10});  // so that the connection is looked at before it is used
  const auto waiting =
      vault.begin("POST", "sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds)));
  CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  const Answer answer = vault.wait(waiting);
  CHECK(answer.status() == 500);
  CHECK(answer.error().find("goes on by itself") != std::string::npos);
  int asked = 0;  // once on record, also when what it began is answered as not done
  for (const std::string& line : vault.world().audit_lines())
    asked += line.find(R"("type":"request")") != std::string::npos &&
             line.find(R"("path":"sys/leases/revoke")") != std::string::npos;
  CHECK(asked == 1);
  CHECK(vault.server()->accounts().size() == 1);
  vault.server()->down(false);
  CHECK(vault.ends_clean());
  CHECK(vault.count(barrier::Table::receipt) == 1);
}

TEST_CASE("leases: who waits for a target that is known to be down is told at once") {
  LeasingVault vault;
  const Answer kept = vault.creds(), other = vault.creds();
  vault.server()->down(true);
  vault.advance(Seconds{10});
  CHECK(vault.creds().status() == 500);  // now it is known
  const auto told = [&](const std::string& method, const std::string& path,
                        const std::string& body) {
    const auto waiting = vault.begin(method, path, vault.root(), body);
    REQUIRE(TestVault::eventually([&] { return vault.answered(waiting); }));  // no time passes
    const Answer answer = vault.wait(waiting);
    CHECK(answer.status() == 500);
    CHECK(answer.error().find("its target cannot be reached: ") != std::string::npos);
  };
  told("POST", "sys/leases/revoke", body("lease_id", lease_of(kept)));
  told("POST", "sys/leases/revoke-prefix/test/creds", "{}");
  told("DELETE", "sys/mounts/test", "{}");
  vault.server()->down(false);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a revocation that the target refuses is tried until it succeeds") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->set("revoke", Fault::refuse);
  CHECK(vault.revoke(creds).status() == 500);
  CHECK(vault.as_time_passes([&] { return vault.server()->visits("revoke") >= 4; },
                             Nanos(Seconds{5})));
  CHECK(vault.server()->accounts().size() == 1);
  const Answer waiting =
      vault.request("GET", "sys/leases", vault.root(), R"({"type":"irrevocable"})");
  REQUIRE(waiting.status() == 200);
  const Json shown = waiting.data();
  const Json& lease = shown.find("leases")->items()[0];
  CHECK(lease.string_at("lease_id") == lease_of(creds));
  CHECK(lease.string_at("error") != "revocation is under way");
  CHECK(vault.logs("cannot be revoked yet"));
  const std::string audit = vault.world().audit_text();
  const auto event = audit.find("lease-revocation-failed");
  CHECK(event != std::string::npos);
  CHECK(audit.find("lease-revocation-failed", event + 1) == std::string::npos);
  vault.server()->set("revoke", Fault::none);
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, Nanos(Seconds{5})));
}

TEST_CASE("leases: who waits for a revocation waits while the account is in use") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->set("revoke", Fault::busy);
  const auto waiting =
      vault.begin("POST", "sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds)));
  REQUIRE(TestVault::eventually([&] {
    const Answer shown =
        vault.request("GET", "sys/leases", vault.root(), R"({"type":"irrevocable"})");
    const Json* leases = shown.data().find("leases");
    return leases != nullptr && shown.data().dump().find("in use") != std::string::npos;
  }));
  vault.server()->set("revoke", Fault::none);
  vault.advance(Seconds{1});  // it is tried again by now
  CHECK(TestVault::eventually([&] { return vault.answered(waiting); }));
  CHECK(vault.wait(waiting).status() == 204);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: what is refused once after it was in use is tried again a second later") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->set("revoke", Fault::busy);
  vault.post("sys/leases/revoke", vault.root(),
             R"({"sync":false,"lease_id":")" + lease_of(creds) + R"("})");
  REQUIRE(vault.as_time_passes([&] { return vault.server()->visits("revoke") >= 8; }));
  const auto refused = [&] {
    return vault.world().audit_text().find("lease-revocation-failed") != std::string::npos;
  };
  vault.server()->set("revoke", Fault::refuse);
  REQUIRE(vault.as_time_passes(refused));
  vault.server()->set("revoke", Fault::none);
  vault.advance(Seconds{30});  // not minutes
  CHECK(TestVault::eventually([&] { return nothing_left(vault); }));
}

TEST_CASE("leases: what holds up a revocation is told with the lease that ends it") {
  LeasingVault vault;
  const Answer creds = vault.creds(), holder = vault.creds();
  vault.server()->set("revoke", Fault::busy);
  vault.server()->held_up_by(account_of(holder));
  const Answer answer = vault.revoke(creds);
  CHECK(answer.error().find("ends when its lease is revoked: " + lease_of(holder)) !=
        std::string::npos);
  vault.server()->held_up_by("somebody");
  const Answer other = vault.revoke(creds);
  CHECK(other.error().find("its lease") == std::string::npos);
  vault.server()->set("revoke", Fault::none);
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().size() == 1; }, kStep));
}

TEST_CASE("leases: an account that stays in use is told as that when the time is over") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->set("revoke", Fault::busy);
  const Answer answer = vault.revoke(creds);
  CHECK(answer.status() == 500);
  CHECK(answer.error().find("so far: the account is in use") != std::string::npos);
  vault.server()->set("revoke", Fault::none);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: however many a target refuses to revoke, those behind them are revoked") {
  constexpr std::size_t kRefused = 1100;
  LeasingVault vault;
  vault.role(R"({"ttl":"1h"})", "rw");
  while (vault.server()->accounts().size() < kRefused) {
    std::vector<TestVault::Waiting> some;
    for (int i = 0; i < 100; ++i) some.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
    for (const auto& one : some) REQUIRE(vault.wait(one).status() == 200);
  }
  vault.server()->keep(vault.server()->accounts());
  vault.post("sys/leases/revoke-prefix/test/creds/ro", vault.root(), R"({"sync":false})");
  // All of them were refused, and some again.
  REQUIRE(vault.as_time_passes(
      [&] { return vault.server()->visits("revoke") > static_cast<int>(kRefused + 100); }));
  const Answer creds = vault.get("test/creds/rw", vault.root());
  REQUIRE(creds.status() == 200);
  vault.post("sys/leases/revoke", vault.root(),
             R"({"sync":false,"lease_id":")" + lease_of(creds) + R"("})");
  CHECK(TestVault::eventually([&] { return vault.server()->accounts().size() == kRefused; }));
  vault.server()->keep({});
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, Nanos(Seconds{5})));
}

TEST_CASE("leases: a revocation that fails slowly holds up no other that is tried again") {
  LeasingVault vault;
  const Answer slow = vault.creds(), quick = vault.creds();
  vault.server()->keep(vault.server()->accounts());
  const auto revoke = [&](const Answer& creds) {
    vault.post("sys/leases/revoke", vault.root(),
               R"({"sync":false,"lease_id":")" + lease_of(creds) + R"("})");
  };
  revoke(slow);
  REQUIRE(TestVault::eventually([&] { return vault.server()->visits("look") == 1; }));
  vault.server()->hang("look");
  REQUIRE(vault.as_time_passes([&] { return vault.server()->inside("look") == 1; }));
  vault.advance(Seconds{2});
  vault.server()->release("look");
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("look") == 0; }));
  revoke(quick);
  REQUIRE(TestVault::eventually([&] { return vault.server()->visits("look") == 3; }));
  vault.server()->hang("look");
  CHECK(vault.as_time_passes([&] { return vault.server()->inside("look") == 2; }));
  vault.server()->release("look");
  vault.server()->keep({});
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, Nanos(Seconds{5})));
}

TEST_CASE("leases: what was asked for while storage failed is revoked when it works again") {
  testing::FaultyWorld world;
  TestVault vault(world);
  vault.role(R"({"ttl":"700h"})");  // neither ends by itself meanwhile
  const std::string lease = lease_of(vault.get("test/creds/ro", vault.root()));
  const std::string token = vault.token(R"({"ttl":"700h"})");
  const std::size_t tokens = vault.count(barrier::Table::token);
  core::Unsealed* live = vault.lifecycle().enter();
  REQUIRE(live != nullptr);
  const auto id = live->leases.id_of(lease);
  REQUIRE(id.has_value());
  int calls = 10;  // two passes
  SUBCASE("whatever is called") {}
  SUBCASE("its commits alone") {
    world.fails->commits_only = true;
    calls = 1;
  }
  world.fails->left = 0;
  live->revoker->revoke_soon(*id);
  live->revoker->revoke_token_soon(live->tokens.id_of(token));
  vault.lifecycle().leave();
  const int failed = world.fails->failed;
  CHECK(TestVault::eventually([&] { return world.fails->failed > failed + calls; }));
  world.fails->left = -1;
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, kStep));
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::token) < tokens; }, kStep));
}

TEST_CASE("leases: a target whose settings cannot be opened is reported once, not ever again") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->down(true);
  vault.post("sys/leases/revoke", vault.root(),
             R"({"sync":false,"lease_id":")" + lease_of(creds) + R"("})");
  vault.seal();
  vault.world().servers.lose_settings("db", true);
  REQUIRE(vault.unseal().status() == 200);
  const auto reports = [&] {
    const std::string log = vault.world().log.text(), text = " wait: its settings are lost";
    std::size_t count = 0;
    for (auto at = log.find(text); at != log.npos; at = log.find(text, at + 1)) ++count;
    return count;
  };
  CHECK(TestVault::eventually([&] { return reports() > 0; }));
  const int looks = vault.world().servers.looks();
  CHECK(TestVault::eventually([&] { return vault.world().servers.looks() > looks + 3; }));
  CHECK(reports() == 1);
  vault.world().servers.lose_settings("db", false);
  vault.server()->down(false);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a credential whose lease cannot be made active is not handed out") {
  testing::FaultyWorld world;
  TestVault vault(world);
  vault.role(R"({"ttl":"1h"})");
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  world.fails->commits_only = true;
  world.fails->left = 0;
  vault.server()->release("create");
  const Answer answer = vault.wait(waiting);
  world.fails->left = -1;
  CHECK(answer.status() >= 500);
  CHECK(answer.data().is_null());
  CHECK(lease_of(answer).empty());
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, kStep));
}

TEST_CASE("leases: an older snapshot does not bring a target's older settings back") {
  LeasingVault vault;
  core::Unsealed* live = vault.lifecycle().enter();
  REQUIRE(live != nullptr);
  const core::TargetId id{'d', 'b'};
  const auto space = vault.read([&](core::Unsealed& unsealed, commit::ReadTxn& txn) {
    return (*unsealed.mounts.at(txn))->mounts.at("test/")->info.space;
  });
  const auto change = [&](const std::string& text) {
    auto held = live->snapshots.take();
    REQUIRE(held.ok());
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn txn(**held, live->barrier, space, batch);
    REQUIRE(txn.put("targets/" + hex(id), as_bytes(text)).ok());
    REQUIRE(live->committer.commit(batch).status().ok());
  };
  const auto target_in = [&](commit::Snapshots::Held& held) {
    commit::ReadTxn txn(*held, live->barrier, barrier::kCoreSpace);
    const auto lane = live->revoker->lane(txn, space, id);
    REQUIRE(lane.ok());
    return (*lane)->target();
  };
  {
    change("first");
    auto older = live->snapshots.take();
    change("second");
    auto newer = live->snapshots.take();
    const auto before = target_in(*older), after = target_in(*newer);
    CHECK(before != after);
    CHECK(target_in(*older) == after);
  }
  {  // also when the newer ones came while the older ones were being opened
    change("third");
    auto older = live->snapshots.take();
    change("fourth");
    auto newer = live->snapshots.take();
    std::shared_ptr<const target::Target> after;
    vault.world().servers.between([&] {
      if (!after) after = target_in(*newer);
    });
    CHECK(target_in(*older) == after);
    vault.world().servers.between({});
    CHECK(target_in(*newer) == after);
  }
  vault.lifecycle().leave();
}

TEST_CASE("leases: a lost answer of REVOKE is asked for again, and absent is success") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->set("revoke", Fault::lose_answer);
  CHECK(vault.revoke(creds).status() == 500);
  CHECK(vault.server()->accounts().empty());
  CHECK(vault.count(barrier::Table::lease) == 1);
  vault.server()->set("revoke", Fault::none);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: all leases under a prefix are revoked, however many") {
  LeasingVault vault;
  vault.role(R"({"ttl":"1h"})", "rw");
  const Answer kept = vault.get("test/creds/rw", vault.root());
  std::vector<TestVault::Waiting> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
    if (all.size() < 100) continue;
    for (const auto& one : all) CHECK(vault.wait(one).status() == 200);
    all.clear();
  }
  REQUIRE(vault.server()->accounts().size() == 1001);
  // The clock stands still: how long a thousand take depends on the machine.
  CHECK(vault.post("sys/leases/revoke-prefix/test/creds/ro", vault.root()).status() == 204);
  CHECK(vault.server()->accounts() == std::set<std::string>{account_of(kept)});
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.count(barrier::Table::receipt) == 1000);
  CHECK(vault.verifies());
  // A prefix may be one lease's id.
  CHECK(vault.post("sys/leases/revoke-force/" + lease_of(kept), vault.root()).status() == 204);
  CHECK(vault.server()->accounts().empty());
}

TEST_CASE("leases: a prefix does not wait for the second look at what was seen absent") {
  LeasingVault vault;
  vault.server()->set("create", Fault::lose_answer);
  CHECK(vault.creds().status() >= 500);
  CHECK(TestVault::eventually(
      [&] { return vault.server()->visits("revoke") == 1 && vault.server()->accounts().empty(); }));
  CHECK(vault.count(barrier::Table::lease) == 1);
  vault.server()->set("create", Fault::none);
  CHECK(vault.creds().status() == 200);
  // The clock stands still, and with it the twenty seconds until that look.
  const auto waiting =
      vault.begin("POST", "sys/leases/revoke-prefix/test/creds/ro", vault.root(), "{}");
  CHECK(TestVault::eventually([&] { return vault.answered(waiting); }));
  CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  CHECK(vault.wait(waiting).status() == 204);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: disabling a mount revokes its leases, then erases what it held") {
  LeasingVault vault;
  vault.post("test/notes/a", vault.root(), R"({"x":1})");
  std::vector<TestVault::Waiting> all;
  for (int i = 0; i < 150; ++i) all.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
  for (const auto& one : all) CHECK(vault.wait(one).status() == 200);
  const auto values = vault.count(barrier::Table::value);
  CHECK(vault.remove("sys/mounts/test", vault.root()).status() == 204);
  CHECK(vault.server()->accounts().empty());
  CHECK(vault.get("test/notes/a", vault.root()).status() == 404);
  CHECK(vault.creds().status() == 404);
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::value) < values - 1; }));
  CHECK(TestVault::eventually([&] { return vault.targets() == 0; }));
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a mount disabled while its target is down goes on being emptied") {
  LeasingVault vault;
  CHECK(vault.creds().status() == 200);
  vault.server()->down(true);
  vault.advance(Seconds{10});
  const auto waiting = vault.begin("DELETE", "sys/mounts/test", vault.root());
  CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  CHECK(vault.wait(waiting).status() == 500);
  CHECK(vault.creds().status() == 404);
  vault.server()->down(false);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a mount that waits to be emptied does not walk over all other leases") {
  constexpr int kOthers = 400;
  testing::FaultyWorld world;
  TestVault vault(world);
  REQUIRE(vault.post("sys/mounts/other", vault.root(), R"({"type":"test"})").status() == 204);
  vault.role();
  REQUIRE(vault.post("other/roles/far", vault.root(), R"({"target":"far"})").status() == 204);
  REQUIRE(vault.get("other/creds/far", vault.root()).status() == 200);
  constexpr int kTogether = 100;  // a lane holds 256 waiting jobs
  for (int i = 0; i < kOthers; i += kTogether) {
    std::vector<TestVault::Waiting> some;
    for (int k = 0; k < kTogether; ++k)
      some.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
    for (const auto& one : some) REQUIRE(vault.wait(one).status() == 200);
  }
  vault.server("far")->down(true);
  vault.advance(Seconds{10});
  const auto waiting = vault.begin("DELETE", "sys/mounts/other", vault.root());
  REQUIRE(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
  // Passes of the revoker, five a second, while the target is down.
  constexpr int kCalls = 1'000'000, kPasses = 3;
  world.fails->left = kCalls;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(200 * kPasses);
  CHECK(TestVault::eventually([&] { return std::chrono::steady_clock::now() > end; }));
  CHECK(kCalls - world.fails->left < kPasses * kOthers / 2);
  world.fails->left = -1;
  vault.server("far")->down(false);
  CHECK(vault.as_time_passes([&] { return vault.server("far")->accounts().empty(); }, kStep));
  CHECK(TestVault::eventually([&] {
    return vault.read([](core::Unsealed& live, commit::ReadTxn& txn) {
      return (*live.mounts.at(txn))->mounts.removing().empty();
    });
  }));
  CHECK(vault.count(barrier::Table::lease) == kOthers);
  CHECK(vault.verifies());
}

TEST_CASE("leases: a probe leaves neither account nor lease, whatever its outcome") {
  LeasingVault vault;
  CHECK(vault.post("test/tried/new", vault.root(), R"({"ttl":"1h"})").status() == 204);
  CHECK(vault.server()->created() == 1);
  CHECK(nothing_left(vault));
  CHECK(vault.get("test/creds/new", vault.root()).status() == 200);
  for (const auto& step : {"create", "revoke"}) {
    for (const Fault fault : {Fault::refuse, Fault::lose_answer}) {
      vault.server()->set(step, fault);
      CHECK(vault.post("test/tried/bad", vault.root(), R"({"ttl":"1h"})").status() >= 400);
      vault.server()->set(step, Fault::none);
      CHECK(vault.get("test/creds/bad", vault.root()).status() == 400);
      CHECK(vault.list("sys/leases/lookup/test/tried/bad/", vault.root()).status() == 404);
    }
  }
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().size() == 1; }, kStep));
}

TEST_CASE("leases: what cannot be tried, because its target is down, is settled untried and said") {
  LeasingVault vault;
  const auto leases = vault.count(barrier::Table::lease);
  vault.server()->down(true);
  vault.advance(Seconds{10});
  for (const char* name : {"first", "second"}) {  // found out by this one; known by the other
    CAPTURE(name);
    const Answer answer =
        vault.post(std::string("test/tried/") + name, vault.root(), R"({"ttl":"1h"})");
    CHECK(answer.status() == 204);
    REQUIRE(answer.response().quiet_warnings.size() == 1);
    CHECK(answer.response().quiet_warnings[0].starts_with("untried: the target is not available"));
  }
  CHECK(vault.count(barrier::Table::lease) == leases);
  CHECK(vault.server()->created() == 0);
  vault.server()->down(false);
  CHECK(vault.as_time_passes(
      [&] { return vault.get("test/creds/second", vault.root()).status() == 200; }, kStep));
  CHECK(vault.verifies());
}

TEST_CASE("leases: two requests at once have two accounts") {
  LeasingVault vault;
  std::vector<TestVault::Waiting> all;
  for (int i = 0; i < 60; ++i) all.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
  std::set<std::string> accounts, leases;
  for (const auto& one : all) {
    const Answer answer = vault.wait(one);
    CHECK(answer.status() == 200);
    accounts.insert(account_of(answer));
    leases.insert(lease_of(answer));
  }
  CHECK(accounts.size() == 60);
  CHECK(leases.size() == 60);
  CHECK(vault.server()->accounts() == accounts);
}

TEST_CASE("leases: deleting a role breaks none of its leases") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  CHECK(vault.remove("test/roles/ro", vault.root()).status() == 204);
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", lease_of(creds))).status() ==
        200);
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds))).status() ==
        204);
  CHECK(nothing_left(vault));
}

TEST_CASE("leases: a token takes the leases of all below it along, revoked or expired") {
  LeasingVault vault;
  const std::string parent = vault.token(R"({"ttl":"10m"})");
  const std::string child = vault.token(R"({"ttl":"1h"})", parent);
  const std::string other = vault.token(R"({"ttl":"1h"})");
  const Answer kept = vault.creds(other);
  CHECK(vault.creds(parent).status() == 200);
  CHECK(vault.creds(child).status() == 200);
  REQUIRE(vault.server()->accounts().size() == 3);
  SUBCASE("revoked") {
    CHECK(vault.post("auth/token/revoke", vault.root(), body("token", parent)).status() == 204);
  }
  SUBCASE("revoked, children left alive") {
    CHECK(vault.post("auth/token/revoke-orphan", vault.root(), body("token", parent)).status() ==
          204);
    CHECK(vault.as_time_passes([&] { return vault.server()->accounts().size() == 2; },
                               std::chrono::milliseconds(50)));
    CHECK(vault.post("auth/token/revoke", vault.root(), body("token", child)).status() == 204);
  }
  SUBCASE("expired") { vault.advance(Seconds{600}); }
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().size() == 1; },
                             std::chrono::milliseconds(50)));
  CHECK(vault.server()->accounts() == std::set<std::string>{account_of(kept)});
  CHECK(vault.verifies());
}

TEST_CASE("leases: a prefix that is being revoked takes in what is being issued below it") {
  LeasingVault vault;
  vault.server()->hang("create");
  const auto waiting = vault.begin("GET", "test/creds/ro", vault.root());
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("create") == 1; }));
  CHECK(vault.post("sys/leases/revoke-prefix/test/", vault.root(), R"({"sync":false})").status() ==
        202);
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.count(barrier::Table::due) == 1);
  vault.server()->release("create");
  CHECK(vault.wait(waiting).status() >= 400);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: a revocation that was accepted goes on after a restart") {
  testing::TestWorld world;
  {
    TestVault vault(world);
    vault.role(R"({"ttl":"1h"})");
    std::vector<TestVault::Waiting> all;
    for (int i = 0; i < 200; ++i) all.push_back(vault.begin("GET", "test/creds/ro", vault.root()));
    for (const auto& one : all) CHECK(vault.wait(one).status() == 200);
    CHECK(
        vault.post("sys/leases/revoke-prefix/test/", vault.root(), R"({"sync":false})").status() ==
        202);
  }
  TestVault vault(world);
  CHECK(vault.as_time_passes([&] { return nothing_left(vault); }, std::chrono::milliseconds(50)));
  CHECK(vault.count(barrier::Table::receipt) == 200);
}

TEST_CASE("leases: an account that somebody else removed is told as that, not as a success") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->drop(account_of(creds));
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds))).status() ==
        204);
  CHECK(vault.ends_clean());
  for (const char* what : {"lease-account-missing", R"("account_missing":true)"})
    CHECK(TestVault::eventually(
        [&] { return vault.world().audit_text().find(what) != std::string::npos; }));
  CHECK(vault.logs("was missing when it was revoked"));
}

TEST_CASE("leases: an account is missing only when it was there and nothing of ours removed it") {
  LeasingVault vault;
  const auto missing = [&] {
    return vault.world().audit_text().find("missing") != std::string::npos;
  };
  SUBCASE("it was never made") {
    vault.server()->set("create", AccountServer::Fault::unreachable);
    CHECK(vault.creds().status() == 500);
  }
  SUBCASE("an attempt removed it and could not look") {
    const Answer creds = vault.creds();
    vault.server()->set("look", AccountServer::Fault::refuse);
    CHECK(vault.revoke(creds).status() == 500);
    CHECK(vault.server()->accounts().empty());
    vault.server()->set("look", AccountServer::Fault::none);
  }
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::lease) == 0; }));
  CHECK_FALSE(missing());
}

TEST_CASE("leases: a missing account that a process before may have removed is told as that") {
  testing::TestWorld world;
  {
    TestVault vault(world);
    vault.role(R"({"ttl":"1h"})");
    const Answer creds = vault.get("test/creds/ro", vault.root());
    REQUIRE(creds.status() == 200);
    world.servers["db"]->set("look", AccountServer::Fault::refuse);
    const auto waiting =
        vault.begin("POST", "sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds)));
    CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }, kStep));
    CHECK(vault.wait(waiting).status() == 500);
    REQUIRE(world.servers["db"]->accounts().empty());
  }
  world.servers["db"]->set("look", AccountServer::Fault::none);
  TestVault vault(world);
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::lease) == 0; }));
  // Its line is durable with that, and written behind it.
  const auto tells = [&](const char* what) {
    return vault.as_time_passes([&] { return world.audit_text().find(what) != std::string::npos; });
  };
  CHECK(tells("lease-account-missing"));
  CHECK(tells(R"("began_before_restart":true)"));
}

TEST_CASE("leases: who loses the right while a connection is opened gets no account") {
  LeasingVault vault;
  vault.policy("app", R"(path "test/creds/*" { capabilities = ["read"] })");
  const std::string token = vault.token(R"({"policies":["app"]})");
  vault.server()->hang("connect");
  const auto waiting = vault.begin("GET", "test/creds/ro", token);
  REQUIRE(TestVault::eventually([&] { return vault.server()->inside("connect") == 1; }));
  SUBCASE("its token was revoked") {
    REQUIRE(vault.post("auth/token/revoke", vault.root(), body("token", token)).status() == 204);
  }
  SUBCASE("its policy is another") {
    vault.policy("app", R"(path "other/*" { capabilities = ["read"] })");
  }
  vault.server()->release("connect");
  CHECK(vault.wait(waiting).status() == 403);
  CHECK(vault.server()->created() == 0);
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: an account is found by its handle when it has another name") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->rename(account_of(creds), "mallory");
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", lease_of(creds))).status() ==
        204);
  CHECK(vault.ends_clean());
  CHECK(vault.world().audit_text().find(R"("renamed_to":"mallory")") != std::string::npos);
  CHECK(vault.logs("renamed to mallory"));
}

TEST_CASE("leases: what another server says of an account counts for nothing") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  vault.server()->drop(account_of(creds));  // the other one does not have it
  vault.server()->be("second");
  CHECK(vault.revoke(creds).status() == 500);
  CHECK(vault.count(barrier::Table::lease) == 1);
  CHECK(vault.world().audit_text().find("lease-revoked") == std::string::npos);
  const Answer irrevocable =
      vault.request("GET", "sys/leases", vault.root(), body("type", "irrevocable"));
  CHECK(irrevocable.data().dump().find("another server answers there (second)") !=
        std::string::npos);
  const Answer refused = vault.creds();
  CHECK(refused.status() == 500);
  CHECK(refused.error().find("same_server=true") != std::string::npos);
  vault.server()->be("first");
  CHECK(vault.ends_clean());
}

TEST_CASE("leases: which server a target stands for is remembered through a restart") {
  testing::TestWorld world;
  {
    TestVault vault(world);
    vault.role(R"({"ttl":"1h"})");
    REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  }
  world.servers["db"]->be("second");
  TestVault vault(world);
  CHECK(vault.get("test/creds/ro", vault.root()).status() == 500);
  world.servers["db"]->be("first");
  CHECK(vault.as_time_passes(
      [&] { return vault.get("test/creds/ro", vault.root()).status() == 200; }));
}

TEST_CASE("leases: of renewals side by side none leaves the account an end before its lease's") {
  LeasingVault vault;
  const Answer creds = vault.creds();
  const auto renew = [&](int increment) {
    Json fields = Json::object();
    fields.set("lease_id", lease_of(creds)).set("increment", increment);
    return vault.begin("POST", "sys/leases/renew", vault.root(), fields.dump());
  };
  CHECK(vault.wait(renew(60)).status() == 200);  // so that neither end is that of the lease
  // The first has changed the account and waits until the second has ended, if it can.
  std::atomic<bool> second_ended{false};
  vault.server()->at("renewed", [&] {
    if (vault.server()->visits("renewed") == 2)
      TestVault::eventually([&] { return second_ended.load(); });
  });
  const auto longer = renew(3000);
  REQUIRE(TestVault::eventually([&] { return vault.server()->visits("renewed") == 2; }));
  const auto shorter = renew(65);
  for (int i = 0; i < 300 && !vault.answered(shorter); ++i)  // it had its time
    vault.post("sys/leases/lookup", vault.root(), body("lease_id", lease_of(creds)));
  second_ended = true;
  CHECK(vault.wait(shorter).status() == 200);
  CHECK(vault.wait(longer).status() == 200);
  const auto end = vault.read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    return (*live.leases.find(txn, lease_of(creds)))->expires;
  });
  CHECK(vault.server()->end_of(account_of(creds)) >= end);
}
