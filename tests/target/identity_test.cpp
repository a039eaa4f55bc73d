// Who an account is, whatever its name: what others did to it behind the vault's back.

#include <doctest/doctest.h>

#include <functional>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::eventually;
using testing::Login;
using testing::Postgres;

struct Known : AccountOnPostgres {
  explicit Known(const std::string& role, Postgres& on = Postgres::shared())
      : AccountOnPostgres(role, {}, on) {
    REQUIRE(create().ok());
  }
  Result<target::Revoked> revoke_known() {
    return connection->revoke({account, {}, handle}, soon());
  }
  std::string quoted() const { return "\"" + account + "\""; }
  std::string oid() const { return handle.substr(0, handle.find('@')); }
};

TEST_CASE("postgresql: the handle is the oid at that server") {
  Known test("handle");
  CHECK(test.oid() ==
        test.server.query("SELECT oid FROM pg_roles WHERE rolname = '" + test.account + "'"));
  CHECK(test.handle.substr(test.handle.find('@') + 1) ==
        test.server.query("SELECT system_identifier FROM pg_control_system()"));
  CHECK(test.connection->started() ==
        test.server.query("SELECT extract(epoch FROM pg_postmaster_start_time())"));
  CHECK(test.revoke_known().ok());
}

TEST_CASE("postgresql: a session of a role that somebody else dropped is ended, and told") {
  Known test("dropped");
  Login session(test.server, test.account, test.password());
  REQUIRE(session.query("SELECT id FROM items") == "7");
  test.server.query("DROP ROLE " + test.quoted());
  REQUIRE(session.ok_after("SELECT 1"));
  const auto revoked = test.revoke_known();
  REQUIRE(revoked.ok());
  CHECK(revoked->was_absent);
  CHECK(revoked->sessions_ended == 1);
  CHECK_FALSE(session.ok_after("SELECT 1"));
}

TEST_CASE("postgresql: an account that was renamed is dropped under the name it has") {
  Known test("renamed");
  test.server.query("ALTER ROLE " + test.quoted() + " RENAME TO \"mallory'\"\"s own\"");
  const std::string now = "mallory'\"s own";
  std::string password = "as-mallory-has-it-1";
  test.server.query("ALTER ROLE \"mallory'\"\"s own\" PASSWORD '" + password + "'");
  Login session(test.server, now, SecretBytes(password));
  REQUIRE(session.ok());
  bool decoy = false;
  SUBCASE("alone") {}
  SUBCASE("with another role of its old name") {
    decoy = true;
    test.server.query("CREATE ROLE " + test.quoted() + " LOGIN");
    test.server.let_manage(test.quoted());
  }
  const auto revoked = test.revoke_known();
  REQUIRE(revoked.ok());
  CHECK_FALSE(revoked->was_absent);
  CHECK(revoked->renamed == now);
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK(test.server.query("SELECT count(*) FROM pg_roles WHERE oid = " + test.oid()) == "0");
  CHECK_FALSE(session.ok_after("SELECT 1"));
  CHECK_FALSE(testing::login(test.server, now, SecretBytes(password)));
  CAPTURE(decoy);
}

TEST_CASE(
    "postgresql: another role of the name of a dropped account is no success like any other") {
  Known test("again");
  test.server.query("DROP ROLE " + test.quoted() + "; CREATE ROLE " + test.quoted() + " LOGIN");
  test.server.let_manage(test.quoted());
  const auto renewed =
      test.connection->renew({test.account, {}, test.end(), test.handle}, test.soon());
  CHECK(renewed.is(Code::denied));
  const auto revoked = test.revoke_known();
  REQUIRE(revoked.ok());
  CHECK(revoked->was_absent);
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: the oid of another server is not taken for the account") {
  Known test("elsewhere");
  test.server.query("CREATE ROLE innocent LOGIN");
  const std::string innocent =
      test.server.query("SELECT oid FROM pg_roles WHERE rolname = 'innocent'");
  const auto refused = test.connection->revoke({test.account, {}, innocent + "@1"}, test.soon());
  REQUIRE(refused.is(Code::denied));
  CHECK(refused.error().message.find("\"innocent\"") != std::string::npos);
  CHECK(test.server.has_role("innocent"));
  CHECK(test.connection->revoke({test.account, {}, test.oid() + "@1"}, test.soon()).ok());
  CHECK_FALSE(test.server.has_role(test.account));
  test.server.query("DROP ROLE innocent");
}

