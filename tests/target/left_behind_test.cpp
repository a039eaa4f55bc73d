// What accounts leave behind on a real PostgreSQL, and what it can still do there.

#include <doctest/doctest.h>

#include "tests/target/account_on_postgres.h"

namespace leasehold::postgresql {
namespace {

using testing::AccountOnPostgres;
using testing::Login;
using testing::Postgres;

constexpr const char* kSuperuser = "rootmgr";

std::map<std::string, std::string> managed_by(const std::string& manager) {
  if (manager == testing::kManager) return {};
  return {{"username", manager}, {"password", "root-password"}};
}

// A schema in `app` where everybody may make objects, with a table `secrets` nobody may read. The
// manager is a member of the owner of both.
std::string open_schema(const std::string& name) {
  Postgres& server = Postgres::shared();
  if (!server.has_role("zone_owner"))
    server.query(
        "CREATE ROLE zone_owner NOLOGIN; GRANT zone_owner TO vaultmgr;"
        "CREATE ROLE rootmgr SUPERUSER LOGIN PASSWORD 'root-password'");
  server.query("CREATE SCHEMA " + name +
                   " AUTHORIZATION zone_owner; GRANT USAGE, CREATE ON SCHEMA " + name +
                   " TO PUBLIC; CREATE TABLE " + name + ".secrets AS SELECT 1 AS id;" +
                   "ALTER TABLE " + name + ".secrets OWNER TO zone_owner",
               "app");
  return name;
}

// What the holder of a lease does in `schema`.
void make(AccountOnPostgres& test, const std::string& schema, const std::string& sql) {
  Login session(test.server, test.account, test.password());
  REQUIRE(session.ok());
  session.query(("SET search_path = " + schema).c_str());
  session.query(sql.c_str());
}

std::string read(AccountOnPostgres& test, const std::string& sql) {
  return Login(test.server, test.account, test.password()).query(sql.c_str());
}

void revoke(AccountOnPostgres& test) {
  const auto revoked = test.revoke();
  if (!revoked.ok()) MESSAGE(revoked.error().message);
  REQUIRE(revoked.ok());
  CHECK_FALSE(test.server.has_role(test.account));
}

std::string owner_of_function(const std::string& name) {
  return Postgres::shared().query(
      "SELECT proowner::regrole FROM pg_proc WHERE proname = '" + name + "'", "app");
}

}  // namespace

TEST_CASE("left behind: code of a revoked account has nobody's rights, and its tables stay") {
  std::string manager;
  SUBCASE("a manager without superuser") { manager = testing::kManager; }
  SUBCASE("a superuser") { manager = kSuperuser; }
  const std::string zone = open_schema("zone_of_" + manager);
  const std::string promote = "promote_" + manager, evil = "evil_" + manager;
  AccountOnPostgres mallory("mallory", managed_by(manager));
  REQUIRE(mallory.create().ok());
  make(mallory, zone,
       "CREATE FUNCTION " + promote +
           "() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$"
           "BEGIN CREATE ROLE " +
           evil +
           " CREATEROLE; RETURN 'done'; END $$;"
           "CREATE VIEW peek AS SELECT id FROM secrets; GRANT SELECT ON peek TO PUBLIC;"
           "CREATE TABLE orders AS SELECT 7 AS id; GRANT SELECT ON orders TO PUBLIC");
  revoke(mallory);
  CHECK(owner_of_function(promote) == "\"kept-" + mallory.account + "\"");

  AccountOnPostgres next("next", managed_by(manager));
  REQUIRE(next.create().ok());
  CHECK(read(next, "SELECT " + zone + "." + promote + "()").empty());
  CHECK_FALSE(next.server.has_role(evil));
  CHECK(read(next, "SELECT id FROM " + zone + ".peek").empty());
  CHECK(read(next, "SELECT id FROM " + zone + ".orders") == "7");
  revoke(next);
  CHECK(next.server.query("SELECT has_schema_privilege('kept-" + mallory.account + "', '" + zone +
                              "', 'CREATE') AND NOT pg_has_role('vaultmgr', 'kept-" +
                              mallory.account + "', 'USAGE')",
                          "app") == "t");  // as everybody has it there
}

TEST_CASE("left behind: a view of one account does not read the table of another") {
  const std::string zone = open_schema("zone_of_two");
  AccountOnPostgres alice("alice"), mallory("mallory2"), next("next2");
  for (auto* one : {&alice, &mallory, &next}) REQUIRE(one->create().ok());
  make(alice, zone, "CREATE TABLE private AS SELECT 7 AS id");
  make(mallory, zone, "CREATE VIEW peek AS SELECT id FROM private; GRANT SELECT ON peek TO PUBLIC");
  revoke(alice);
  revoke(mallory);
  CHECK(read(next, "SELECT id FROM " + zone + ".peek").empty());
  CHECK(next.server.query("SELECT id FROM " + zone + ".private", "app") == "7");
  revoke(next);
}

TEST_CASE("left behind: a schema of the account's own goes with all that is in it") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres test("schema");
  REQUIRE(test.create().ok());
  server.query("GRANT CREATE ON DATABASE app TO PUBLIC; GRANT CREATE ON DATABASE app TO vaultmgr");
  make(test, "public",
       "CREATE SCHEMA \"its \"\"own\"; CREATE TABLE \"its \"\"own\".kept AS SELECT 7 AS id;"
       "CREATE FUNCTION \"its \"\"own\".f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  revoke(test);
  CHECK(server.query("SELECT id FROM \"its \"\"own\".kept", "app") == "7");
  CHECK(server.query(
            "SELECT has_schema_privilege('kept-" + test.account + "', 'its \"own', 'CREATE')",
            "app") == "t");
  server.query("REVOKE CREATE ON DATABASE app FROM PUBLIC");
}

TEST_CASE("left behind: code goes where only a group of the manager's may make any") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres test("grouped");
  REQUIRE(test.create().ok());
  server.query("CREATE SCHEMA grouped; GRANT USAGE, CREATE ON SCHEMA grouped TO app_ro", "app");
  make(test, "grouped", "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  revoke(test);
  const std::string keeper = "kept-" + test.account;
  CHECK(owner_of_function("one") == "\"" + keeper + "\"");
  CHECK(server.query("SELECT pg_has_role('" + keeper + "', 'app_ro', 'MEMBER')") == "f");
}

TEST_CASE("left behind: code that cannot be given away has lost the rights of its groups") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres stuck("stuck2"), next("next3");
  REQUIRE(stuck.create().ok());
  REQUIRE(next.create().ok());
  server.query(
      "CREATE SCHEMA walled; GRANT USAGE ON SCHEMA walled TO PUBLIC;"
      "GRANT CREATE ON SCHEMA walled TO \"" +
          stuck.account + "\"",
      "app");
  make(stuck, "walled",
       "CREATE FUNCTION walled.items() RETURNS int LANGUAGE sql SECURITY DEFINER"
       " AS 'SELECT id FROM public.items'");
  CHECK(read(next, "SELECT walled.items()") == "7");
  const auto revoked = stuck.revoke();
  REQUIRE(revoked.is(Code::denied));
  // From version 16 on the account itself is a group that lends its keeper what that needs; then
  // what the superuser granted it is left.
  const bool lends = server.version() >= 16;
  const std::string& why = revoked.error().message;
  CHECK(why.find(lends ? "privileges for schema walled" : "permission denied for schema walled") !=
        std::string::npos);
  CHECK(why.find(lends ? "a member of the owner of these objects"
                       : "a member of the owner of the schema") != std::string::npos);
  CHECK(read(next, "SELECT walled.items()").empty());
  server.query("DROP OWNED BY \"" + stuck.account + "\"", "app");
  revoke(stuck);
  revoke(next);
}

