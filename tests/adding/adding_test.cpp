// One file and one row of each kind make it work: docs/adding.md shows these files.

#include <doctest/doctest.h>

#include "backends/keyhost/protectors.h"
#include "cli/leasehold/run.h"
#include "tests/adding/added.h"
#include "tests/support/test_vault.h"
#include "vault/base/hcl.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

struct AddedWorld : TestWorld {
  AddedWorld() {
    engines.assign(std::begin(added::kEngines), std::end(added::kEngines));
    auths.assign(std::begin(added::kAuths), std::end(added::kAuths));
    targets = added::kTargets;
  }
};

struct AddedVault {
  void write(const std::string& path, const std::string& body) {
    const Answer answer = vault.post(path, vault.root(), body);
    CAPTURE(answer.error());
    REQUIRE(answer.status() < 300);
  }
  AddedWorld world;
  TestVault vault{world};
};

Result<keyhost::SealSetup> paper(TestWorld& world, const std::string& text) {
  auto body = parse_hcl(text, {"seal"});
  REQUIRE(body.ok());
  std::vector<Stanza> stanzas;
  for (const HclBlock& block : body->blocks) stanzas.emplace_back("vault.hcl", block);
  return keyhost::make_protectors(
      std::move(stanzas), {{}, "", "", world.clock, world.random, world.log}, added::kSeals);
}

}  // namespace

TEST_CASE_FIXTURE(AddedVault, "adding: an engine is a file and a row") {
  write("sys/mounts/desk", R"({"type":"notes"})");
  write("desk/notes/a", R"({"text":"milk"})");
  CHECK(vault.get("desk/notes/a", vault.root()).data().string_at("text") == "milk");
  CHECK(vault.get("desk/notes/b", vault.root()).status() == 404);
  const Answer api = vault.get("sys/internal/specs/openapi", vault.root());
  CHECK(api.data().find("paths")->find("/desk/notes/{name}") != nullptr);
}

TEST_CASE_FIXTURE(AddedVault, "adding: an auth method is a file and a row") {
  write("sys/auth/pin", R"({"type":"pin"})");
  write("auth/pin/people/ann", R"({"pin":"4711"})");
  CHECK(vault.post("auth/pin/login/ann", "", R"({"pin":"4712"})").status() == 400);
  const Answer login = vault.post("auth/pin/login/ann", "", R"({"pin":"4711"})");
  REQUIRE(login.status() == 200);
  const Answer self = vault.get("auth/token/lookup-self", login.token());
  CHECK(self.data().string_at("display_name") == "pin-ann");
  CHECK(world.audit_text().find("4711") == std::string::npos);
  CHECK(vault.post("sys/mounts/pin", vault.root(), R"({"type":"pin"})").status() == 400);
  write("sys/auth/pin/tune", R"({"user_lockout_config":{"lockout_threshold":"3"}})");
  for (int i = 0; i < 3; ++i) vault.post("auth/pin/login/ann", "", R"({"pin":"4712"})");
  CHECK(vault.post("auth/pin/login/ann", "", R"({"pin":"4711"})").status() == 403);  // locked
  write("sys/mounts/desk", R"({"type":"notes"})");
  CHECK(vault
            .post("sys/mounts/desk/tune", vault.root(),
                  R"({"user_lockout_config":{"lockout_threshold":"3"}})")
            .status() == 400);
}

TEST_CASE_FIXTURE(AddedVault, "adding: a target is a file and a row") {
  write("sys/mounts/database", R"({"type":"database"})");
  const std::string config = R"({"plugin_name":"ledger-database-plugin","allowed_roles":"*",)";
  CHECK(vault.post("database/config/cash", vault.root(), config + R"("cipher":"x"})").error() ==
        "error creating database object: a ledger needs a book");
  write("database/config/cash", config + R"("book":"cash","cipher":"rot13"})");
  const Json details =
      *vault.get("database/config/cash", vault.root()).data().find("connection_details");
  CHECK(details.dump() == R"({"book":"cash"})");
  write("database/roles/ro",
        R"({"db_name":"cash","creation_statements":"add {{name}} {{password}}"})");
  const Answer issued = vault.get("database/creds/ro", vault.root());
  REQUIRE(issued.status() == 200);
  const std::string account = issued.data().string_at("username");
  CHECK(ledger::server()->accounts().count(account) == 1);
  write("sys/leases/revoke", R"({"lease_id":")" + issued.response().lease_id + "\"}");
  CHECK(ledger::server()->accounts().count(account) == 0);
}

TEST_CASE("adding: a seal is a file and a row") {
  TestWorld world;
  world.protectors = [&] {
    auto setup = paper(world, "seal \"paper\" { words = \"correct horse\" }");
    REQUIRE(setup.ok());
    return std::move(setup->protectors);
  };
  {
    TestVault vault(world, true);
    const Answer made =
        vault.post("sys/init", "", R"({"recovery_shares":1,"recovery_threshold":1})");
    REQUIRE(made.status() == 200);
    CHECK_FALSE(vault.sealed());
  }
  TestVault again(world, true);
  CHECK(TestVault::eventually([&] { return !again.sealed(); }));
  CHECK(paper(world, "seal \"paper\" {}").error().message ==
        "vault.hcl:1:1: seal \"paper\" needs words");
  CHECK(paper(world, "seal \"stone\" {}").error().message.find("this build has shamir, paper") !=
        std::string::npos);
}

TEST_CASE("adding: a group of commands is a file and a row") {
  const cli::Catalog catalog(added::kGroups, {});
  CHECK(cli::run(catalog, {"greet", "person", "Ann"}) == cli::kSuccess);
  CHECK(cli::run(catalog, {"greet", "person"}) == cli::kLocalError);
  CHECK(catalog.suggest("gret") == "greet");
  CHECK(catalog.help_of_all().find("greet             Greet people") != std::string::npos);
  CHECK(catalog.help_of_group("greet").find("person            Greet somebody") !=
        std::string::npos);
}
