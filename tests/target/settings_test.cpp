// What the owner of a database has its sessions begin with, and the manager's.

#include <doctest/doctest.h>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::Postgres;

}  // namespace

TEST_CASE("settings: what an owner of the database sets for all stops no session of ours") {
  Postgres& server = Postgres::shared();
  if (!server.has_role("db_owner"))
    server.query("CREATE ROLE db_owner NOLOGIN; GRANT db_owner TO vaultmgr WITH ADMIN OPTION");
  std::string setting;
  SUBCASE("read only") { setting = "default_transaction_read_only = on"; }
  SUBCASE("a role") { setting = "role = db_owner"; }
  SUBCASE("a limit of a statement") { setting = "statement_timeout = '1ms'"; }
  SUBCASE("a limit of idle sessions") { setting = "idle_session_timeout = '1ms'"; }
  SUBCASE("a library that is not there") { setting = "local_preload_libraries = missing"; }
  SUBCASE("names in quotes") { setting = "quote_all_identifiers = on"; }
  SUBCASE("another isolation") { setting = "default_transaction_isolation = serializable"; }
  AccountOnPostgres old("oldset");
  REQUIRE(old.create().ok());
  server.query("ALTER DATABASE app SET " + setting);
  {
    AccountOnPostgres test("newset");  // connects anew
    const Status created = test.create();
    if (!created.ok()) MESSAGE(created.error().message);
    CHECK(created.ok());
    for (const std::string& account : {old.account, test.account}) {
      const auto revoked = test.connection->revoke({account, {}}, test.soon());
      if (!revoked.ok()) MESSAGE(revoked.error().message);
      CHECK(revoked.ok());
      CHECK_FALSE(server.has_role(account));
    }
  }
  server.query("ALTER DATABASE app RESET ALL");
}

// A session goes back to what it began with whenever other statements than before use it.
TEST_CASE("settings: what only later versions know is none that a session begins with") {
  Postgres& server = Postgres::shared();
  server.query("ALTER DATABASE app SET idle_session_timeout = '10min'");
  AccountOnPostgres test("begun");
  server.query("ALTER DATABASE app RESET ALL");
  test.statements.emplace_back(
      "DO $$ BEGIN IF (SELECT reset_val FROM pg_catalog.pg_settings WHERE name = "
      "'idle_session_timeout') <> '0' THEN RAISE EXCEPTION 'a limit'; END IF; END $$");
  CHECK(test.create().ok());
}

TEST_CASE("settings: what is gone stays so after a crash, whatever sessions begin with") {
  Postgres server;
  server.query("ALTER DATABASE app SET synchronous_commit = off");
  AccountOnPostgres test("durable", {}, server);
  test.statements.emplace_back(
      "DO $$ BEGIN IF current_setting('synchronous_commit') <> 'local' THEN RAISE EXCEPTION 'is "
      "%', current_setting('synchronous_commit'); END IF; END $$");
  CHECK(test.create().ok());
}

}  // namespace leasehold::postgresql