TEST_CASE("left behind: a role with rights, or a member of another, is given nothing") {
  Postgres& server = Postgres::shared();
  const std::string zone = open_schema("zone_of_names");
  AccountOnPostgres test("named");
  REQUIRE(test.create().ok());
  make(test, zone, "CREATE TABLE left_here (id int)");
  const std::string keeper = "\"kept-" + test.account + "\"";
  server.query("CREATE ROLE " + keeper + " NOLOGIN; GRANT app_ro TO " + keeper);
  const auto refused = test.revoke();
  REQUIRE(refused.is(Code::denied));
  CHECK(refused.error().message.find("has rights of its own") != std::string::npos);
  server.query("REVOKE app_ro FROM " + keeper);
  server.let_manage(keeper);
  revoke(test);
}

TEST_CASE("left behind: an account that works as a group leaves nothing of its own") {
  const std::string zone = open_schema("zone_of_group");
  Postgres::shared().let_manage("zone_owner");
  AccountOnPostgres test("works");
  test.statements.emplace_back(
      "GRANT zone_owner TO \"{{name}}\"; ALTER ROLE \"{{name}}\" SET role = 'zone_owner'");
  REQUIRE(test.create().ok());
  make(test, zone, "CREATE TABLE of_the_group (id int)");
  revoke(test);
  CHECK(test.server.query("SELECT tableowner FROM pg_tables WHERE tablename = 'of_the_group'",
                          "app") == "zone_owner");
  CHECK_FALSE(test.server.has_role("kept-" + test.account));
}

