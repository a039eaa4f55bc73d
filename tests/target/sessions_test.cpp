// Sessions of an account that do not show themselves, on a real PostgreSQL.

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::eventually;
using testing::Postgres;

// Version 18 shows them, and not yet whose they are.
constexpr const char* kStarting =
    "(SELECT pid FROM pg_locks EXCEPT SELECT pid FROM pg_stat_activity"
    "  WHERE usesysid IS NOT NULL OR backend_type <> 'client backend')";

// A login whose back end sleeps after the check that its role may log in.
class Sleeper {
 public:
  Sleeper(Postgres& server, const std::string& user, const SecretBytes& password) {
    const std::string port = std::to_string(server.port());
    const std::string secret(as_text(password.reveal()));
    const char* keywords[] = {"host", "port", "user", "password", "dbname", "options", nullptr};
    const char* values[] = {"127.0.0.1",    port.c_str(), user.c_str(),
                            secret.c_str(), "app",        "-c post_auth_delay=2000 -c role=app_ro",
                            nullptr};
    connection_ = PQconnectStartParams(keywords, values, 0);
  }
  ~Sleeper() { PQfinish(connection_); }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  // Whether the server has ended it: there is nothing more to read.
  bool has_ended() {
    step();
    // It may have woken up and begun to serve before it ended: what it said of that is read.
    if (PQstatus(connection_) == CONNECTION_OK) PQconsumeInput(connection_);
    char byte = 0;
    return PQstatus(connection_) == CONNECTION_BAD ||
           recv(PQsocket(connection_), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
  }
  bool sleeps(Postgres& server) {
    step();
    return server.query("SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND pid IN " +
                        std::string(kStarting)) != "0";
  }

 private:
  PostgresPollingStatusType step() {
    if (last_ == PGRES_POLLING_FAILED || PQstatus(connection_) == CONNECTION_BAD)
      return PGRES_POLLING_FAILED;
    pollfd waiting{PQsocket(connection_),
                   static_cast<short>(last_ == PGRES_POLLING_READING ? POLLIN : POLLOUT), 0};
    if (poll(&waiting, 1, 0) > 0) last_ = PQconnectPoll(connection_);
    return last_;
  }

  PGconn* connection_;
  PostgresPollingStatusType last_ = PGRES_POLLING_WRITING;
};

}  // namespace

TEST_CASE("sessions: one that hides until its account is gone is ended with it") {
  AccountOnPostgres test("hiding");
  REQUIRE(test.create().ok());
  Sleeper sleeper(test.server, test.account, test.password());
  REQUIRE(eventually([&] { return sleeper.sleeps(test.server); }));
  const std::string oid =
      test.server.query("SELECT oid FROM pg_roles WHERE rolname = '" + test.account + "'");
  bool dropped = false;
  SUBCASE("which is there") {}
  SUBCASE("which somebody else dropped") { dropped = true; }
  if (dropped) test.server.query("DROP ROLE \"" + test.account + "\"");
  const auto revoked = test.connection->revoke({test.account, {}, test.handle}, test.soon());
  REQUIRE(revoked.ok());
  CHECK(eventually([&] { return sleeper.has_ended(); }));
  CHECK(test.server.query("SELECT count(*) FROM pg_locks WHERE pid IN " + std::string(kStarting)) ==
        "0");
}

TEST_CASE("sessions: a login of others that takes its time is not waited for without end") {
  AccountOnPostgres test("beside");
  REQUIRE(test.create().ok());
  test.server.query("CREATE ROLE slow_starter LOGIN SUPERUSER PASSWORD 'starts-slowly'");
  Sleeper sleeper(test.server, "slow_starter", SecretBytes("starts-slowly"));
  REQUIRE(eventually([&] { return sleeper.sleeps(test.server); }));
  CHECK(test.revoke().ok());  // a superuser's is not the manager's to end
  CHECK_FALSE(sleeper.has_ended());
  // Again and again: one that takes its lock and then begins to sleep sleeps over the signal.
  CHECK(eventually([&] {
    test.server.query(
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'object' AND pid IN " +
        std::string(kStarting));
    return sleeper.has_ended();
  }));
  test.server.query("DROP ROLE slow_starter");
}

// Named as the vault names accounts.
struct NamedAccount : AccountOnPostgres {
  NamedAccount(const std::string& role, Postgres& on) : AccountOnPostgres(role, {}, on) {
    account = target->account_name(tag, role, "0123456789abcdefghij");
    REQUIRE(create().ok());
  }
};

TEST_CASE("sessions: whose transaction a revocation waits for is said") {
  Postgres server;
  NamedAccount holder("holder", server), victim("victim", server);
  testing::Login session(server, holder.account, holder.password());
  const auto refusal = [&] {
    const auto revoked =
        victim.connection->revoke({victim.account, {}, victim.handle}, victim.soon());
    REQUIRE_FALSE(revoked.ok());
    CHECK(revoked.is(Code::deadline));
    return revoked.error();
  };
  const std::string grant = "GRANT SELECT ON mine TO \"" + victim.account + "\"";
  SUBCASE("that grants it something") {
    session.query("CREATE TEMP TABLE mine (a text)");
    session.query("BEGIN");
    session.query(grant.c_str());
    const Error error = refusal();
    const std::string pid = session.query("SELECT pg_backend_pid()");
    CHECK(error.message.find("an open transaction of \"" + holder.account +
                             "\" has it locked: SELECT pg_terminate_backend(" + pid + ")") !=
          std::string::npos);
    CHECK(error.detail == holder.account);
    session.query("ROLLBACK");
  }
  SUBCASE("that reads what it owns") {
    server.query("GRANT CREATE ON SCHEMA public TO app_ro", "app");
    testing::Login own(server, victim.account, victim.password());
    own.query(
        ("CREATE TABLE mine (a text); GRANT SELECT ON mine TO \"" + holder.account + "\"").c_str());
    session.query("BEGIN; SELECT * FROM mine");
    CHECK(refusal().detail == holder.account);
    session.query("ROLLBACK");
  }
  SUBCASE("that an operator has open") {
    server.query("CREATE ROLE operator LOGIN PASSWORD 'operator-password'");
    testing::Login other(server, "operator", SecretBytes(std::string_view("operator-password")));
    other.query("CREATE TEMP TABLE mine (a text)");
    other.query("BEGIN");
    other.query(grant.c_str());
    const Error error = refusal();
    CHECK(error.message.find("an open transaction of \"operator\"") != std::string::npos);
    CHECK(error.detail.empty());
    other.query("ROLLBACK");
  }
  CHECK(victim.connection->revoke({victim.account, {}, victim.handle}, victim.soon()).ok());
}

TEST_CASE("sessions: a prepared transaction that a revocation waits for is named") {
  Postgres server;
  server.query("ALTER SYSTEM SET max_prepared_transactions = 5");
  server.stop();
  server.start();
  server.query("GRANT CREATE ON SCHEMA public TO app_ro", "app");
  NamedAccount holder("holder", server), victim("victim", server);
  testing::Login session(server, holder.account, holder.password());
  session.query(("CREATE TABLE mine (a text); BEGIN; GRANT SELECT ON mine TO \"" + victim.account +
                 "\"; PREPARE TRANSACTION 'held'")
                    .c_str());
  const auto revoked =
      victim.connection->revoke({victim.account, {}, victim.handle}, victim.soon());
  REQUIRE_FALSE(revoked.ok());
  CHECK(revoked.error().message.find("in the database app: ROLLBACK PREPARED 'held'") !=
        std::string::npos);
  CHECK(revoked.error().detail == holder.account);
}

}  // namespace leasehold::postgresql
