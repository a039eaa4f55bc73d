// Classes of past advisories that concern revocation and the machines that hold accounts.

#include <doctest/doctest.h>

#include <fstream>

#include "backends/target/postgresql.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/postgres.h"
#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::FaultyStorage;
using testing::Postgres;
using testing::TestVault;
using testing::TestWorld;

namespace {

Json settings_for(const std::string& url) {
  Json settings = Json::object();
  settings.set("connection_url", url).set("username", testing::kManager);
  settings.set("password", testing::kManagerPassword);
  return settings;
}

}  // namespace

TEST_CASE("class 14 lost revocation: a removed mount's leases end, wherever the vault stopped") {
  for (int nth = 0; nth < 40; nth += 2) {
    CAPTURE(nth);
    const auto inner = storage::make_memory_storage();
    auto faulty = std::make_unique<FaultyStorage>(*inner, -1);
    FaultyStorage& storage = *faulty;
    TestWorld world(std::move(faulty));
    bool removed = false;
    {
      TestVault vault(world);
      vault.role();
      for (int i = 0; i < 3; ++i) REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
      storage.left = nth;
      const auto waiting = vault.begin("DELETE", "sys/mounts/test", vault.root());
      CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }));
      removed = vault.wait(waiting).status() == 204;
    }
    storage.left = -1;
    TestVault vault(world);
    // Asked again by whoever was not told that it is done.
    if (!removed) {
      const auto again = vault.begin("DELETE", "sys/mounts/test", vault.root());
      CHECK(vault.as_time_passes([&] { return vault.answered(again); }));
    }
    CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
    CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::lease) == 0; }));
    CHECK(vault.get("test/notes/a", vault.root()).status() == 404);
    CHECK(vault.verifies());
  }
}

TEST_CASE("class 17 injection: names from outside are names at the target, never statements") {
  Postgres& server = Postgres::shared();
  SystemClock clock;
  SystemRandom random;
  const auto target = postgresql::make_target(settings_for(server.url("app")), clock, random);
  REQUIRE(target.ok());
  const target::Tag tag{"test17", "thisincarnation0"};
  const auto soon = [&] { return add(clock.instant(), std::chrono::seconds(15)); };
  auto connection = (*target)->connect(tag, soon());
  REQUIRE(connection.ok());
  const std::string before = server.query("SELECT count(*) FROM pg_roles");
  for (const char* role : {"a\"; DROP TABLE items; --", "a'; DROP TABLE items; --", "$$; --",
                           "\\'; --", "{{name}}", "a;b", "\"", "'"}) {
    CAPTURE(role);
    const std::string account = (*target)->account_name(tag, role, "0123456789abcdefghij");
    target::CreateOrder order;
    order.account = account;
    order.password = SecretBytes(std::string_view("p'\"; DROP TABLE items; --"));
    order.statements = {"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"};
    order.not_after = add(clock.now(), Seconds{600});
    // Made or refused: never anything else.
    [[maybe_unused]] const auto made = (*connection)->create(order, soon());
    const auto revoked = (*connection)->revoke({account, {}}, soon());
    CHECK(revoked.ok());
    CHECK_FALSE(server.has_role(account));
  }
  CHECK(server.query("SELECT count(*) FROM pg_roles") == before);
  CHECK(server.query("SELECT count(*) FROM items", "app") != "");
}

TEST_CASE("class 17 injection: names in the target's own catalog are quoted too") {
  Postgres server;
  server.query("CREATE SCHEMA \"x\"\"; DROP TABLE items; --\"", "app");
  server.query("GRANT CREATE, USAGE ON SCHEMA \"x\"\"; DROP TABLE items; --\" TO app_ro", "app");
  SystemClock clock;
  SystemRandom random;
  const auto target = postgresql::make_target(settings_for(server.url("app")), clock, random);
  REQUIRE(target.ok());
  const auto soon = [&] { return add(clock.instant(), std::chrono::seconds(15)); };
  const target::Tag tag{"test17", "thisincarnation0"};
  auto connection = (*target)->connect(tag, soon());
  REQUIRE(connection.ok());
  target::CreateOrder order;
  order.account = (*target)->account_name(tag, "ro", "0123456789abcdefghij");
  order.password = SecretBytes(std::string_view("Tr0ub4dor-and-Zebra9"));
  order.statements = {"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' IN ROLE app_ro"};
  order.not_after = add(clock.now(), Seconds{600});
  REQUIRE((*connection)->create(order, soon()).ok());
  // What the account left behind is owned by it, with a name of its own choice.
  server.query("SET ROLE \"" + order.account +
                   "\"; CREATE TABLE \"x\"\"; DROP TABLE items; --\".\"t" +
                   "\"\"; DROP TABLE items; --\" (id int)",
               "app");
  const auto revoked = (*connection)->revoke({order.account, {}}, soon());
  CHECK(revoked.ok());
  CHECK_FALSE(server.has_role(order.account));
  CHECK(server.query("SELECT id FROM items", "app") == "7");
}

TEST_CASE("class 18 TLS to targets: another's certificate, or another host's, is refused") {
  Postgres server({.tls = true});
  SystemClock clock;
  SystemRandom random;
  std::ifstream file(server.certificate());
  const std::string own((std::istreambuf_iterator<char>(file)), {});
  const auto connects = [&](const std::string& host, const std::string& authority) {
    const std::string url = "postgresql://{{username}}:{{password}}@" + host + ":" +
                            std::to_string(server.port()) + "/app?sslmode=verify-full";
    Json settings = settings_for(url);
    const auto target = postgresql::make_target(settings.set("tls_ca", authority), clock, random);
    REQUIRE(target.ok());
    return (*target)
        ->connect({"test18", "thisincarnation0"}, add(clock.instant(), std::chrono::seconds(5)))
        .ok();
  };
  CHECK(connects("localhost", own));
  CHECK_FALSE(connects("127.0.0.1", own));
  CHECK_FALSE(connects("localhost", ""));
}