TEST_CASE("left behind: an account without objects leaves no role") {
  AccountOnPostgres test("tidy");
  REQUIRE(test.create().ok());
  test.server.query("GRANT CONNECT ON DATABASE app TO PUBLIC");
  revoke(test);
  CHECK_FALSE(test.server.has_role("kept-" + test.account));
}

TEST_CASE("left behind: an operator that an account made is not one the manager uses") {
  Postgres server;
  AccountOnPostgres test("operator", {}, server);
  REQUIRE(test.create().ok());
  server.query("GRANT CREATE ON SCHEMA public TO PUBLIC", "app");
  make(test, "public",
       "CREATE FUNCTION times(numeric, int) RETURNS numeric LANGUAGE plpgsql AS $$"
       "BEGIN CREATE ROLE evil_operator; RETURN $1; EXCEPTION WHEN OTHERS THEN RETURN $1; END $$;"
       "CREATE OPERATOR public.* (leftarg = numeric, rightarg = int, function = public.times)");
  REQUIRE(server.query("SELECT count(*) FROM pg_operator WHERE oprcode = 'public.times'::regproc",
                       "app") == "1");
  CHECK(test.target->connect(test.tag, test.soon()).ok());
  CHECK_FALSE(server.has_role("evil_operator"));
}

TEST_CASE("left behind: an operator's statements still find what is in the server's search path") {
  AccountOnPostgres test("path");
  test.server.query("CREATE TABLE IF NOT EXISTS unqualified (id int)", "app");
  test.server.query("ALTER TABLE unqualified OWNER TO vaultmgr", "app");
  test.statements.emplace_back("GRANT SELECT ON unqualified TO \"{{name}}\"");
  CHECK(test.create().ok());
  CHECK(test.revoke({"REVOKE ALL ON unqualified FROM \"{{name}}\""}).ok());
  test.server.query("DROP TABLE unqualified", "app");
}

TEST_CASE("left behind: a grant on all tables names the one in its way and how to give it away") {
  Postgres& server = Postgres::shared();
  const std::string zone = open_schema("zone_of_all");
  AccountOnPostgres first("firstall"), next("nextall");
  const std::string grant = "GRANT SELECT ON ALL TABLES IN SCHEMA " + zone + " TO \"{{name}}\"";
  first.statements.push_back(grant);
  next.statements.push_back(grant);
  REQUIRE(first.create().ok());
  const auto advice = first.connection->advice_on(
      {first.account, first.password(), first.statements, {}, first.end()}, first.soon());
  REQUIRE(advice.size() == 1);
  CHECK(advice[0].find(zone) != std::string::npos);
  make(first, zone, "CREATE TABLE orders (id int)");
  revoke(first);
  const Status refused = next.create();
  REQUIRE(refused.is(Code::denied));
  const std::string& why = refused.error().message;
  CHECK(why.find("the table " + zone + ".orders belongs to \"kept-" + first.account + "\"") !=
        std::string::npos);
  const auto command = why.find("ALTER TABLE " + zone + ".orders OWNER TO zone_owner");
  REQUIRE(command != std::string::npos);
  server.query(why.substr(command), "app");
  CHECK(next.create().ok());
  revoke(next);
}

