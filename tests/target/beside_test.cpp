// A database that lets its manager in no more: accounts lose their access all the same.

#include <doctest/doctest.h>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::Login;
using testing::Postgres;

struct Closing {
  std::string closes, opens, advice;
};
const Closing kClosings[] = {
    {"ALTER DATABASE app CONNECTION LIMIT 0", "ALTER DATABASE app CONNECTION LIMIT -1",
     "ALTER DATABASE \"app\" CONNECTION LIMIT -1"},
    {"ALTER DATABASE app ALLOW_CONNECTIONS false", "ALTER DATABASE app ALLOW_CONNECTIONS true",
     "ALTER DATABASE \"app\" ALLOW_CONNECTIONS true"},
    {"REVOKE CONNECT ON DATABASE app FROM PUBLIC", "GRANT CONNECT ON DATABASE app TO PUBLIC",
     "GRANT CONNECT ON DATABASE \"app\" TO \"vaultmgr\""},
    {"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'app';"
     "ALTER DATABASE app RENAME TO other_app",
     "ALTER DATABASE other_app RENAME TO app", "was dropped or has another name"},
};

bool contains(const Error& error, std::string_view text) {
  return error.message.find(text) != std::string::npos;
}

std::string login_of(Postgres& server, const std::string& role) {
  return server.query(
      "SELECT rolcanlogin::text || (rolpassword IS NOT NULL) || (rolvaliduntil <"
      " now()) FROM pg_authid WHERE rolname = '" +
      role + "'");
}

TEST_CASE("beside: an account whose database is closed to the manager is removed") {
  Postgres server;
  for (const Closing& closing : kClosings) {
    CAPTURE(closing.closes);
    AccountOnPostgres test("closed", {}, server);
    const std::string before = test.connection->identity();
    REQUIRE(test.create().ok());
    Login session(server, test.account, test.password());
    REQUIRE(session.ok());
    server.query(closing.closes);
    auto connection = test.target->connect(test.tag, test.soon());
    REQUIRE(connection.ok());
    CHECK((*connection)->identity() == before);
    const Status why = (*connection)->ends_only();
    REQUIRE_FALSE(why.ok());
    CHECK(contains(why.error(), closing.advice));
    const auto revoked =
        (*connection)->revoke({test.account, {"DROP TABLE nonsense"}, test.handle}, test.soon());
    REQUIRE(revoked.is(Code::denied));
    CHECK(contains(revoked.error(), closing.advice));
    CHECK(contains(revoked.error(), "is seen gone there"));
    CHECK_FALSE(server.has_role(test.account));
    CHECK_FALSE(session.ok_after("SELECT 1"));
    server.query(closing.opens);
    connection = test.target->connect(test.tag, test.soon());
    REQUIRE(connection.ok());
    CHECK((*connection)->ends_only().ok());
    const auto gone = (*connection)->revoke({test.account, {}, test.handle}, test.soon());
    REQUIRE(gone.ok());
    CHECK(gone->was_absent);
  }
}

TEST_CASE("beside: one that owns something there loses its login until the database opens") {
  Postgres server;
  AccountOnPostgres test("owner", {}, server);
  server.query("GRANT CREATE ON SCHEMA public TO app_ro", "app");
  REQUIRE(test.create().ok());
  Login session(server, test.account, test.password());
  CHECK(session.ok_after("CREATE TABLE mine (text text)"));
  server.query("ALTER DATABASE app CONNECTION LIMIT 0");
  auto connection = test.target->connect(test.tag, test.soon());
  REQUIRE(connection.ok());
  const auto revoked = (*connection)->revoke({test.account, {}, test.handle}, test.soon());
  REQUIRE(revoked.is(Code::denied));
  CHECK(contains(revoked.error(), "ALTER DATABASE \"app\" CONNECTION LIMIT -1"));
  CHECK(contains(revoked.error(), "it was tried to take the account its access"));
  CHECK(server.has_role(test.account));
  CHECK(login_of(server, test.account) == "falsefalsetrue");
  CHECK_FALSE(session.ok_after("SELECT 1"));
  CHECK(server.query("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member "
                     "WHERE r.rolname = '" +
                     test.account + "'") == "0");
  server.query("ALTER DATABASE app CONNECTION LIMIT -1");
  connection = test.target->connect(test.tag, test.soon());
  REQUIRE(connection.ok());
  const auto gone = (*connection)->revoke({test.account, {}, test.handle}, test.soon());
  REQUIRE(gone.ok());
  CHECK_FALSE(gone->was_absent);
  CHECK_FALSE(server.has_role(test.account));
}

TEST_CASE("beside: where the server refuses the manager, no other database is asked for") {
  Postgres server;
  AccountOnPostgres test("refused", {}, server);
  server.query("ALTER ROLE vaultmgr PASSWORD 'another'");
  const auto connection = test.target->connect(test.tag, add(test.clock.instant(), Seconds{5}));
  REQUIRE_FALSE(connection.ok());
  CHECK(contains(connection.error(), "password authentication failed"));
}

}  // namespace
}  // namespace leasehold::postgresql
