// Rights that other accounts granted an account, on a real PostgreSQL.

#include <doctest/doctest.h>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::Login;
using testing::Postgres;

void run_as(AccountOnPostgres& who, const std::string& sql) {
  Login session(who.server, who.account, who.password());
  REQUIRE(session.ok());
  CHECK(session.query(sql.c_str()) == "done");
}

std::string rights_of(const AccountOnPostgres& test) {
  return test.server.query(
      "SELECT count(*) FROM pg_shdepend WHERE deptype IN ('a', 'r') AND "
      "refobjid = (SELECT oid FROM pg_roles WHERE rolname = '" +
      test.account + "')");
}

}  // namespace

namespace {

// What the holder of one lease grants another, for each kind of object.
std::vector<std::string> kinds_of_grants(const std::string& account) {
  const std::string to = " TO \"" + account + "\";";
  return {
      "SELECT lo_create(5); GRANT SELECT ON LARGE OBJECT 5" + to,
      "CREATE TABLE of_column (id int); GRANT SELECT (id) ON of_column" + to,
      "CREATE TABLE of_policy (id int); CREATE POLICY p ON of_policy" + to,
      "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES" + to,
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION f()" +
          to,
      "CREATE TYPE pair AS (a int); GRANT USAGE ON TYPE pair" + to,
      "GRANT SELECT ON dbas" + to,
      "DO $$ BEGIN FOR i IN 1..1200 LOOP EXECUTE format('GRANT SELECT ON LARGE OBJECT %s TO \"" +
          account + "\"', lo_create(0)); END LOOP; END $$;",
  };
}

void check_removed(AccountOnPostgres& test) {
  const auto revoked = test.revoke();
  if (!revoked.ok()) MESSAGE(revoked.error().message);
  CHECK(revoked.ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

}  // namespace

TEST_CASE("take back: what one account granted keeps no other from being removed") {
  bool giver_first = false;
  SUBCASE("while it lives") {}
  SUBCASE("when it is gone itself") { giver_first = true; }
  Postgres server;
  server.query("GRANT CREATE ON SCHEMA public TO PUBLIC; CREATE TABLE dbas (id int)", "app");
  for (std::size_t kind = 0; kind < kinds_of_grants("").size(); ++kind) {
    AccountOnPostgres victim("victim", {}, server), giver("giver", {}, server);
    REQUIRE(victim.create().ok());
    REQUIRE(giver.create().ok());
    server.query("GRANT SELECT ON dbas TO \"" + giver.account + "\" WITH GRANT OPTION", "app");
    const std::string what = kinds_of_grants(victim.account)[kind];
    CAPTURE(what);
    run_as(giver, what + "SELECT 'done'");
    REQUIRE(rights_of(victim) != "0");
    const std::string take = "REVOKE ALL ON dbas FROM \"" + giver.account + "\" CASCADE";
    if (giver_first) {
      server.query(take, "app");
      check_removed(giver);
    }
    check_removed(victim);
    if (!giver_first) {
      CHECK(server.query("SELECT pg_has_role('vaultmgr', '" + giver.account + "', 'USAGE')") ==
            "f");
      server.query(take, "app");
      check_removed(giver);
    }
    if (server.has_role("kept-" + giver.account))
      server.query("DROP OWNED BY \"kept-" + giver.account + "\"", "app");
  }
}

TEST_CASE("take back: a membership that the manager has of who granted is kept") {
  Postgres server;
  server.query(
      "CREATE ROLE maker NOLOGIN; GRANT maker TO vaultmgr WITH ADMIN OPTION;"
      "GRANT CREATE ON SCHEMA public TO maker",
      "app");
  AccountOnPostgres victim("victim", {}, server), giver("giver", {}, server);
  REQUIRE(victim.create().ok());
  giver.statements.emplace_back("GRANT maker TO \"{{name}}\"");
  REQUIRE(giver.create().ok());
  run_as(giver, "SET ROLE maker; CREATE TABLE t (id int); GRANT SELECT ON t TO \"" +
                    victim.account + "\"; SELECT 'done'");
  CHECK(victim.revoke().ok());
  CHECK(server.query("SELECT pg_has_role('vaultmgr', 'maker', 'MEMBER WITH ADMIN OPTION')") == "t");
}

TEST_CASE("take back: who is a member of an account has its rights no longer than its lease") {
  Postgres server;
  AccountOnPostgres lender("lender", {}, server), borrower("borrower", {}, server);
  REQUIRE(lender.create().ok());
  borrower.statements = {"CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"};
  REQUIRE(borrower.create().ok());
  const std::string read = "SELECT id FROM items";
  server.query("GRANT \"" + lender.account + "\" TO \"" + borrower.account + "\"");
  Login holder(server, borrower.account, borrower.password());
  REQUIRE(holder.query(read.c_str()) == "7");
  // A grant that is not committed holds the role, so that it cannot be dropped.
  holder.query("SELECT lo_create(4711)");
  const std::string hold =
      "BEGIN; GRANT SELECT ON LARGE OBJECT 4711 TO \"" + lender.account + "\"; SELECT 'held'";
  REQUIRE(holder.query(hold.c_str()) == "held");
  REQUIRE_FALSE(lender.revoke().ok());
  Login other(server, borrower.account, borrower.password());
  CHECK(other.query(read.c_str()).empty());
  holder.query("COMMIT");
  check_removed(lender);
}

}  // namespace leasehold::postgresql
