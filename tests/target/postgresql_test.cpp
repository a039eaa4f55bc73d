// PostgreSQL as a target, against a real server.

#include <doctest/doctest.h>

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <thread>

#include "backends/target/postgresql.h"
#include "backends/target/postgresql_accounts.h"
#include "tests/support/postgres.h"
#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::eventually;
using testing::login;
using testing::Postgres;

TEST_CASE(
    "postgresql: an account can log in, read what its group may, and is gone after revocation") {
  AccountOnPostgres test("straight");
  REQUIRE(test.create().ok());
  testing::Login session(test.server, test.account, test.password());
  CHECK(session.ok());
  CHECK(session.query("SELECT id FROM items") == "7");
  const auto revoked = test.revoke();
  REQUIRE(revoked.ok());
  CHECK_FALSE(revoked->was_absent);
  CHECK(revoked->sessions_ended == 1);
  CHECK(revoked->verified_at.ns > 0);
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK_FALSE(login(test.server, test.account, test.password()));
}

TEST_CASE("postgresql: an open session dies with its account") {
  AccountOnPostgres test("session");
  REQUIRE(test.create().ok());
  testing::Login session(test.server, test.account, test.password());
  REQUIRE(session.ok());
  REQUIRE(test.revoke().ok());
  CHECK_FALSE(session.ok_after("SELECT 1"));
}

TEST_CASE("postgresql: an account that is absent is revoked") {
  AccountOnPostgres test("absent");
  const auto revoked = test.revoke();
  REQUIRE(revoked.ok());
  CHECK(revoked->was_absent);
}

TEST_CASE("postgresql: the expiration is the lease's end and five seconds, and renewal moves it") {
  AccountOnPostgres test("expiry");
  const WallTime end = add(test.clock.now(), Seconds(600));
  REQUIRE(test.create(end).ok());
  const auto valid_until = [&] {
    return std::stoll(test.server.query(
        "SELECT extract(epoch FROM rolvaliduntil)::bigint FROM pg_roles WHERE rolname = '" +
        test.account + "'"));
  };
  CHECK(valid_until() == end.seconds() + 5);
  const WallTime later = add(end, Seconds(3600));
  REQUIRE(test.connection->renew({test.account, {}, later}, test.soon()).ok());
  CHECK(valid_until() == later.seconds() + 5);
  CHECK(test.connection->renew({"v-test01-nobody-x", {}, later}, test.soon()).is(Code::denied));
}

TEST_CASE("postgresql: what an account owns in two databases does not keep it alive") {
  AccountOnPostgres test("owner");
  REQUIRE(test.create().ok());
  const std::string quoted = "\"" + test.account + "\"";
  for (const char* database : {"app", "other"}) {
    test.server.query("CREATE TABLE owned_" + std::string(database) + " (id int)", database);
    test.server.query("ALTER TABLE owned_" + std::string(database) + " OWNER TO " + quoted,
                      database);
  }
  const auto revoked = test.revoke();
  if (!revoked.ok()) MESSAGE(revoked.error().message);
  REQUIRE(revoked.ok());
  CHECK_FALSE(test.server.has_role(test.account));
  // What it owned is kept, in nobody's hands.
  CHECK(test.server.query("SELECT tableowner FROM pg_tables WHERE tablename = 'owned_other'",
                          "other") == "kept-" + test.account);
}

// A table of `app_owner`, of which `manager` is a member, as an operator sets it up: who granted a
// right in the owner's name may take it back.
std::string table_of_owner(Postgres& server, const std::string& name, const std::string& database,
                           const std::string& manager = testing::kManager) {
  if (!server.has_role("app_owner")) server.query("CREATE ROLE app_owner NOLOGIN");
  server.query("GRANT app_owner TO " + manager);
  server.query("CREATE TABLE " + name + " (id int); ALTER TABLE " + name + " OWNER TO app_owner",
               database);
  return name;
}