TEST_CASE("left behind: publications and foreign servers go with what their owner needs lent") {
  Postgres server;
  server.query("CREATE ROLE dev NOLOGIN; GRANT dev TO vaultmgr WITH ADMIN OPTION");
  server.query(
      "CREATE FOREIGN DATA WRAPPER plain; GRANT CREATE ON DATABASE app TO dev;"
      "GRANT USAGE ON FOREIGN DATA WRAPPER plain TO dev",
      "app");
  AccountOnPostgres test("publisher", {}, server);
  bool through_group = true;
  SUBCASE("as a group has it") { test.statements.emplace_back("GRANT dev TO \"{{name}}\""); }
  SUBCASE("or with advice that lets the manager grant it") { through_group = false; }
  REQUIRE(test.create().ok());
  if (!through_group) {
    server.query("REVOKE ALL ON DATABASE app FROM dev; GRANT CREATE ON DATABASE app TO \"" +
                     test.account + "\"",
                 "app");
  }
  make(test, "public", "CREATE PUBLICATION all_of_it");
  if (through_group) make(test, "public", "CREATE SERVER there FOREIGN DATA WRAPPER plain");
  if (!through_group) {
    const auto refused = test.revoke();
    REQUIRE(refused.is(Code::denied));
    const std::string& why = refused.error().message;
    const auto advice = why.find("GRANT CREATE ON DATABASE app TO \"vaultmgr\"");
    // From version 16 on the account itself lends what its keeper needs.
    REQUIRE((advice != std::string::npos) == (server.version() < 16));
    if (advice != std::string::npos) server.query(why.substr(advice));
    server.query("REVOKE CREATE ON DATABASE app FROM \"" + test.account + "\"");  // a superuser's
  }
  revoke(test);
  const std::string keeper = "kept-" + test.account;
  CHECK(server.query("SELECT pubowner::regrole FROM pg_publication", "app") ==
        "\"" + keeper + "\"");
  CHECK(server.query("SELECT has_database_privilege('" + keeper + "', 'app', 'CREATE')") == "f");
  if (through_group)
    CHECK(server.query("SELECT srvowner::regrole FROM pg_foreign_server", "app") ==
          "\"" + keeper + "\"");
}

TEST_CASE("left behind: many objects are handed over in parts, and a part that is done stays so") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres test("many");
  REQUIRE(test.create().ok());
  server.query(
      "CREATE SCHEMA walled_off; GRANT CREATE ON SCHEMA walled_off TO \"" + test.account + "\"",
      "app");
  make(test, "public", "SELECT count(lo_create(0)) FROM generate_series(1, 1200)");
  make(test, "walled_off", "CREATE FUNCTION walled_off.f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
  const std::string left =
      "SELECT count(*) FROM pg_largeobject_metadata WHERE lomowner = (SELECT "
      "oid FROM pg_roles WHERE rolname = '";
  REQUIRE(server.query(left + test.account + "')", "app") == "1200");
  REQUIRE(test.revoke().is(Code::denied));
  CHECK(server.query(left + test.account + "')", "app") == "0");
  server.query("DROP SCHEMA walled_off CASCADE", "app");
  revoke(test);
  CHECK(server.query(left + "kept-" + test.account + "')", "app") == "1200");
}

TEST_CASE("left behind: tables, views, functions and types by the hundred") {
  const std::string zone = open_schema("zone_of_hundreds");
  AccountOnPostgres test("hundreds");
  REQUIRE(test.create().ok());
  make(test, zone,
       "CREATE DOMAIN \"odd name\" AS int;"
       "DO $$ BEGIN FOR i IN 1..130 LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY);"
       "CREATE VIEW v%s AS SELECT * FROM t%s; CREATE PROCEDURE f%s(int, \"odd name\")"
       " LANGUAGE sql AS ''SELECT 1''; CREATE TYPE r%s AS RANGE (subtype = int)', i, i, i, i, i);"
       "END LOOP; END $$");
  REQUIRE(test.server.query("SELECT count(*) > 500 FROM pg_shdepend WHERE refobjid = (SELECT oid "
                            "FROM pg_roles WHERE rolname = '" +
                            test.account + "')") == "t");
  revoke(test);
}

TEST_CASE("left behind: what runs into our own limit of a statement is refused, not busy") {
  Postgres server;
  AccountOnPostgres test("limit", {}, server);
  REQUIRE(test.create().ok());
  make(test, "public", "SELECT lo_create(0)");
  server.query(
      "CREATE FUNCTION too_long() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE "
      "EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014'; END $$;"
      "CREATE EVENT TRIGGER too_long ON ddl_command_start WHEN TAG IN ('DROP OWNED')"
      " EXECUTE FUNCTION too_long()",
      "app");
  const auto revoked = test.revoke();
  REQUIRE(revoked.is(Code::denied));
  CHECK(revoked.error().message.find("let a superuser run DROP OWNED BY") != std::string::npos);
  server.query("DROP EVENT TRIGGER too_long", "app");
  revoke(test);
}

TEST_CASE("left behind: accounts whose long names end alike have a keeper each") {
  Postgres& server = Postgres::shared();
  AccountOnPostgres one("one"), two("two");
  const std::string end(58, 'x');
  one.account = "a-alt" + end;
  two.account = "b-alt" + end;
  for (AccountOnPostgres* test : {&one, &two}) {
    REQUIRE(test->create().ok());
    make(*test, "public", "SELECT lo_create(0)");
    revoke(*test);
  }
  CHECK(server.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'kept-%xxxxx'") == "2");
}

}  // namespace leasehold::postgresql