TEST_CASE("postgresql: a role that was given the oid of an account that is gone is left alone") {
  Known test("putback");
  test.server.query("DROP ROLE " + test.quoted() + "; CREATE ROLE bystander LOGIN");
  const std::string handle =
      test.server.query("SELECT oid FROM pg_roles WHERE rolname = 'bystander'") +
      test.handle.substr(test.handle.find('@'));
  const auto refused = test.connection->revoke({test.account, {}, handle}, test.soon());
  REQUIRE(refused.is(Code::denied));
  CHECK(refused.error().message.find("\"bystander\" has the account's oid, but not its mark") !=
        std::string::npos);
  CHECK(test.server.query("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'bystander'") == "t");
  // An operator says that it is the account.
  test.server.query("COMMENT ON ROLE bystander IS 'was [leasehold " + test.account + "]'");
  test.server.let_manage("bystander");
  const auto revoked = test.connection->revoke({test.account, {}, handle}, test.soon());
  REQUIRE(revoked.ok());
  CHECK(revoked->renamed == "bystander");
  CHECK_FALSE(test.server.has_role("bystander"));
}

TEST_CASE("postgresql: the mark stands behind a comment of the operator's") {
  AccountOnPostgres test("comment");
  test.statements.emplace_back("COMMENT ON ROLE \"{{name}}\" IS 'for reports'");
  REQUIRE(test.create().ok());
  CHECK(test.server.query("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname "
                          "= '" +
                          test.account + "'") == "for reports [leasehold " + test.account + "]");
  CHECK(test.connection->revoke({test.account, {}, test.handle}, test.soon()).ok());
}

TEST_CASE("postgresql: an account that locks its own role is gone at the first attempt") {
  Known test("locked");
  Login session(test.server, test.account, test.password());
  session.query("BEGIN; ALTER ROLE CURRENT_USER PASSWORD 'as-the-account-has-it-1'");
  Login other(test.server, test.account, test.password());
  REQUIRE(other.query("SELECT id FROM items") == "7");
  const Instant began = test.clock.instant();
  const auto renewed =
      test.connection->renew({test.account, {}, test.end(), test.handle}, test.soon());
  CHECK_FALSE(renewed.ok());
  CHECK(test.clock.instant() < add(began, std::chrono::milliseconds(4900)));  // a lock's patience
  const auto revoked = test.revoke_known();
  REQUIRE(revoked.ok());
  CHECK_FALSE(revoked->was_absent);
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK_FALSE(session.ok_after("SELECT 1"));
  CHECK_FALSE(other.ok_after("SELECT 1"));
}

TEST_CASE("postgresql: statements that make a role of another name make none") {
  AccountOnPostgres test("Mixed");
  test.account = "V-test01-Mixed";
  test.statements = {"CREATE ROLE \"v-test01-mixed\" LOGIN PASSWORD '{{password}}'"};
  const Status created = test.create();
  REQUIRE(created.is(Code::denied));
  CHECK(created.error().message.find("made no role of this name") != std::string::npos);
  CHECK_FALSE(test.server.has_role("v-test01-mixed"));
}

TEST_CASE("postgresql: others may give their sessions our name, and keep them") {
  AccountOnPostgres test("names2");
  Postgres& server = test.server;
  server.query(
      "CREATE ROLE spoofer LOGIN PASSWORD 'spoofer-password';"
      "CREATE ROLE spoofer_root SUPERUSER LOGIN PASSWORD 'spoofer-password'");
  const SecretBytes password("spoofer-password");
  Login plain(server, "spoofer", password), root(server, "spoofer_root", password);
  for (Login* one : {&plain, &root})
    one->query("SET application_name = 'leasehold-test01-oldincarnation00-00000000'");
  const Instant began = test.clock.instant();
  const Status fenced = test.connection->end_other_incarnations(test.soon());
  if (!fenced.ok()) MESSAGE(fenced.error().message);
  CHECK(fenced.ok());
  CHECK(test.clock.instant() < add(began, std::chrono::seconds(10)));  // it did not wait for them
  CHECK(plain.ok_after("SELECT 1"));
  CHECK(root.ok_after("SELECT 1"));
}