TEST_CASE("postgresql: rights granted directly, by default and on a database are dropped") {
  AccountOnPostgres test("grantee");
  REQUIRE(test.create().ok());
  const std::string quoted = "\"" + test.account + "\"";
  for (const char* database : {"app", "other"})
    test.server.query(
        "GRANT ALL ON " + table_of_owner(test.server, "granted", database) + " TO " + quoted,
        database);
  test.server.query(
      "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner GRANT SELECT ON TABLES TO " + quoted, "other");
  test.server.query("CREATE DATABASE owned OWNER app_owner");
  test.server.query("GRANT CONNECT ON DATABASE owned TO " + quoted);
  const auto revoked = test.revoke();
  if (!revoked.ok()) MESSAGE(revoked.error().message);
  CHECK(revoked.ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: a right the manager cannot take back is an error that says what to do") {
  AccountOnPostgres test("stuck");
  REQUIRE(test.create().ok());
  test.server.query("GRANT SELECT ON items TO \"" + test.account + "\"", "app");
  const auto revoked = test.revoke();
  REQUIRE(revoked.is(Code::denied));
  CHECK(revoked.error().message.find("privileges for table public.items") != std::string::npos);
  CHECK(revoked.error().message.find("member of the owner") != std::string::npos);
  CHECK_FALSE(login(test.server, test.account, test.password()));  // disabled all the same
  test.server.query("DROP OWNED BY \"" + test.account + "\"", "app");
  CHECK(test.revoke().ok());
}

TEST_CASE("postgresql: a database with quotes in its name is cleaned like any other") {
  Postgres& server = Postgres::shared();
  server.query(R"(CREATE DATABASE "od""d'; DROP ROLE app_ro; --")");
  AccountOnPostgres test("oddname");
  REQUIRE(test.create().ok());
  const std::string database = R"('od"d\'; DROP ROLE app_ro; --')";
  server.query(
      "GRANT SELECT ON " + table_of_owner(server, "t", database) + " TO \"" + test.account + "\"",
      database);
  const auto revoked = test.revoke();
  if (!revoked.ok()) MESSAGE(revoked.error().message);
  CHECK(revoked.ok());
  CHECK(server.has_role("app_ro"));
  server.query(R"(DROP DATABASE "od""d'; DROP ROLE app_ro; --")");
}

TEST_CASE("postgresql: an account whose name has quotes is revoked, and nothing else") {
  AccountOnPostgres test("quotes");
  test.account = R"(x"; DROP ROLE app_ro; --)";
  test.server.query(R"(CREATE ROLE "x""; DROP ROLE app_ro; --" LOGIN)");
  CHECK(test.create().is(Code::denied));  // it could leave the quotes of the statements
  test.server.let_manage(R"("x""; DROP ROLE app_ro; --")");
  const auto revoked = test.revoke();
  REQUIRE(revoked.ok());
  CHECK_FALSE(revoked->was_absent);
  CHECK(test.server.has_role("app_ro"));
  CHECK(test.server.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'x%'") == "0");
}

TEST_CASE("postgresql: custom revocation statements that fail do not keep an account alive") {
  AccountOnPostgres test("custom");
  REQUIRE(test.create().ok());
  CHECK(test.revoke({"REVOKE ALL ON nothing_here FROM \"{{name}}\"; DROP ROLE \"{{name}}\""}).ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: custom revocation statements may drop the account themselves") {
  AccountOnPostgres test("dropper");
  REQUIRE(test.create().ok());
  CHECK(test.revoke({"DROP ROLE \"{{name}}\";"}).ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: broken statements are denied, leave nothing and never show the password") {
  AccountOnPostgres test("broken");
  test.statements.push_back("CREATE ROLLE x {{password}}");
  const Status created = test.create();
  REQUIRE(created.is(Code::denied));
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK(created.error().message.find("syntax error") != std::string::npos);
  test.statements.back() = "{{password}}";
  const Status quoting = test.create();
  REQUIRE_FALSE(quoting.ok());
  const std::string password(as_text(test.password().reveal()));
  CHECK(quoting.error().message.find(password) == std::string::npos);
  CHECK(quoting.error().detail.find(password) == std::string::npos);
}

TEST_CASE("postgresql: statements that commit half-way are rolled back by hand or reported") {
  AccountOnPostgres test("halfway");
  test.statements.push_back("COMMIT; SELECT 1/0");
  CHECK(test.create().is(Code::deadline));  // it exists, so its lease must revoke it
  CHECK(test.server.has_role(test.account));
  REQUIRE(test.revoke().ok());
  test.rollback = {"DROP ROLE \"{{name}}\""};
  CHECK(test.create().is(Code::denied));
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: a transaction left open is not an account") {
  AccountOnPostgres test("open");
  test.statements.insert(test.statements.begin(), "BEGIN");
  CHECK(test.create().is(Code::denied));
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK(test.connection->ping(test.soon()).ok());
}

TEST_CASE("postgresql: what a role's statements leave in the session is not there for the next") {
  AccountOnPostgres poisoned("poisoned"), next("next");
  bool usable = true;
  SUBCASE("a view in the place of the catalog") {
    poisoned.statements.push_back(
        "CREATE TEMP VIEW pg_roles AS SELECT * FROM pg_catalog.pg_roles WHERE false;"
        "SET search_path = pg_temp, pg_catalog");
  }
  SUBCASE("another role") { poisoned.statements.push_back("SET ROLE app_ro"); }
  SUBCASE("another role, and an error after it was committed") {
    poisoned.statements = {"BEGIN; SET ROLE app_ro; COMMIT; SELECT 1/0"};
    usable = false;
  }
  SUBCASE("limits, a name and a lock") {
    poisoned.statements.push_back(
        "SET statement_timeout = 0; SET application_name = 'nobody';"
        "SELECT pg_advisory_lock(4711)");
  }
  CHECK(poisoned.create().ok() == usable);
  next.connection = std::move(poisoned.connection);
  CHECK(next.connection->usable());
  REQUIRE(next.connection->revoke({poisoned.account, {}}, next.soon()).ok());
  CHECK_FALSE(next.server.has_role(poisoned.account));
  REQUIRE(next.create().ok());
  CHECK(next.server.query("SELECT count(*) FROM pg_locks WHERE objid = 4711") == "0");
  const auto revoked = next.revoke();
  REQUIRE(revoked.ok());
  CHECK_FALSE(revoked->was_absent);
  CHECK_FALSE(next.server.has_role(next.account));
}

TEST_CASE("postgresql: the same statements run again as the manager, under our name and limits") {
  AccountOnPostgres first("first"), second("second");
  for (AccountOnPostgres* one : {&first, &second})
    one->statements.push_back(
        "SET ROLE app_ro; SET statement_timeout = 0; SET application_name = 'nobody'");
  REQUIRE(first.create().ok());
  second.connection = std::move(first.connection);
  REQUIRE(second.create().ok());
  CHECK(second.server.has_role(second.account));
  REQUIRE(second.revoke().ok());
  REQUIRE(second.connection->revoke({first.account, {}}, second.soon()).ok());
  CHECK_FALSE(second.server.has_role(first.account));
}

TEST_CASE("postgresql: statements that wait for data of ours are refused, and nothing is left") {
  AccountOnPostgres test("copying");
  test.statements.push_back("COPY pg_temp.items FROM STDIN");
  test.statements[1] = "CREATE TEMP TABLE items (id int); " + test.statements[1];
  CHECK(test.create().is(Code::denied));
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: nothing of the service's own user goes to a server") {
  Postgres& server = Postgres::shared();
  const std::string path = "/tmp/leasehold-pgpass-" + std::to_string(getpid());
  std::ofstream(path) << "*:*:*:*:manager-password/with\\:odd@characters\n";
  REQUIRE(chmod(path.c_str(), 0600) == 0);
  setenv("PGPASSFILE", path.c_str(), 1);
  Json settings = Json::object();
  settings.set("connection_url",
               "postgresql://vaultmgr@127.0.0.1:" + std::to_string(server.port()) + "/app");
  SystemClock clock;
  SystemRandom random;
  const auto target = make_target(settings, clock, random);
  REQUIRE(target.ok());
  const auto connected = (*target)->connect({"test01", "thisincarnation0"},
                                            add(clock.instant(), std::chrono::seconds(5)));
  CHECK(connected.is(Code::denied));
  setenv("PGPASSWORD", testing::kManagerPassword, 1);
  forget_environment();
  CHECK(getenv("PGPASSFILE") == nullptr);
  CHECK(getenv("PGPASSWORD") == nullptr);
  unlink(path.c_str());
}

TEST_CASE("postgresql: what a server says is not shown where it has a password of three letters") {
  AccountOnPostgres test("short");
  const auto refusal = [&](const char* password) {
    const Status tried = test.connection->try_login("nobody", SecretBytes(password), test.soon());
    REQUIRE(tried.is(Code::denied));
    return tried.error().message;
  };
  CHECK(refusal("bod").find("is not shown") != std::string::npos);
  CHECK(refusal("xyz").find("authentication failed") != std::string::npos);
}

TEST_CASE("postgresql: with scram-sha-256 the server never sees the password") {
  AccountOnPostgres test("scram", {{"password_authentication", "scram-sha-256"}});
  REQUIRE(test.create().ok());
  CHECK(login(test.server, test.account, test.password()));
  REQUIRE(test.connection->try_login(test.account, test.password(), test.soon()).ok());
  REQUIRE(test.revoke().ok());
}

TEST_CASE("postgresql: a login trial tells a wrong password from a server that is away") {
  AccountOnPostgres test("trial");
  REQUIRE(test.create().ok());
  CHECK(test.connection->try_login(test.account, test.password(), test.soon()).ok());
  const Status refused =
      test.connection->try_login(test.account, SecretBytes("wrong-password"), test.soon());
  CHECK(refused.is(Code::denied));
  CHECK(refused.error().message.find("wrong-password") == std::string::npos);
  REQUIRE(test.revoke().ok());
}

TEST_CASE("postgresql: a changed password is the only one that works") {
  AccountOnPostgres test("rotated");
  REQUIRE(test.create().ok());
  const SecretBytes next("Another-Password-1");
  REQUIRE(test.connection->set_password(test.account, next, {}, test.soon()).ok());
  CHECK(login(test.server, test.account, next));
  CHECK_FALSE(login(test.server, test.account, test.password()));
  CHECK(test.connection
            ->set_password(test.account, SecretBytes("a'; DROP ROLE app_ro; --"), {}, test.soon())
            .is(Code::denied));
  REQUIRE(test.revoke().ok());
}

TEST_CASE("postgresql: accounts are listed by prefix, where % and _ mean themselves") {
  AccountOnPostgres test("listed");
  REQUIRE(test.create().ok());
  const auto names = test.connection->list("v-test01-listed-", test.soon());
  REQUIRE(names.ok());
  CHECK(*names == std::vector<std::string>{test.account});
  CHECK(test.connection->list("v_test01-listed%", test.soon())->empty());
  REQUIRE(test.revoke().ok());
}

TEST_CASE("postgresql: sessions of other incarnations are ended, our own and strangers' are not") {
  AccountOnPostgres test("fence");
  auto old = test.target->connect({"test01", "oldincarnation00"}, test.soon());
  auto foreign = test.target->connect({"other1", "oldincarnation00"}, test.soon());
  auto sibling = test.target->connect(test.tag, test.soon());
  REQUIRE(old.ok());
  REQUIRE(test.connection->end_other_incarnations(test.soon()).ok());
  CHECK_FALSE((*old)->ping(test.soon()).ok());
  CHECK((*foreign)->ping(test.soon()).ok());
  CHECK((*sibling)->ping(test.soon()).ok());
}

TEST_CASE("postgresql: the fence ends a creation that a dead process left running") {
  AccountOnPostgres test("zombie");
  auto old = test.target->connect({"test01", "oldincarnation00"}, test.soon());
  REQUIRE(old.ok());
  std::vector<std::string> slow = test.statements;
  slow.push_back("SELECT pg_sleep(8)");
  std::thread dead_process([&] {
    const target::CreateOrder order{test.account, test.password(), slow, {}, test.end()};
    CHECK_FALSE((*old)->create(order, add(test.clock.instant(), std::chrono::seconds(30))).ok());
  });
  REQUIRE(eventually([&] {
    return test.server.query(
               "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND "
               "query LIKE '%pg_sleep(8)%' AND query LIKE '%zombie%'") == "2";
  }));
  REQUIRE(test.connection->end_other_incarnations(test.soon()).ok());
  const auto revoked = test.revoke();
  dead_process.join();
  REQUIRE(revoked.ok());
  CHECK(revoked->was_absent);
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: the server itself gives a creation up before its deadline") {
  AccountOnPostgres test("late");
  test.statements.push_back("SELECT pg_sleep(9)");
  const target::CreateOrder order{test.account, test.password(), test.statements, {}, test.end()};
  const auto created =
      test.connection->create(order, add(test.clock.instant(), std::chrono::seconds(4)));
  CHECK(created.is(Code::unavailable));
  CHECK_FALSE(test.server.has_role(test.account));
  CHECK(test.connection->ping(test.soon()).ok());
}

TEST_CASE("postgresql: nothing is verified absent while a lost creation may still be at work") {
  AccountOnPostgres test("frozen");
  const int backend =
      std::stoi(test.server.query("SELECT pid FROM pg_stat_activity WHERE usename = 'vaultmgr'"
                                  " ORDER BY backend_start DESC"));
  kill(backend, SIGSTOP);
  const target::CreateOrder order{test.account, test.password(), test.statements, {}, test.end()};
  const auto created =
      test.connection->create(order, add(test.clock.instant(), std::chrono::milliseconds(200)));
  CHECK(created.is(Code::deadline));
  auto next = test.target->connect(test.tag, test.soon());
  REQUIRE(next.ok());
  const auto early = (*next)->revoke({test.account, {}},
                                     add(test.clock.instant(), std::chrono::milliseconds(300)));
  CHECK_FALSE(early.ok());
  kill(backend, SIGCONT);
  next = test.target->connect(test.tag, test.soon());
  REQUIRE(next.ok());
  CHECK((*next)->revoke({test.account, {}}, test.soon()).ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

TEST_CASE("postgresql: a server that is down or hung is said to be unavailable, in time") {
  Postgres server;
  AccountOnPostgres test("outage", {}, server);
  server.pause();
  const Instant soon = add(test.clock.instant(), std::chrono::milliseconds(300));
  CHECK(test.target->connect(test.tag, soon).is(Code::unavailable));
  CHECK(test.clock.instant() < add(soon, std::chrono::seconds(10)));
  server.resume();
  server.stop();
  CHECK_FALSE(test.create().ok());
  CHECK(test.target->connect(test.tag, test.soon()).is(Code::unavailable));
  server.start();
  CHECK(test.target->connect(test.tag, test.soon()).ok());
}

TEST_CASE("postgresql: a server killed in the middle of a creation leaves its outcome unknown") {
  Postgres server;
  AccountOnPostgres test("killed", {}, server);
  test.statements.push_back("SELECT pg_sleep(8)");
  Status created;
  std::thread creating([&] { created = test.create(); });
  REQUIRE(eventually([&] {
    return server.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") ==
           "1";
  }));
  server.kill9();
  creating.join();
  CHECK(created.is(Code::deadline));
  server.start();
  auto next = test.target->connect(test.tag, test.soon());
  REQUIRE(next.ok());
  REQUIRE((*next)->end_other_incarnations(test.soon()).ok());
  CHECK((*next)->revoke({test.account, {}}, test.soon()).ok());
  CHECK_FALSE(server.has_role(test.account));
}

TEST_CASE("postgresql: a certificate nobody vouches for, or of another host, is refused") {
  Postgres server({.tls = true});
  SystemClock clock;
  SystemRandom random;
  const auto connect = [&](const std::string& host, const std::string& query,
                           const std::string& authority = {}) {
    auto target = make_target(
        testing::settings_for(
            server, {{"connection_url", "postgresql://{{username}}:{{password}}@" + host + ":" +
                                            std::to_string(server.port()) + "/app" + query},
                     {"tls_ca", authority}}),
        clock, random);
    REQUIRE(target.ok());
    auto opened = (*target)->connect({"test01", "thisincarnation0"},
                                     add(clock.instant(), std::chrono::seconds(5)));
    return opened.ok() ? std::string("connected") : opened.error().message;
  };
  CHECK(connect("localhost", "?sslmode=verify-full").find("certificate verify failed") !=
        std::string::npos);
  std::ifstream file(server.certificate());
  const std::string pem((std::istreambuf_iterator<char>(file)), {});
  CHECK(connect("localhost", "", pem) == "connected");
  CHECK(connect("localhost", "?sslmode=verify-full", pem) == "connected");
  CHECK(connect("127.0.0.1", "", pem).find("127.0.0.1") != std::string::npos);
}

TEST_CASE("postgresql: settings that cannot be meant are refused") {
  const auto refused = [](const std::string& name, const Json& value) {
    Json json = Json::object();
    json.set("connection_url", "postgresql://localhost/app").set(name, value);
    const auto settings = Settings::parse(json);
    return settings.ok() ? std::string() : settings.error().message;
  };
  CHECK(refused("tls_ca", Json("/etc/ssl/ca.pem")) == "tls_ca must be a certificate in PEM form");
  CHECK(refused("max_connection_lifetime", Json("soon")).find("must be a duration") !=
        std::string::npos);
  CHECK(refused("max_connection_lifetime", Json(-5)).find("must be a duration") !=
        std::string::npos);
  for (const Json& good : {Json("1h"), Json(30), Json("0s"), Json(0)})
    CHECK(refused("max_connection_lifetime", good).empty());
}

TEST_CASE("postgresql: without sslmode a server is verified in full unless it is this machine") {
  const auto mode = [](const std::string& url) {
    Json json = Json::object();
    json.set("connection_url", url);
    const auto parameters = Settings::parse(json)->parameters();
    return std::string(parameters->get("sslmode"));
  };
  CHECK(mode("postgresql://db.example/app") == "verify-full");
  CHECK(mode("postgresql://localhost,db.example/app") == "verify-full");
  CHECK(mode("postgresql://localhost.db.example/app") == "verify-full");
  CHECK(mode("host=127.db.example") == "verify-full");
  CHECK(mode("host=10.0.0.1") == "verify-full");
  CHECK(mode("host=localhost hostaddr=10.0.0.1") == "verify-full");
  CHECK(mode("postgresql://db.example/app?sslmode=require") == "require");
  CHECK(mode("postgresql://localhost/app") == "");
  CHECK(mode("postgresql://127.0.0.1,[::1]/app") == "");
  CHECK(mode("host=/run/postgresql") == "");
}

TEST_CASE("postgresql: settings that cannot work are refused without quoting the password") {
  Json json = Json::object();
  CHECK_FALSE(Settings::parse(json).ok());
  json.set("connection_url", "postgresql://{{username}}:{{password}}@db:x{{password}}/app");
  json.set("password", "hunter2hunter2");
  const auto bad_port = Settings::parse(json);
  if (!bad_port.ok()) CHECK(bad_port.error().message.find("hunter2") == std::string::npos);
  for (const char* url :
       {"postgresql://db/app?passfile=/etc/shadow", "postgresql://[nonsense", "service=mine",
        "postgresql://db/app?sslrootcert=/etc/ca.pem", "host=db sslcert=a sslkey=b", "sslcrl=/dev",
        "postgresql://a,b,c,d,e/app", "hostaddr=::1,::1,::1,::1,::1"}) {
    CAPTURE(url);
    json.set("connection_url", url);
    CHECK_FALSE(Settings::parse(json).ok());
  }
  json.set("connection_url", "postgresql://db/app?sslrootcert=/etc/ca.pem");
  CHECK(Settings::parse(json).error().message.find("as tls_ca") != std::string::npos);
  json.set("connection_url", "postgresql://db/app");
  json.set("password_authentication", "md5");
  CHECK_FALSE(Settings::parse(json).ok());
}

TEST_CASE("postgresql: a password that was not encoded is no host's name, nor a database's") {
  const auto parsed = [](const std::string& url, const std::string& password) {
    Json json = Json::object();
    json.set("connection_url", url).set("username", "u").set("password", password);
    return Settings::parse(json.set("disable_escaping", true));
  };
  for (const std::string password :
       {"pa@ss-tail", "pa/ss-tail", "12/ss-tail", "pa?ss@ss-tail", "@ss-tail", "a/b@ss-tail"}) {
    CAPTURE(password);
    const auto settings = parsed("postgresql://u:" + password + "@db/app", "");
    REQUIRE_FALSE(settings.ok());
    CHECK(settings.error().message.find("-tail") == std::string::npos);
  }
  CHECK(parsed("postgresql://u:plain?word@db/app", "").ok());
  CHECK(parsed("postgresql://u@[::1]:5432,/app?application_name=a@b", "").ok());
  CHECK(parsed("postgresql://%2Ftmp/app", "").ok());
  CHECK(parsed("host=@abstract user={{username}} password={{password}}", "a@b/c d").ok());
  CHECK_FALSE(parsed("host=db=x", "").ok());
}

TEST_CASE("postgresql: a keyword string with odd characters in the password works over a socket") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres test("socket", {{"connection_url", server.socket_url("app")}});
  CHECK(test.connection->ping(test.soon()).ok());
}

TEST_CASE("postgresql: names keep cluster and id, and fit") {
  AccountOnPostgres test("names");
  const std::string id(25, 'X');
  const std::string name = test.target->account_name(test.tag, "Read Only\"'; DROP--", id);
  CHECK(name == "v-test01-read_onl-" + std::string(25, 'x'));
  CHECK(test.target->account_name(test.tag, std::string(500, 'r'), std::string(500, 'i')).size() <=
        63);
  CHECK(target::account_prefix(test.tag) == "v-test01-");
}

TEST_CASE("postgresql: a new password that does not let the manager in is not left to it") {
  Postgres server;
  std::vector<std::string> statements;
  SUBCASE("by statements that set another") {
    statements = {"ALTER ROLE \"{{name}}\" PASSWORD '{{password}}x'"};
  }
  bool expired = false;
  SUBCASE("as it may not log in with any") { expired = true; }
  AccountOnPostgres test("rotating", {}, server);
  REQUIRE(test.connection->ping(test.soon()).ok());
  if (expired) server.query("ALTER ROLE vaultmgr VALID UNTIL '2001-01-01'");
  const Status changed = test.connection->set_password(
      testing::kManager, SecretBytes("Another-4-it"), statements, test.soon());
  REQUIRE(changed.is(Code::denied));
  CHECK(changed.error().message.find("the one from before is set again") != std::string::npos);
  if (expired) server.query("ALTER ROLE vaultmgr VALID UNTIL 'infinity'");
  CHECK(test.target->connect(test.tag, test.soon()).ok());
}

TEST_CASE("postgresql: a manager without rights gets errors that say what to grant") {
  Postgres& server = Postgres::shared();
  server.query("CREATE ROLE weak LOGIN PASSWORD 'weak-password'");
  AccountOnPostgres strong("weakly");
  REQUIRE(strong.create().ok());
  AccountOnPostgres weak("weakly2", {{"username", "weak"}, {"password", "weak-password"}});
  const Status created = weak.create();
  REQUIRE(created.is(Code::denied));
  CHECK(created.error().message.find("permission denied") != std::string::npos);
  const auto revoked = weak.connection->revoke({strong.account, {}}, weak.soon());
  REQUIRE(revoked.is(Code::denied));
  const auto advice = revoked.error().message.find("ALTER ROLE \"weak\" CREATEROLE");
  REQUIRE(advice != std::string::npos);
  server.query(revoked.error().message.substr(advice));
  server.query("REVOKE CONNECT ON DATABASE other FROM PUBLIC; GRANT SELECT ON " +
                   table_of_owner(server, "far", "other", "weak") + " TO \"" + strong.account +
                   "\"",
               "other");
  const auto no_way_in = weak.connection->revoke({strong.account, {}}, weak.soon());
  REQUIRE_FALSE(no_way_in.ok());
  CHECK(no_way_in.error().message.find("GRANT CONNECT ON DATABASE \"other\" TO \"weak\"") !=
        std::string::npos);
  server.query("GRANT CONNECT ON DATABASE other TO PUBLIC");
  const auto done = weak.connection->revoke({strong.account, {}}, weak.soon());
  if (!done.ok()) MESSAGE(done.error().message);
  CHECK(done.ok());
}

TEST_CASE(
    "postgresql: what other drivers' users write in the URL is applied, left out or refused") {
  Postgres& server = Postgres::shared();
  server.query("CREATE SCHEMA IF NOT EXISTS elsewhere", "app");
  const std::string url = server.url("app") +
                          "?search_path=elsewhere,public&sslmode=disable&TimeZone=Asia%2FTokyo"
                          "&default_query_exec_mode=simple_protocol&statement_timeout=1";
  AccountOnPostgres test("drivers", {{"connection_url", url}});
  CHECK(test.target->notes().size() == 2);
  test.statements.emplace_back(
      "DO $$ BEGIN IF current_setting('search_path') <> 'elsewhere,public' OR "
      "current_setting('TimeZone') <> 'Asia/Tokyo' THEN RAISE EXCEPTION 'not applied'; END IF; "
      "END $$");
  const Status created = test.create();
  if (!created.ok()) MESSAGE(created.error().message);
  CHECK(created.ok());
  CHECK(test.revoke().ok());
  for (const char* name : {"session_preload_libraries", "role", "service", "replication"}) {
    CAPTURE(name);
    Json json = Json::object();
    json.set("connection_url", server.url("app") + "?" + name + "=x");
    const auto settings = Settings::parse(json);
    REQUIRE_FALSE(settings.ok());
    CHECK(settings.error().message.find("\"" + std::string(name) + "\"") != std::string::npos);
  }
}

TEST_CASE(
    "postgresql: the manager's name and password are what they are in each form of the text") {
  const std::string name = "m '\\\"@:/?%41{{password}}",
                    word = "{{username}}'\\ @:/?#%x{{password}}b";
  for (const char* url :
       {"postgresql://{{username}}:{{password}}@db/app",
        "postgresql://db/app?user={{username}}&password={{password}}",
        "host=db user={{username}} password={{password}}",
        "host=db user='{{username}}' password='{{password}}'", "postgresql://db/app", "host=db"}) {
    CAPTURE(url);
    Json json = Json::object();
    json.set("connection_url", url).set("username", name).set("password", word);
    const auto settings = Settings::parse(json);
    REQUIRE(settings.ok());
    const auto parameters = settings->parameters();
    REQUIRE(parameters.ok());
    CHECK(parameters->get("user") == name);
    CHECK(parameters->get("password") == word);
    CHECK(parameters->get("host") == "db");
  }
  Json json = Json::object();
  json.set("connection_url", "postgresql://{{username}}:{{password}}@db/app");
  json.set("username", "m%40e").set("password", "a%2Fb c").set("disable_escaping", true);
  const auto given = Settings::parse(json)->parameters();  // as the URL would have them
  REQUIRE(given.ok());
  CHECK(given->get("user") == "m@e");
  CHECK(given->get("password") == "a/b c");
  json.set("disable_escaping", false).set("connection_url", "host={{username}}");
  CHECK_FALSE(Settings::parse(json.set("username", "a@b")).ok());  // still no host's name
  json.set("connection_url", "host=db user={{username}}");
  CHECK_FALSE(Settings::parse(json.set("username", std::string("a\0b", 3))).ok());
}

TEST_CASE("postgresql: max_open_connections below zero is no limit of the operator's") {
  Json json = Json::object();
  json.set("connection_url", "postgresql://localhost/app").set("max_open_connections", -1);
  REQUIRE(Settings::parse(json).ok());
  CHECK(Settings::parse(json)->connections_max == 64);
  CHECK(Settings::parse(json.set("max_open_connections", 0))->connections_max == 4);
  CHECK_FALSE(Settings::parse(json.set("max_open_connections", 65)).ok());
}

TEST_CASE("postgresql: a name that would be cut short or leave its quotes is no name") {
  AccountOnPostgres test("taken");
  CHECK(test.target->takes_name(std::string(63, 'a')).ok());
  for (const std::string& name : {std::string(64, 'a'), std::string("a\"b"), std::string("a b"),
                                  std::string("pg_mine"), std::string()})
    CHECK_FALSE(test.target->takes_name(name).ok());
}

}  // namespace
}  // namespace leasehold::postgresql
