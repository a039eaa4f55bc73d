// The road of a request: order of checks, conflicts, audit, failing storage.

#include <doctest/doctest.h>

#include "tests/support/faulty_storage.h"
#include "tests/support/test_vault.h"
#include "vault/audit/verify.h"

using namespace leasehold;
using testing::Answer;
using testing::FaultyStorage;
using testing::TestVault;
using testing::TestWorld;

namespace {

// The bodies of the lines whose type is request or response.
std::vector<Json> records(TestWorld& world, const std::string& type) {
  std::vector<Json> out;
  for (const std::string& line : world.audit_lines()) {
    auto parsed = parse_json(line);
    REQUIRE(parsed.ok());
    const Json* body = parsed->find("body");
    const Json& record = body != nullptr ? *body : *parsed;
    if (record.string_at("type") == type) out.push_back(record);
  }
  return out;
}
std::string path_of(const Json& record) { return record.find("request")->string_at("path"); }
int lines_about(TestWorld& world, const std::string& type, const std::string& path) {
  int count = 0;
  for (const Json& record : records(world, type)) count += path_of(record) == path ? 1 : 0;
  return count;
}

}  // namespace

TEST_CASE("road: who asks is looked at first, then what is asked for") {
  TestVault vault;
  const std::string nobody = vault.token(R"({"policies":["default"]})");
  CHECK(vault.get("nowhere/x", "bad").status() == 403);
  CHECK(vault.get("nowhere/x", nobody).status() == 403);
  const Answer none = vault.get("nowhere/x", vault.root());
  CHECK(none.status() == 404);
  CHECK(none.error() == "no handler for route \"nowhere/x\". route entry not found.");
  const Answer path = vault.get("test/no/such/thing", vault.root());
  CHECK(path.status() == 404);
  CHECK(path.error() == "1 error occurred:\n\t* unsupported path\n\n");
  const Answer verb = vault.remove("test/slow", vault.root());
  CHECK(verb.status() == 405);
  CHECK(verb.error() == "1 error occurred:\n\t* unsupported operation\n\n");
}