TEST_CASE("postgresql: a session that was given up is ended though a stranger has its name") {
  AccountOnPostgres test("given_up");
  Postgres& server = test.server;
  const std::string name = server.query(
      "SELECT application_name FROM pg_stat_activity WHERE usename = 'vaultmgr' AND "
      "application_name LIKE 'leasehold-test01-%' ORDER BY backend_start DESC");
  server.query("CREATE ROLE spoofer2 SUPERUSER LOGIN PASSWORD 'spoofer-password'");
  Login stranger(server, "spoofer2", SecretBytes("spoofer-password"));
  stranger.query(("SET application_name = '" + name + "'").c_str());
  test.statements.emplace_back("SELECT pg_sleep(9)");
  const auto created =
      test.connection->create({test.account, test.password(), test.statements, {}, test.end()},
                              add(test.clock.instant(), std::chrono::milliseconds(1)));
  CHECK_FALSE(created.ok());
  auto next = test.target->connect(test.tag, test.soon());
  REQUIRE(next.ok());
  CHECK((*next)->revoke({test.account, {}}, test.soon()).ok());
  CHECK(stranger.ok_after("SELECT 1"));
}

TEST_CASE("postgresql: where it has standbys, what is said to be gone says so") {
  Postgres server({.replica = true});
  AccountOnPostgres test("followed", {}, server);
  REQUIRE(test.create().ok());
  CHECK(test.connection->advice(test.soon()).empty());
  CHECK(test.revoke()->standbys == 0);
  server.query("SELECT pg_create_physical_replication_slot('away')");
  REQUIRE(test.create().ok());
  CHECK(test.connection->advice(test.soon()).size() == 1);
  CHECK(test.revoke()->standbys == 1);
  CHECK(test.revoke()->standbys == 1);  // nor does what was absent already
}

TEST_CASE("postgresql: a standby is refused: what it does not show may be there") {
  Postgres server({.replica = true});
  AccountOnPostgres test("standby", {}, server);
  server.become_standby();
  const auto connected = test.target->connect(test.tag, test.soon());
  REQUIRE(connected.is(Code::unavailable));
  CHECK(connected.error().message.find("is a standby") != std::string::npos);
}

TEST_CASE("postgresql: what a session ended by the server was to do is done in a new one") {
  Postgres server;
  Known test("ended", server);
  const auto end_it = [&] {
    server.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = 'vaultmgr'");
    CHECK_FALSE(test.connection->usable());
  };
  const auto restart = [&] {
    server.stop();
    server.start();
  };
  std::function<void()> lose = end_it;
  SUBCASE("pg_terminate_backend") {}
  SUBCASE("a restart") { lose = restart; }
  lose();
  CHECK(test.connection->renew({test.account, {}, test.end(), test.handle}, test.soon()).ok());
  CHECK(test.connection->usable());
  lose();
  CHECK(test.revoke_known().ok());
  CHECK_FALSE(server.has_role(test.account));
  lose();
  CHECK(test.create().ok());
  lose();
  CHECK(test.connection->list("v-test01-", test.soon())->size() == 1);
}

TEST_CASE("postgresql: a server is its system identifier and database, whatever its address") {
  Postgres first, second({.own_identity = true});
  AccountOnPostgres one("one", {}, first), other("other", {}, second);
  CHECK(one.connection->identity() ==
        first.query("SELECT system_identifier FROM pg_control_system()") + "/app");
  CHECK(one.connection->identity() != other.connection->identity());
  AccountOnPostgres socket("socket2", {{"connection_url", first.socket_url("app")}}, first);
  CHECK(socket.connection->identity() == one.connection->identity());
}

TEST_CASE("postgresql: a manager that may not ask which server it is gets the words that let it") {
  Postgres server;
  server.query("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC", "app");
  SystemClock clock;
  SystemRandom random;
  auto target = make_target(testing::settings_for(server), clock, random);
  REQUIRE(target.ok());
  const auto connected =
      (*target)->connect({"test01", "thisincarnation0"}, add(clock.instant(), Seconds{10}));
  REQUIRE(connected.is(Code::unavailable));
  const std::string& why = connected.error().message;
  const auto at = why.find("GRANT EXECUTE ON FUNCTION");
  REQUIRE(at != std::string::npos);
  server.query(why.substr(at), "app");
  CHECK((*target)->connect({"test01", "thisincarnation0"}, add(clock.instant(), Seconds{10})).ok());
}

TEST_CASE("postgresql: of several hosts the one that takes changes is used") {
  Postgres standby({.replica = true}), primary;
  standby.become_standby();
  const std::string url =
      "postgresql://{{username}}:{{password}}@127.0.0.1:" + std::to_string(standby.port()) +
      ",127.0.0.1:" + std::to_string(primary.port()) + "/app";
  AccountOnPostgres test("hosts", {{"connection_url", url}}, primary);
  CHECK(test.create().ok());
  CHECK(primary.has_role(test.account));
}

}  // namespace
}  // namespace leasehold::postgresql
