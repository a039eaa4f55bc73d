// policy test and policy lint, without and with a server; why a request was denied.

#include <doctest/doctest.h>

#include <fstream>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"
#include "vault/base/json.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string write(const Program& program, const std::string& name, const std::string& text) {
  const std::string file = program.home().path() + "/" + name;
  std::ofstream(file) << text;
  return file;
}

constexpr char kApp[] = R"(path "secret/data/app/*" { capabilities = ["read"] }
path "secret/data/app/form" {
  capabilities = ["create", "update"]
  denied_parameters = { "admin" = [] }
}
path "sys/audit" { capabilities = ["read"] }
path "secret/data/app/soon" {
  capabilities = ["read"]
  expiration = "2030-01-01T00:00:00Z"
}
)";

constexpr char kTests[] = R"(
test "the app reads its own" {
  who    = "app"
  what   = ["read secret/data/app/x", "read /secret/data/app/soon"]
  expect = "allow"
}
test "and no others" {
  who    = ["app"]
  what   = ["read secret/data/ops/x", "update secret/data/app/x", "list secret/data/ops"]
  expect = "deny"
}
test "the form takes no admin" {
  who        = ["app"]
  what       = "update secret/data/app/form"
  parameters = { admin = "yes" }
  expect     = "deny"
}
test "without sudo no protected path" {
  who    = ["app"]
  what   = ["read sys/audit"]
  expect = "deny"
}
test "root may" {
  who    = ["root"]
  what   = ["read sys/audit"]
  expect = "allow"
}
test "later the rule is over" {
  who    = ["app"]
  what   = ["read secret/data/app/soon"]
  at     = "2031-01-01T00:00:00Z"
  expect = "allow"
}
)";

}  // namespace

TEST_CASE("policy test: files are enough, and what is decided otherwise is in a table") {
  const Program program("http://127.0.0.1:1");
  write(program, "app.hcl", kApp);
  const auto good = program.run({"policy", "test", write(program, "good.test.hcl", kTests)});
  CHECK_MESSAGE(good.code == 0, good.err);
  CHECK(good.out == "Success! All 9 requests of 6 tests are decided as expected\n");
  const auto bad = program.run({"policy", "test", write(program, "bad.test.hcl", R"(
test "wrong" {
  who    = ["app"]
  what   = ["read secret/data/ops/x", "read secret/data/app/x", "update secret/data/app/x"]
  expect = "allow"
}
)")});
  CHECK(bad.code == 1);
  CHECK(contains(bad.out, "Expected"));
  CHECK(contains(bad.out, "no policy of [app] has a rule for \"secret/data/ops/x\" (read)"));
  CHECK(contains(bad.out, "on line 1 of policy \"app\""));
  CHECK_FALSE(contains(bad.out, "read secret/data/app/x"));
  CHECK(contains(bad.err, "2 of 3 requests"));
  const auto json =
      program.run({"policy", "test", "-format=json", program.home().path() + "/bad.test.hcl"});
  CHECK(json.code == 1);
  const auto report = leasehold::parse_json(json.out);
  REQUIRE(report.ok());
  CHECK(report->integer_at("checked") == 3);
  CHECK(report->find("failures")->size() == 2);
}

TEST_CASE("policy test: mistakes in the file are told with their line") {
  const Program program("http://127.0.0.1:1");
  write(program, "app.hcl", kApp);
  const auto error = [&](const std::string& text) {
    const auto run = program.run({"policy", "test", write(program, "t.hcl", text)});
    CHECK(run.code == 1);
    return run.err;
  };
  CHECK(contains(error("test \"x\" {\n  who = [\"app\"]\n}"), "line 1: a test says"));
  CHECK(contains(error("test \"x\" {\n  expects = \"allow\"\n}"), "line 2"));
  CHECK(contains(error("test \"x\" { who = [\"app\"]\n what = [\"get a\"]\n expect = \"deny\" }"),
                 "\"get a\" is no request"));
  CHECK(contains(error("test \"x\" { who = [\"none\"]\n what = [\"read a\"]\n expect = \"deny\" }"),
                 "leasehold policy read none"));
  CHECK(contains(error(""), "there is no test"));
}

TEST_CASE("policy test: the server's policies, or what a token may do there") {
  VaultServer server;
  leasehold::Json policy = leasehold::Json::object();
  policy.set("policy", kApp);
  leasehold::Json answer = leasehold::Json::object();
  answer.set("data", policy);
  server.on("GET /v1/sys/policies/acl/app", {200, answer.dump()});
  server.on("POST /v1/sys/capabilities-self", {200, R"({"data":{"a":["read"]}})"});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.x";
  const std::string file = write(program, "t.hcl", kTests);
  CHECK(program.run({"policy", "test", "-server", file}).code == 0);
  const std::string one = write(program, "one.hcl", R"(
test "mine" {
  who    = ["whoever"]
  what   = ["read a"]
  expect = "allow"
}
test "parameters" {
  who        = ["whoever"]
  what       = ["update a"]
  parameters = { x = 1 }
  expect     = "deny"
}
)");
  const auto mine = program.run({"policy", "test", "-self", one});
  CHECK(mine.code == 0);
  CHECK(contains(mine.err, "1 of 2 requests"));
}

TEST_CASE("policy lint: a finding is a line with its file, and the exit code") {
  VaultServer server;
  server.on("GET /v1/sys/mounts",
            {200, R"({"data":{"secret/":{"type":"kv","options":{"version":"2"}},"sys/":{}}})"});
  server.on("GET /v1/sys/auth", {200, R"({"data":{"token/":{}}})"});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.x";
  const std::string good = write(program, "good.hcl", kApp);
  const auto clean = program.run({"policy", "lint", good});
  CHECK_MESSAGE(clean.code == 0, clean.out);
  CHECK(clean.out == "Success! Nothing to remark on in 1 policy\n");
  const std::string bad = write(program, "bad.hcl", "path \"secret/app\" { capabilities = [] }\n");
  const auto found = program.run({"policy", "lint", good, bad});
  CHECK(found.code == 1);
  CHECK(contains(found.out, bad + ":1: path \"secret/app\" has no capabilities"));
  const auto mounts = program.run({"policy", "lint", "-mounts", bad});
  CHECK(contains(mounts.out, "\"secret/data/app\"?"));
}

TEST_CASE("cli: a denial is explained by the server that can, with the token that was denied") {
  VaultServer server;
  server.on("GET /v1/secret/x", {403,
                                 R"({"errors":["1 error occurred:\n\t* permission denied\n\n"]})",
                                 {{"X-Leasehold-Request-Id", "0198-ab"}}});
  server.on("GET /v1/secret/y", {403,
                                 R"({"errors":["1 error occurred:\n\t* permission denied\n\n"]})",
                                 {{"X-Leasehold-Request-Id", "../../v1/sys/seal"}}});
  server.on("GET /v1/sys/explain/0198-ab",
            {200, R"({"data":{"explanation":"no policy of [app] has a rule for \"secret/x\""}})"});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.x";
  const auto denied = program.run({"read", "secret/x"});
  CHECK(denied.code == 2);
  CHECK(contains(denied.err,
                 "hint: request 0198-ab: no policy of [app] has a rule for \"secret/x\"\n"));
  CHECK(server.last().header("x-vault-token") == "hvs.x");
  const auto hostile = program.run({"read", "secret/y"});
  CHECK(contains(hostile.err, "hint: see what this token may do there"));
  CHECK(server.last().target == "/v1/secret/y");
}