TEST_CASE("road: a write is a create or an update by what is there") {
  TestVault vault;
  vault.policy("creates", R"(path "test/notes/*" { capabilities = ["create"] })");
  vault.policy("updates", R"(path "test/notes/*" { capabilities = ["update"] })");
  const std::string creates = vault.token(R"({"policies":["creates"]})");
  const std::string updates = vault.token(R"({"policies":["updates"]})");
  CHECK(vault.post("test/notes/a", updates, R"({"x":1})").status() == 403);
  CHECK(vault.post("test/notes/a", creates, R"({"x":1})").status() == 204);
  CHECK(vault.post("test/notes/a", creates, R"({"x":2})").status() == 403);
  CHECK(vault.post("test/notes/a", updates, R"({"x":3})").status() == 204);
  CHECK(vault.get("test/notes/a", vault.root()).data().integer_at("x") == 3);
}

TEST_CASE("road: an unauthenticated route takes no token, a good one, and ignores a bad one") {
  TestVault vault;
  CHECK_FALSE(vault.get("test/open/x", "").data().bool_at("known"));
  CHECK_FALSE(vault.get("test/open/x", "nonsense").data().bool_at("known"));
  CHECK(vault.get("test/open/x", vault.root()).data().bool_at("known"));
}

TEST_CASE("road: a crowd that changes one record changes it one by one") {
  TestVault vault;
  std::vector<TestVault::Waiting> all;
  std::set<std::int64_t> values;
  for (int i = 0; i < 300; ++i) all.push_back(vault.begin("POST", "test/counters/c", vault.root()));
  for (const auto& one : all) {
    const Answer answer = vault.wait(one);
    CHECK(answer.status() == 200);
    values.insert(answer.data().integer_at("value"));
  }
  CHECK(values.size() == 300);
  CHECK(*values.rbegin() == 300);
  // After one conflict each runs alone; it is sent back again only by one that had none.
  CHECK(vault.world().servers.counted() <= 2 * 300);
  CHECK(lines_about(vault.world(), "response", "test/counters/c") == 300);
  CHECK(lines_about(vault.world(), "request", "test/counters/c") == 300);
}

TEST_CASE("road: an error of ours tells the client nothing and the log everything") {
  TestVault vault;
  const Answer answer = vault.get("test/broken", vault.root());
  CHECK(answer.status() == 500);
  CHECK(answer.error() == "1 error occurred:\n\t* internal error\n\n");
  CHECK(vault.world().log.text().find("a detail for the log") != std::string::npos);
}

TEST_CASE("road: help needs no handler") {
  TestVault vault;
  const Answer answer = vault.request("HELP", "test/notes/a", vault.root());
  CHECK(answer.status() == 200);
  CHECK(answer.data().string_at("help").find("For tests") != std::string::npos);
  const std::string help =
      vault.request("HELP", "sys/leases/renew", vault.root()).data().string_at("help");
  for (const char* part : {"Request:        leases/renew\n", "Matching Route: leases/renew\n",
                           "## PARAMETERS\n\n    increment (duration (sec))\n",
                           "    lease_id (string)\n", "\n## DESCRIPTION\n\n    "})
    CHECK_MESSAGE(help.find(part) != std::string::npos, part);
}

TEST_CASE("road: every request has its two lines, refusals and errors too") {
  TestVault vault;
  TestWorld& world = vault.world();
  vault.role();
  struct Row {
    const char *method, *path, *body;
    bool with_token;
  };
  const Row rows[] = {
      {"GET", "test/notes/none", "", true},     {"POST", "test/notes/n", R"({"x":1})", true},
      {"GET", "test/notes/n", "", false},       {"GET", "nowhere/x", "", true},
      {"GET", "test/broken", "", true},         {"GET", "test/slow", "", true},
      {"GET", "test/creds/ro", "", true},       {"POST", "test/tried/t", "{}", true},
      {"GET", "test/creds/none", "", true},     {"DELETE", "test/slow", "", true},
      {"GET", "test/open/x", "", false},        {"LIST", "test/notes/", "", true},
      {"POST", "auth/token/create", "{}", true}};
  for (const Row& row : rows) {
    CAPTURE(row.path);
    const auto requests = records(world, "request").size();
    const auto responses = records(world, "response").size();
    vault.request(row.method, row.path, row.with_token ? vault.root() : "", row.body);
    REQUIRE(records(world, "request").size() == requests + 1);
    REQUIRE(records(world, "response").size() == responses + 1);
    CHECK(path_of(records(world, "request").back()) == row.path);
    CHECK(path_of(records(world, "response").back()) == row.path);
  }
}

TEST_CASE("road: nothing is answered that is not on record") {
  TestVault vault;
  vault.post("test/notes/a", vault.root(), R"({"x":1})");
  const std::string token = vault.token(R"({"ttl":"1h"})");
  vault.world().audit_fails = true;
  for (const char* path : {"test/notes/a", "nowhere/x", "auth/token/lookup-self"}) {
    const Answer answer = vault.get(path, vault.root());
    CHECK(answer.status() == 500);
    CHECK(answer.data().is_null());
  }
  // Nothing is made by then, and nothing renewed.
  const Answer made = vault.post("auth/token/create", vault.root());
  CHECK(made.status() == 500);
  CHECK(made.token().empty());
  CHECK(vault.post("auth/token/renew-self", token).status() == 500);
  vault.world().audit_fails = false;
  CHECK(vault.as_time_passes(
      [&] { return vault.get("test/notes/a", vault.root()).status() == 200; }));
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::token) == 2; }));
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE("road: a change that no audit device took is on record once one works") {
  for (const bool restarted : {false, true}) {
    TestVault vault;
    TestWorld& world = vault.world();
    world.audit_fails = true;
    CHECK(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
    world.audit_fails = false;
    CHECK(lines_about(world, "response", "test/notes/a") == 0);
    // Groups after it are recorded, synced and erased from storage.
    REQUIRE(vault.as_time_passes(
        [&] { return vault.post("test/notes/b", vault.root(), R"({"x":1})").status() == 204; }));
    for (int i = 0; i < 50; ++i)
      CHECK(vault.post("test/notes/b", vault.root(), R"({"x":1})").status() == 204);
    vault.seal();
    if (restarted) REQUIRE(vault.unseal().status() == 200);
    CHECK(lines_about(world, "request", "test/notes/a") == 1);
    CHECK(lines_about(world, "response", "test/notes/a") == 1);
  }
}

TEST_CASE("road: who has no valid token cannot fill the audit log") {
  TestVault vault;
  TestWorld& world = vault.world();
  std::string body = "{\"" + std::string(200'000, '<') + "\":1}";
  const std::size_t before = world.audit_text().size();
  for (const char* token : {"", "bad", "hvs.wrong"})
    CHECK(vault.post("test/notes/a", token, body).status() == 403);
  CHECK(world.audit_text().size() < before + 10'000);
  const Json request = *records(world, "request").back().find("request");
  CHECK(request.find("data") == nullptr);
  CHECK(request.bool_at("data_omitted"));
  // Who may ask is on record with what they asked, refused or not.
  const std::string nobody = vault.token(R"({"policies":["default"]})");
  CHECK(vault.post("test/notes/a", nobody, R"({"x":"y"})").status() == 403);
  const Json refused = *records(world, "request").back().find("request");
  CHECK(refused.find("data")->string_at("x").starts_with("hmac-sha256:"));
  CHECK(refused.find("data_omitted") == nullptr);
}

TEST_CASE("road: a token whose client hung up is revoked, a renewed one is not") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"1h"})");
  auto request = [&](const char* path, const std::string& as) {
    const auto waiting = vault.begin("POST", path, as, "{}");
    vault.hang_up(waiting);
    CHECK(TestVault::eventually([&] { return vault.answered(waiting); }));
  };
  for (int i = 0; i < 20; ++i) request("auth/token/create", vault.root());
  request("auth/token/renew-self", token);
  // Some answers may have left before the hang-up; a token is never left without a holder.
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE("road: storage that fails at any call loses nothing and invents nothing") {
  TestWorld world;
  auto inner = std::move(world.storage);
  auto faulty = std::make_unique<FaultyStorage>(*inner, -1);
  FaultyStorage& storage = *faulty;
  world.storage = std::move(faulty);
  TestVault vault(world);
  vault.role();
  struct Row {
    const char *method, *path;
    const char* body;
  };
  const Row rows[] = {{"POST", "test/counters/c", "{}"},
                      {"POST", "test/notes/n", R"({"x":1})"},
                      {"POST", "auth/token/create", R"({"ttl":"1h"})"},
                      {"GET", "test/creds/ro", ""},
                      {"DELETE", "test/notes/n", ""}};
  std::int64_t counted = 0;
  for (const Row& row : rows) {
    CAPTURE(row.path);
    for (int nth = 0; nth < 60; ++nth) {
      storage.left = nth;
      const Answer answer = vault.request(row.method, row.path, vault.root(), row.body);
      storage.left = -1;
      if (answer.status() < 300 && std::string(row.path) == "test/counters/c") ++counted;
      // 507: storage said that it did not happen.
      if (answer.status() >= 300) CHECK((answer.status() == 500 || answer.status() == 507));
    }
  }
  const Answer last = vault.post("test/counters/c", vault.root());
  CHECK(last.data().integer_at("value") == counted + 1);
  CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
  CHECK(vault.post("sys/leases/revoke-prefix/test/", vault.root(), R"({"sync":false})").status() ==
        202);
  CHECK(vault.as_time_passes([&] {
    return vault.server()->accounts().empty() && vault.count(barrier::Table::lease) == 0;
  }));
  CHECK(vault.verifies());
}

TEST_CASE("road: the audit log is whole after everything") {
  TestVault vault;
  vault.role();
  for (int i = 0; i < 20; ++i) {
    vault.post("test/notes/" + std::to_string(i), vault.root(), R"({"x":1})");
    vault.get("test/creds/ro", vault.root());
  }
  vault.seal();
  CHECK(vault.unseal().status() == 200);
  vault.seal();
  const auto verdict = audit::verify_files({vault.world().audit_path()}, {});
  REQUIRE(verdict.ok());
  CHECK(verdict->whole);
}

TEST_CASE("road: requests of one turn share their audit write, and each has its lines") {
  for (const bool always : {false, true}) {
    TestWorld world;
    world.audit_sync_always = always;
    TestVault vault(world);
    vault.post("test/notes/a", vault.root(), R"({"x":1})");
    const auto all_answer = [&](int status) {
      std::vector<TestVault::Waiting> waiting;
      for (int i = 0; i < 40; ++i)
        waiting.push_back(vault.begin("GET", "test/notes/a", vault.root()));
      for (const auto& one : waiting) CHECK(vault.wait(one).status() == status);
    };
    const int before = lines_about(world, "response", "test/notes/a");
    all_answer(200);
    CHECK(lines_about(world, "response", "test/notes/a") == before + 40);
    CHECK(lines_about(world, "request", "test/notes/a") == before + 40);
    world.audit_fails = true;
    all_answer(500);
    world.audit_fails = false;
    vault.advance(Seconds{1});
    all_answer(200);
    vault.seal();
    const auto verdict = audit::verify_files({world.audit_path()}, {});
    REQUIRE(verdict.ok());
    CHECK(verdict->whole);
  }
}

TEST_CASE("road: what is remembered of a token ends with its record, and with its parent's") {
  TestVault vault;
  const std::string parent = vault.token(R"({"ttl":"1h","policies":["root"]})");
  const std::string child = vault.token(R"({"ttl":"30m"})", parent);
  for (int i = 0; i < 3; ++i) CHECK(vault.get("auth/token/lookup-self", child).status() == 200);
  CHECK(vault.post("auth/token/renew-self", child, R"({"increment":"50m"})").status() == 200);
  CHECK(vault.get("auth/token/lookup-self", child).data().integer_at("ttl") > 1800);
  CHECK(vault.post("auth/token/revoke-self", parent).status() == 204);
  CHECK(vault.get("auth/token/lookup-self", parent).status() == 403);
  CHECK(vault.get("auth/token/lookup-self", child).status() == 403);
}
