// The database engine with a real PostgreSQL.

#include "backends/target/postgresql.h"
#include "tests/engine/engine_bench.h"
#include "tests/support/postgres.h"
#include "vault/base/encoding.h"
#include "vault/core/contract/password_policies.h"
#include "vault/core/contract/records.h"

namespace leasehold::engine {
std::unique_ptr<core::Engine> make_database(const core::EngineContext& context);
}

namespace leasehold {
namespace {

namespace intent = core::intent;
using testing::Postgres;

constexpr const char* kCreate =
    R"("CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; )"
    R"(GRANT app_ro TO \"{{name}}\";")";

// It has its marks, and PostgreSQL refuses it.
constexpr const char* kBroken =
    R"({"db_name":"pg","creation_statements":["CREATE ROLLE \"{{name}}\" '{{password}}'"]})";
constexpr const char* kBrokenForced =
    R"({"db_name":"pg","force":true,)"
    R"("creation_statements":["CREATE ROLLE \"{{name}}\" '{{password}}'"]})";

// On the real clock: a real server's waits are bounded by it.
Result<std::unique_ptr<target::Target>> make_real(const Json& settings, Clock&, Random&) {
  static SystemClock clock;
  static SystemRandom random;
  return postgresql::make_target(settings, clock, random);
}
constexpr target::TargetRow kTargets[] = {{.plugin = "postgresql-database-plugin",
                                           .settings = postgresql::known_settings,
                                           .shown = postgresql::shown_settings,
                                           .make = make_real,
                                           .leading = postgresql::leading_settings,
                                           .takes = postgresql::takes_settings}};

struct Database : testing::EngineBench {
  Database() : EngineBench(engine::make_database, kTargets) {}

  Json config(const std::string& roles = "ro,st") {
    Json body = Json::object();
    body.set("plugin_name", "postgresql-database-plugin").set("allowed_roles", roles);
    body.set("connection_url", server.url()).set("username", testing::kManager);
    body.set("password", testing::kManagerPassword);
    return body;
  }
  void configure() { REQUIRE(post("config/pg", config().dump()).status == 204); }
  void role(const std::string& name = "ro") {
    const auto answer = post("roles/" + name, R"({"db_name":"pg","default_ttl":"10m",)"
                                              R"("max_ttl":"1h","creation_statements":)" +
                                                  std::string(kCreate) + "}");
    CAPTURE(answer.error);
    REQUIRE(answer.status == 204);
  }
  // Done, with something to say beside it.
  static bool is_told(const testing::EngineAnswer& answer) {
    return answer.status == 204 && !answer.response.quiet_warnings.empty();
  }
  void store_policy(const std::string& name, const std::string& text) {
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, barrier::kCoreSpace, batch);
    REQUIRE(
        core::save_json(txn, core::password_policy_record(name), Json::object().set("policy", text))
            .ok());
    REQUIRE(store.committer.commit(batch).status().ok());
  }
  std::string accounts() {
    return server.query("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'v-bench1-%'");
  }

  Postgres& server = Postgres::shared();
};

TEST_CASE_FIXTURE(Database, "database: a config is read back without its password") {
  configure();
  const auto answer = get("config/pg");
  CHECK(answer.status == 200);
  CHECK(answer.data.dump() ==
        R"({"allowed_roles":["ro","st"],"connection_details":{"connection_url":")" + server.url() +
            R"(","username":"vaultmgr"},"password_policy":"",)"
            R"("plugin_name":"postgresql-database-plugin","plugin_version":"",)"
            R"("root_credentials_rotate_statements":[]})");
  CHECK(list("config").data.dump() == R"({"keys":["pg"]})");
  CHECK(exists("config/pg"));
  CHECK_FALSE(exists("config/other"));
}

TEST_CASE_FIXTURE(Database,
                  "database: a config that cannot connect is refused, unless not verified") {
  Json body = config();
  body.set("password", "wrong-password");
  const auto refused = post("config/pg", body.dump());
  CHECK(refused.status == 400);
  CHECK(refused.error.rfind("error creating database object: error verifying connection: ", 0) ==
        0);
  CHECK(refused.error.find("password authentication failed") != std::string::npos);
  CHECK(refused.error.find("wrong-password") == std::string::npos);
  CHECK(get("config/pg").status == 404);
  body.set("verify_connection", false);
  CHECK(post("config/pg", body.dump()).status == 204);
  CHECK(planned<intent::Check>().server.empty());  // it was not asked
}

TEST_CASE_FIXTURE(Database,
                  "database: a config without a plugin, or with an unknown one, is refused") {
  Json body = config();
  body.set("plugin_name", "nosuch-plugin");
  CHECK(post("config/bad", body.dump()).error ==
        "error creating database object: invalid database version: 2 errors occurred:\n\t* plugin "
        "not found in the catalog: nosuch-plugin\n\t* plugin not found in the catalog: "
        "nosuch-plugin\n\n");
  body.set("plugin_name", "PostgreSQL");
  CHECK(post("config/bad", body.dump())
            .error.ends_with("did you mean \"postgresql-database-plugin\"?"));
  for (const std::string later : {"mysql-database-plugin", "MySQL", "oracle"}) {
    body.set("plugin_name", later);
    CHECK(post("config/bad", body.dump())
              .error.ends_with("\n\n" + later + " is not in this version of Leasehold"));
  }
  body.erase("plugin_name");
  CHECK(post("config/bad", body.dump()).error == "empty plugin name");
  body = config();
  body.erase("connection_url");
  CHECK(post("config/bad", body.dump()).status == 400);
  body = config();
}

TEST_CASE_FIXTURE(Database,
                  "database: a later write keeps what it does not name, and the target's id") {
  configure();
  const core::TargetId id = planned<intent::Check>().target;
  CHECK(post("config/pg", R"({"allowed_roles":["*"]})").status == 204);
  CHECK(planned<intent::Check>().target == id);
  CHECK(get("config/pg").data.strings_at("allowed_roles") == std::vector<std::string>{"*"});
  const auto kept = target(id);  // with its password, which the second write did not name
  REQUIRE(kept.ok());
  CHECK((*kept)->connect(tag, soon()).ok());
  CHECK(target_name(id) == "pg (" + hex(id) + ")");  // what the log calls it
}

TEST_CASE_FIXTURE(Database, "database: a password that is kept goes nowhere else than before") {
  configure();
  const std::string elsewhere =
      R"({"connection_url":"postgresql://{{username}}:{{password}}@127.0.0.1:1/app")";
  const std::string tls = R"({"tls_ca":"-----BEGIN CERTIFICATE-----")";
  for (const std::string& led :
       {elsewhere, elsewhere + R"(,"same_server":true)",
        elsewhere + R"(,"verify_connection":false)", std::string(R"({"username":"other")"), tls,
        std::string(R"({"disable_escaping":true)")}) {
    CAPTURE(led);
    const auto answer = post("config/pg", led + "}");
    CHECK(answer.status == 400);
    CHECK(answer.error.find("where the manager's password is sent") != std::string::npos);
    CHECK(answer.error.find("give password again") != std::string::npos);
  }
  // What leads nowhere else keeps it, also the same said once more.
  for (const char* kept : {R"({"allowed_roles":"ro,st,x","max_open_connections":3})",
                           R"({"username_template":"x-{{random 12}}","disable_escaping":false})",
                           R"({"password_authentication":"scram-sha-256"})"}) {
    CAPTURE(kept);
    CHECK(post("config/pg", kept).status < 300);
  }
  Json again = config();
  again.erase("password");
  CHECK(post("config/pg", again.dump()).status < 300);
  const std::string mark = server.url().find('?') == std::string::npos ? "?" : "&";
  for (const char* leads :
       {"sslmode=disable", "dbname=postgres", "options=-c%20a.b%3D1", "hostaddr=127.0.0.1",
        "target_session_attrs=any", "application_name={{password}}"}) {
    CAPTURE(leads);
    again.set("connection_url", server.url() + mark + leads);
    CHECK(post("config/pg", again.dump()).status == 400);
  }
  for (const char* tunes : {"connect_timeout=7", "application_name=a&keepalives=1", "TimeZone=UTC",
                            "pool_max_conns=3&Search_Path=public"}) {
    CAPTURE(tunes);
    again.set("connection_url", server.url() + mark + tunes);
    CHECK(post("config/pg", again.dump()).status < 300);
  }
  again.set("connection_url", server.url());
  CHECK(post("config/pg", again.dump()).status < 300);
  const std::string other_way = server.url() + mark + "sslmode=disable";
  again.set("connection_url", other_way);
  again.set("password", testing::kManagerPassword);
  CHECK(post("config/pg", again.dump()).status < 300);
  again.erase("password");
  again.set("connection_url", server.url());
  caller.has_sudo = true;
  CHECK(post("config/pg", again.dump()).status < 300);
}

TEST_CASE_FIXTURE(Database, "database: a password that is kept in the URL is told no other name") {
  Json body = config();
  const std::string url = "postgresql://vaultmgr:in-the-url@127.0.0.1:1/app";
  body.erase("password");
  body.set("connection_url", url).set("verify_connection", false);
  REQUIRE(post("config/pg", body.dump()).status == 200);
  Json change = Json::object();
  change.set("tls_ca", "-----BEGIN CERTIFICATE-----").set("verify_connection", false);
  const auto refused = post("config/pg", change.dump());
  CHECK(refused.status == 400);
  CHECK(refused.error.find("give connection_url again") != std::string::npos);
  CHECK(refused.error.find("in-the-url") == std::string::npos);
  change.set("tls_ca", "").set("connection_url", url + "?connect_timeout=7");
  CHECK(post("config/pg", change.dump()).status == 200);
}

TEST_CASE_FIXTURE(Database, "database: a password inside the URL works and is not shown") {
  Json body = config();
  body.set("connection_url",
           "postgresql://vaultmgr:manager-password%2Fwith%3Aodd%40characters@"
           "127.0.0.1:" +
               std::to_string(server.port()) + "/app");
  const auto answer = post("config/pg", body.dump());
  CHECK(answer.status == 200);
  REQUIRE(answer.response.warnings.size() == 1);
  const std::string shown = get("config/pg").data.dump();
  CHECK(answer.response.warnings[0].find("{{password}}") != std::string::npos);
  CHECK(shown.find("odd") == std::string::npos);
  CHECK(shown.find("vaultmgr:xxxxx@127.0.0.1") != std::string::npos);
  body.set("connection_url", "host=127.0.0.1 user=vaultmgr password=in-the-string dbname=app");
  body.set("verify_connection", false);
  CHECK(post("config/kv", body.dump()).status == 200);
  CHECK(get("config/kv").data.dump().find("in-the-string") == std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: a key that is no setting is told, and not kept") {
  Json body = config();
  body.set("verify_connection", false).set("pasword", "TopSecret");
  const auto answer = post("config/pg", body.dump());
  CHECK(answer.status == 204);
  REQUIRE(answer.response.quiet_warnings.size() == 1);
  CHECK(answer.response.quiet_warnings[0] ==
        "Endpoint ignored these unrecognized parameters: [pasword]");
  CHECK(get("config/pg").data.dump().find("pasword") == std::string::npos);
  const auto snapshot = store.snapshot();
  core::ReadTxn txn(*snapshot, store.barrier, testing::kTestSpace);
  for (const std::string& name :
       {std::string("config/pg"), "targets/" + hex(planned<intent::Check>().target)}) {
    CAPTURE(name);
    const auto stored = txn.get(name);
    REQUIRE((stored.ok() && *stored));
    CHECK(as_text((*stored)->value.reveal()).find("TopSecret") == std::string_view::npos);
  }
}

TEST_CASE_FIXTURE(Database, "database: a connection_url is written back as it was read") {
  Json body = config();
  body.set("verify_connection", false);
  const std::string mark = server.url().find('?') == std::string::npos ? "?" : "&";
  for (const std::string& written :
       {server.url() + mark + "TimeZone=UTC&Search_Path=public&binary_parameters=yes",
        std::string("host=127.0.0.1 user='{{username}}' password='{{password}}' dbname=app")}) {
    CAPTURE(written);
    body.set("connection_url", written);
    const auto answer = post("config/pg", body.dump());
    CHECK(answer.status < 300);
    for (const std::string& warning : answer.response.warnings)
      CHECK(warning.find("Password found") == std::string::npos);
    CHECK(get("config/pg").data.find("connection_details")->string_at("connection_url") == written);
  }
  body.set("connection_url", "postgresql://vaultmgr:secret@127.0.0.1/app");
  REQUIRE(post("config/pg", body.dump()).response.warnings.size() == 1);
  Json details = *get("config/pg").data.find("connection_details");
  body.set("connection_url", details.string_at("connection_url"));
  const auto refused = post("config/pg", body.dump());
  CHECK(refused.status == 400);
  CHECK(refused.error.find("leave connection_url out") != std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: a rotation that was asked for is refused, not forgotten") {
  Json body = config();
  body.set("verify_connection", false);
  for (const char* asked :
       {R"({"rotation_period":5})", R"({"rotation_period":"24h"})",
        R"({"rotation_schedule":"* * * * *"})", R"({"rotation_window":"1h"})"}) {
    CAPTURE(asked);
    Json asking = body;
    const Json more = *parse_json(asked);
    for (const auto& one : more.members()) asking.set(one.first, one.second);
    const auto refused = post("config/pg", asking.dump());
    CHECK(refused.status == 400);
    CHECK(refused.error.find("rotation_") == 0);
    CHECK(get("config/pg").status == 404);
  }
  body.set("rotation_period", 0).set("rotation_schedule", "").set("rotation_window", "0s");
  body.set("disable_automated_rotation", false);
  CHECK(post("config/pg", body.dump()).status == 204);
  body.set("use_private_ip", true).set("odd", "");
  const auto told = post("config/pg", body.dump());
  CHECK(told.status == 204);
  CHECK(told.response.quiet_warnings ==
        std::vector<std::string>{
            "Endpoint ignored these unrecognized parameters: [odd use_private_ip]"});
}

TEST_CASE_FIXTURE(Database, "database: a setting that is not used says so") {
  Json body = config();
  body.set("verify_connection", false).set("tls_certificate", "-----BEGIN CERTIFICATE-----");
  body.set("self_managed", false).set("auth_type", "");
  const auto answer = post("config/pg", body.dump());
  CHECK(answer.status == 204);
  CHECK(answer.response.quiet_warnings ==
        std::vector<std::string>{"tls_certificate is not supported and is not used"});
  body = config();
  body.set("max_connection_lifetime", "soon");
  CHECK(post("config/pg", body.dump()).status == 400);
}

TEST_CASE_FIXTURE(Database, "database: what is sent empty is not given, as Terraform does") {
  Json body = config();
  for (const char* name :
       {"username_template", "auth_type", "service_account_json", "tls_ca", "tls_certificate",
        "private_key", "password_policy", "plugin_version", "password_authentication",
        "rotation_schedule", "max_connection_lifetime", "max_open_connections",
        "max_idle_connections", "disable_escaping", "self_managed"})
    body.set(name, "");
  const auto configured = post("config/pg", body.dump());
  CHECK(configured.status == 204);
  CHECK(configured.response.quiet_warnings.empty());
  CHECK(post("config/pg", R"({"password_authentication":"md5"})").status == 400);
  const std::string role = R"({"db_name":"pg","creation_statements":)" + std::string(kCreate);
  CHECK(post("roles/ro", role + R"(,"credential_type":"","credential_config":"",)" +
                             R"("default_ttl":"","max_ttl":"","renew_statements":"",)" +
                             R"("revocation_statements":"","rollback_statements":""})")
            .status == 204);
  CHECK(get("roles/ro").data.string_at("credential_type") == "password");
}

TEST_CASE_FIXTURE(Database, "database: null is as absent, and keeps what is stored") {
  configure();
  CHECK(post("config/pg", R"({"password":null,"username":null,"allowed_roles":"ro,x"})").status ==
        204);
  const Json shown = get("config/pg").data;
  CHECK(shown.find("connection_details")->string_at("username") == testing::kManager);
  CHECK(shown.strings_at("allowed_roles") == std::vector<std::string>{"ro", "x"});
  const char* elsewhere = "postgresql://{{username}}:{{password}}@127.0.0.1:1/app";
  Json led = Json::object();
  led.set("connection_url", elsewhere).set("password", nullptr).set("verify_connection", false);
  CHECK(post("config/pg", led.dump()).error.find("give password again") != std::string::npos);
  led = Json::object();
  led.set("connection_url", elsewhere).set("password", "p").set("verify_connection", nullptr);
  CHECK(post("config/pg", led.dump()).error.find("error verifying connection") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: leases of a removed config still reach their target") {
  configure();
  const core::TargetId id = planned<intent::Check>().target;
  CHECK(remove("config/pg").status == 204);
  CHECK(get("config/pg").status == 404);
  CHECK(list("config").status == 404);
  CHECK(target(id).ok());
  CHECK(target({9, 9}).is(Code::unavailable));
  const auto retired = [&](const core::TargetId& of) {
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, testing::kTestSpace);
    return txn.get("retired/" + hex(of))->has_value();
  };
  CHECK(retired(id));  // and goes with the last of them
  configure();
  CHECK(planned<intent::Check>().target != id);
  CHECK_FALSE(retired(planned<intent::Check>().target));
}

TEST_CASE_FIXTURE(Database,
                  "database: a role is accepted after its account worked, and none is left") {
  configure();
  role();
  CHECK(std::holds_alternative<intent::Probe>(intent()));
  CHECK(accounts() == "0");
  const Json expected = *parse_json(
      R"({"creation_statements":[)" + std::string(kCreate) +
      R"(],"credential_type":"password","db_name":"pg","default_ttl":600,"max_ttl":3600,)"
      R"("renew_statements":[],"revocation_statements":[],"rollback_statements":[]})");
  CHECK((get("roles/ro").data == expected));
  CHECK(list("roles").data.dump() == R"({"keys":["ro"]})");
  CHECK(remove("roles/ro").status == 204);
  CHECK(get("roles/ro").status == 404);
}

TEST_CASE_FIXTURE(Database,
                  "database: a role whose account cannot work is refused, and leaves nothing") {
  configure();
  const auto broken = post("roles/ro", kBroken);
  CHECK(broken.status == 400);
  CHECK(broken.error.find("syntax error") != std::string::npos);
  CHECK(broken.error.find("force=true") != std::string::npos);
  const auto no_login =
      post("roles/ro", R"({"db_name":"pg","creation_statements":)"
                       R"(["CREATE ROLE \"{{name}}\" NOLOGIN PASSWORD '{{password}}'"]})");
  CHECK(no_login.status == 400);
  CHECK(no_login.error.find("did not work") != std::string::npos);
  CHECK(get("roles/ro").status == 404);
  CHECK(accounts() == "0");
  CHECK(post("roles/ro", kBrokenForced).status == 204);
}

TEST_CASE_FIXTURE(Database, "database: a role without the marks it needs runs nothing") {
  configure();
  const auto fixed = post("roles/ro", R"({"db_name":"pg","creation_statements":)"
                                      R"(["CREATE ROLE bob LOGIN PASSWORD '{{password}}'"]})");
  CHECK(fixed.status == 400);
  CHECK(fixed.error.find("{{name}}") != std::string::npos);
  CHECK_FALSE(server.has_role("bob"));
  CHECK(post("roles/ro", R"({"db_name":"pg","force":true,"creation_statements":["CREATE ROLE b"]})")
            .status == 400);
  const std::string no_password =
      R"("db_name":"pg","creation_statements":["CREATE ROLE \"{{username}}\" LOGIN"]})";
  CHECK(post("roles/ro", "{" + no_password).error.find("{{password}}") != std::string::npos);
  CHECK(accounts() == "0");
  CHECK(post("roles/ro", R"({"force":true,)" + no_password).status == 204);
}

TEST_CASE_FIXTURE(Database, "database: a role that issues nothing yet is saved, and says so") {
  const auto warned = [&](const std::string& name, const std::string& body) {
    const auto answer = post("roles/" + name, body);
    CHECK(answer.status == 204);
    REQUIRE(answer.response.quiet_warnings.size() == 1);
    CHECK(std::holds_alternative<intent::Nothing>(intent()));
    return answer.response.quiet_warnings[0];
  };
  CHECK(warned("early", kBroken).rfind("db_name names no configured connection", 0) == 0);
  CHECK(get("creds/early").status == 400);
  configure();
  CHECK(warned("ro", R"({"db_name":"pg"})").rfind("creation_statements are missing", 0) == 0);
  CHECK(get("roles/ro").status == 200);
}

TEST_CASE_FIXTURE(Database, "database: static roles are refused in so many words") {
  const char* kTold =
      "a static role (an account that stays and whose password is rotated) is not "
      "supported by this version";
  for (const char* path : {"static-roles/app", "rotate-role/app"}) {
    const auto answer = post(path, R"({"db_name":"pg","username":"app"})");
    CHECK(answer.status == 400);
    CHECK(answer.error == kTold);
  }
  CHECK(get("static-creds/app").error == kTold);
  for (const auto& none : {list("static-roles"), get("static-roles/app")}) {
    CHECK(none.status == 404);  // as the reference says it when there is none
    CHECK(none.error.empty());
  }
  CHECK(remove("static-roles/app").status == 204);
}

TEST_CASE_FIXTURE(Database, "database: a role may be written before its database allows it") {
  configure();
  const auto saved = post("roles/other", kBroken);
  CHECK(saved.status == 204);
  REQUIRE(log.warnings().size() == 1);
  CHECK(log.warnings()[0].find("allowed_roles of mount/config/pg") != std::string::npos);
  REQUIRE(saved.response.quiet_warnings.size() == 1);
  CHECK(saved.response.quiet_warnings[0].find("saved without a trial") != std::string::npos);
  const auto refused = get("creds/other");
  CHECK(refused.status == 500);
  CHECK(refused.error == "1 error occurred:\n\t* \"other\" is not an allowed role\n\n");
}

TEST_CASE_FIXTURE(Database, "database: roles that cannot be meant are refused") {
  configure();
  CHECK(post("roles/ro", R"({"creation_statements":["SELECT 1"]})").error ==
        "database name is required");
  CHECK(post("roles/ro", R"({"db_name":"pg","default_ttl":"2h","max_ttl":"1h"})").status == 400);
  for (const std::string later : {"renew_statements", "revocation_statements"}) {
    const auto refused = post("roles/ro", R"({"db_name":"pg",")" + later +
                                              R"(":["ALTER ROLE x PASSWORD '{{password}}'"]})");
    CHECK(refused.status == 400);
    CHECK(refused.error.find(later) == 0);
  }
  CHECK(post("roles/ro", R"({"db_name":"pg","credential_type":"rsa_private_key"})").status == 400);
  CHECK(post("roles/ro", R"({"db_name":"pg","default_ttl":"-5"})").status == 400);
  const std::string half(40'000, 'x');
  const auto carried = [&](const std::string& renew) {
    Json body = Json::object();
    body.set("db_name", "pg").set("revocation_statements", half).set("renew_statements", renew);
    return post("roles/ro", body.dump());
  };
  CHECK(carried("SELECT 1").status == 204);
  CHECK(carried(half).status == 400);
  CHECK(carried(half).error.find("can have at most 65536 bytes") != std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: a role write keeps what it does not name") {
  configure();
  role();
  CHECK(post("roles/ro", R"({"db_name":"pg","max_ttl":"2h"})").status == 204);
  const Json kept = get("roles/ro").data;
  CHECK(kept.integer_at("max_ttl") == 7200);
  CHECK(kept.integer_at("default_ttl") == 600);
  CHECK(kept.strings_at("creation_statements").size() == 1);
}

TEST_CASE_FIXTURE(
    Database, "database: credentials name the account and its password, and the lease's terms") {
  configure();
  role();
  CHECK(post("roles/ro", R"({"db_name":"pg","revocation_statements":"SELECT 1",)"
                         R"("renew_statements":["SELECT 2"]})")
            .status == 204);
  const auto answer = get("creds/ro");
  REQUIRE(answer.status == 200);
  CHECK(answer.data.size() == 2);
  CHECK(answer.text("username").rfind("v-bench1-ro-", 0) == 0);
  CHECK(answer.text("password").size() == 20);
  CHECK(server.has_role(answer.text("username")));
  CHECK(planned<intent::Issue>().terms.ttl == Seconds(600));
  CHECK(planned<intent::Issue>().terms.max_ttl == Seconds(3600));
  CHECK(planned<intent::Issue>().renewal_json == R"(["SELECT 2"])");
  CHECK(planned<intent::Issue>().revocation_statements == std::vector<std::string>{"SELECT 1"});
  auto made = target(planned<intent::Issue>().target);
  REQUIRE(made.ok());
  auto connection = (*made)->connect(tag, soon());
  REQUIRE(connection.ok());
  CHECK((*connection)
            ->try_login(answer.text("username"), SecretBytes(answer.text("password")), soon())
            .ok());
  CHECK((*connection)->revoke({answer.text("username"), {}}, soon()).ok());
}

TEST_CASE_FIXTURE(Database,
                  "database: credentials of an unknown role are 400, of a broken one 500") {
  configure();
  CHECK(get("creds/none").status == 400);
  CHECK(get("creds/none").error == "unknown role: none");
  post("roles/ro", kBrokenForced);
  const auto broken = get("creds/ro");
  CHECK(broken.status == 500);
  CHECK(broken.error.find("syntax error") != std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: allowed_roles are names, or have a '*' at either end") {
  const auto allowed = [&](const std::string& roles, const std::string& role) {
    post("config/pg", config(roles).dump());
    post("roles/" + role, kBrokenForced);
    return get("creds/" + role).error.find("not an allowed role") == std::string::npos;
  };
  CHECK(allowed("*", "ro"));
  CHECK(allowed("app-*", "app-ro"));
  CHECK(allowed("*-ro", "app-ro"));
  CHECK(allowed("*pp*", "app-ro"));
  CHECK_FALSE(allowed("", "ro"));
  CHECK_FALSE(allowed("app", "app-ro"));
  CHECK_FALSE(allowed("ro", "app-ro"));
  CHECK_FALSE(allowed("app-*", "my-app-ro"));
  CHECK_FALSE(allowed("*-ro", "app-ro2"));
}

TEST_CASE_FIXTURE(Database, "database: a reset makes the target's record new") {
  configure();
  const std::string record = "targets/" + hex(planned<intent::Check>().target);
  const auto version = [&] {
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, testing::kTestSpace);
    return *txn.version(record);
  };
  const auto before = version();
  CHECK(post("reset/pg").status == 204);
  CHECK(version() > before);
  CHECK(post("reset/none").status == 400);
}

struct Moving : Database {
  Postgres second{{.own_identity = true}};

  Json config_of(const Postgres& of) {
    Json body = config();
    return body.set("connection_url", of.url());
  }
  // Where the accounts of the configuration are made now.
  core::TargetId current() {
    const auto json = parse_json(stored("config/pg"));
    const auto bytes = from_hex(json->string_at("target"));
    core::TargetId id{};
    std::copy(bytes->begin(), bytes->end(), id.begin());
    return id;
  }
  std::string stored(const std::string& name) {
    const auto snapshot = store.snapshot();
    core::ReadTxn txn(*snapshot, store.barrier, testing::kTestSpace);
    const auto record = txn.get(name);
    return record.ok() && *record ? std::string(as_text((*record)->value.reveal())) : "";
  }
  void put(const std::string& name, std::string_view text) {
    const auto snapshot = store.snapshot();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    core::WriteTxn txn(*snapshot, store.barrier, testing::kTestSpace, batch);
    REQUIRE(txn.put(name, as_bytes(text)).ok());
    REQUIRE(store.committer.commit(batch).status().ok());
  }
  std::string server_of(const core::TargetId& id) {
    return parse_json(stored("servers/" + hex(id)))->string_at("server");
  }
  std::string reached(const core::TargetId& id) {
    auto made = target(id);
    REQUIRE(made.ok());
    auto connected = (*made)->connect(tag, soon());
    REQUIRE(connected.ok());
    return (*connected)->identity();
  }
};

TEST_CASE_FIXTURE(Moving, "database: a config that leads to another server is another target") {
  configure();
  const core::TargetId first = current();
  const std::string before = server_of(first);
  CHECK(before == reached(first));
  const auto moved = post("config/pg", config_of(second).dump());
  CHECK(moved.status == 204);
  REQUIRE(moved.response.quiet_warnings.size() == 1);
  CHECK(moved.response.quiet_warnings[0].find("same_server=true") != std::string::npos);
  CHECK(current() != first);
  CHECK(server_of(current()) == reached(current()));
  CHECK(server_of(first) == before);
  CHECK(reached(first) == before);  // with the settings of before
  CHECK_FALSE(stored("retired/" + hex(first)).empty());
  CHECK(is_told(post("config/pg", config_of(server).dump())));
  CHECK(current() == first);
  CHECK(stored("retired/" + hex(first)).empty());
}

TEST_CASE_FIXTURE(Moving, "database: a config that cannot be read takes its settings along") {
  for (const char* damaged : {"no JSON", R"({"target":"none"})"}) {
    configure();
    const core::TargetId id = current();
    put("config/pg", damaged);
    Json other = config();
    REQUIRE(post("config/other", other.dump()).status == 204);
    const auto json = parse_json(stored("config/other"));
    CHECK(remove("config/pg").status == 204);
    CHECK(stored("config/pg").empty());
    CHECK_FALSE(stored("retired/" + hex(id)).empty());  // gone with its last lease
    CHECK(stored("retired/" + json->string_at("target")).empty());
    CHECK(remove("config/pg").status == 204);
  }
}

TEST_CASE_FIXTURE(Moving, "database: another server behind the same URL is another target") {
  configure();
  const core::TargetId first = current();
  const std::string before = server_of(first);
  CHECK(moves(first, "77/app"));
  const core::TargetId other = current();
  CHECK(other != first);
  CHECK(server_of(other) == "77/app");
  CHECK(server_of(first) == before);
  CHECK(stored("targets/" + hex(other)) == stored("targets/" + hex(first)));
  CHECK_FALSE(stored("retired/" + hex(first)).empty());
  CHECK_FALSE(moves(first, "78/app"));  // no configuration leads there any more
  CHECK(current() == other);
  CHECK(moves(other, before));  // the one before is there again
  CHECK(current() == first);
  CHECK(stored("retired/" + hex(first)).empty());
  REQUIRE(remove("config/pg").status == 204);
  CHECK_FALSE(moves(first, "77/app"));
}

TEST_CASE_FIXTURE(Moving, "database: a server that is another each time is not followed for ever") {
  configure();
  int followed = 0;
  while (followed < 100 && moves(current(), std::to_string(followed) + "/app")) ++followed;
  CHECK(followed == 16);
  const core::TargetId last = current();
  CHECK_FALSE(moves(last, "other/app"));
  CHECK(current() == last);
}

TEST_CASE_FIXTURE(Moving, "database: same_server keeps the target, on record and not for long") {
  configure();
  const core::TargetId first = current();
  Json body = config_of(second);
  CHECK(post("config/pg", body.set("same_server", true).dump()).status == 204);
  CHECK(current() == first);
  CHECK(server_of(first) == reached(first));
  REQUIRE(events().size() == 1);
  CHECK(events()[0].name == "target-same-server");
  CHECK(events()[0].fields.string_at("server") == reached(first));
  CHECK(is_told(post("config/pg", config_of(server).dump())));  // said once, not for ever
  CHECK(current() != first);
  CHECK(get("config/pg").data.dump().find("same_server") == std::string::npos);
}

TEST_CASE_FIXTURE(Moving, "database: same_server may be said after the configuration moved") {
  configure();
  const core::TargetId first = current();
  Json body = config_of(second);
  CHECK(is_told(post("config/pg", body.dump())));
  CHECK(post("config/pg", body.set("same_server", true).dump()).status == 204);
  CHECK(server_of(first) == server_of(current()));
  CHECK(reached(first) == server_of(current()));
  CHECK(post("config/pg", body.set("verify_connection", false).dump()).status == 400);
}

TEST_CASE_FIXTURE(Moving, "database: no rotated password goes with settings that are taken over") {
  configure();
  const std::string rotation = "rotations/" + hex(current());
  Json body = config_of(second);
  CHECK(is_told(post("config/pg", body.dump())));
  Json begun = Json::object();
  begun.set("username", testing::kManager).set("password", "not-settled").set("run", "a");
  put(rotation, begun.dump());
  CHECK(post("config/pg", body.set("same_server", true).dump()).status == 204);
  CHECK(stored(rotation).empty());
}

TEST_CASE_FIXTURE(Moving, "database: a rotation is settled however large the settings are") {
  configure();
  const core::TargetId first = current();
  Json target = *parse_json(stored("targets/" + hex(first)));
  Json settings = *target.find("settings");
  settings.set("password", "the-old-one");
  put("targets/" + hex(first), target.set("settings", settings).dump());
  settings.set("tls_ca", std::string(200'000, 'x'));
  const std::string large = target.set("settings", settings).dump();
  Json begun = Json::object();
  begun.set("username", testing::kManager).set("password", testing::kManagerPassword);
  begun.set("run", "another");
  put("rotations/" + hex(first), begun.dump());
  std::vector<core::TargetId> all{first};
  for (std::uint8_t i = 1; i < 8; ++i) all.push_back({i});
  auto made = this->target(first);
  REQUIRE(made.ok());
  auto connected = (*made)->connect(tag, soon());
  REQUIRE(connected.ok());
  for (const core::TargetId& id : all) {
    put("servers/" + hex(id), stored("servers/" + hex(first)));
    put("targets/" + hex(id), large);
    put("rotations/" + hex(id), begun.dump());
  }
  const auto settled = [&](const core::TargetId& id) {
    const Json now = *parse_json(stored("targets/" + hex(id)));
    const bool is_new = now.find("settings")->string_at("password") == testing::kManagerPassword;
    CHECK(stored("rotations/" + hex(id)).empty() == is_new);
    return is_new;
  };
  for (const core::TargetId& id : all) {
    REQUIRE(recovers(id, **connected).ok());
    CHECK(settled(id));
    if (id == first) CHECK_FALSE(settled(all.back()));  // by its own connection
  }
}

TEST_CASE_FIXTURE(Moving, "database: same_server is meant of the server that was left last") {
  configure();
  const core::TargetId first = current();
  const std::string before = server_of(first);
  CHECK(is_told(post("config/pg", config_of(second).dump())));  // a move for good
  const core::TargetId middle = current();
  Postgres third{{.own_identity = true}};
  Json body = config_of(third);
  CHECK(is_told(post("config/pg", body.dump())));  // a failover
  CHECK(post("config/pg", body.set("same_server", true).dump()).status == 204);
  CHECK(reached(middle) == server_of(current()));
  CHECK(server_of(first) == before);
  CHECK(reached(first) == before);
}

TEST_CASE_FIXTURE(Moving, "database: of two servers left for the same one the last is meant") {
  configure();
  const core::TargetId first = current();
  const std::string before = server_of(first);
  Postgres third{{.own_identity = true}};
  CHECK(is_told(post("config/pg", config_of(second).dump())));  // moves for good
  const core::TargetId middle = current();
  CHECK(is_told(post("config/pg", config_of(third).dump())));
  const core::TargetId last = current();
  Json body = config_of(second);
  CHECK(is_told(post("config/pg", body.dump())));
  REQUIRE(current() == middle);  // both others were left for it
  CHECK(post("config/pg", body.set("same_server", true).dump()).status == 204);
  CHECK(server_of(last) == server_of(middle));
  CHECK(server_of(first) == before);
  CHECK(reached(first) == before);
}

TEST_CASE_FIXTURE(Database, "database: same_server where nothing moved is told to change nothing") {
  configure();
  Json body = config();
  const auto idle = post("config/pg", body.set("same_server", true).dump());
  CHECK(idle.status == 204);
  REQUIRE(idle.response.quiet_warnings.size() == 1);
  CHECK(idle.response.quiet_warnings[0].find("changes nothing here") != std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: verify_roles=false takes roles without a trial") {
  Json body = config();
  REQUIRE(post("config/pg", body.set("verify_roles", false).dump()).status == 204);
  CHECK(get("config/pg").data.bool_at("verify_roles", true) == false);
  CHECK(post("roles/ro", kBroken).status == 204);
  CHECK(std::holds_alternative<intent::Nothing>(intent()));
  REQUIRE(post("config/pg", R"({"verify_roles":true})").status == 204);
  const auto refused = post("roles/ro", kBroken);
  CHECK(refused.status == 400);
  CHECK(refused.error.find("verify_roles=false") != std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: a role whose database is away is saved, and told untried") {
  Postgres away;
  Json body = config();
  REQUIRE(post("config/pg", body.set("connection_url", away.url()).dump()).status == 204);
  role();
  away.stop();
  const std::string creation = R"({"db_name":"pg","creation_statements":)" + std::string(kCreate);
  CHECK(post("roles/ro", creation + R"(,"default_ttl":"5m"})").status == 204);  // was tried
  CHECK(get("roles/ro").data.integer_at("default_ttl") == 300);
  for (const std::string& changed : {creation + R"(,"revocation_statements":"SELECT 1"})",
                                     creation + R"(,"default_ttl":"4m"})"}) {
    CAPTURE(changed);  // the second: what was not tried is tried with the next write
    const auto answer = post("roles/ro", changed);
    CHECK(answer.status == 204);
    REQUIRE(answer.response.quiet_warnings.size() == 1);
    CHECK(answer.response.quiet_warnings[0].find("without a trial") != std::string::npos);
  }
  CHECK(get("roles/ro").data.integer_at("default_ttl") == 240);
  CHECK(get("roles/ro").data.find("untried") == nullptr);
  REQUIRE(post("config/pg", config().set("verify_connection", false).dump()).status == 204);
  CHECK(post("roles/ro", kBroken).status == 204);  // as the connection: not verified
  REQUIRE(post("config/pg", config().dump()).status == 204);
  CHECK(post("roles/ro", R"({"default_ttl":"3m"})").status == 400);  // tried at last
}

TEST_CASE_FIXTURE(Database, "database: a password policy that is not there is told of") {
  Json body = config();
  const auto answer = post("config/pg", body.set("password_policy", "strong").dump());
  CHECK(answer.status == 204);
  REQUIRE(answer.response.quiet_warnings.size() == 1);
  CHECK(answer.response.quiet_warnings[0].starts_with("there is no password policy \"strong\""));
  CHECK(get("config/pg").data.string_at("password_policy") == "strong");
  role();  // without a trial
  CHECK(std::holds_alternative<intent::Nothing>(intent()));
  CHECK(post("roles/ro", R"({"credential_config":{"password_policy":"other"}})").status == 204);
  CHECK(get("roles/ro").data.dump().find("other") != std::string::npos);
  const auto refused = get("creds/ro");
  CHECK(refused.status == 400);
  CHECK(refused.error.starts_with("there is no password policy \"other\""));
  CHECK(post("roles/ro", R"({"credential_config":{"key_bits":"2048"}})").error.find("key_bits") !=
        std::string::npos);
}

TEST_CASE_FIXTURE(Database,
                  "database: passwords are made by the role's policy, or else by the "
                  "connection's") {
  store_policy("digits", R"(length = 30 rule "charset" { charset = "0123456789" })");
  store_policy("letters", R"(length = 40 rule "charset" { charset = "abcdefgh" })");
  Json body = config();
  REQUIRE(post("config/pg", body.set("password_policy", "digits").dump()).status == 204);
  role();
  const std::string of_config = get("creds/ro").text("password");
  CHECK(of_config.size() == 30);
  CHECK(of_config.find_first_not_of("0123456789") == std::string::npos);
  REQUIRE(post("roles/ro", R"({"credential_config":{"password_policy":"letters"}})").status == 204);
  const std::string of_role = get("creds/ro").text("password");
  CHECK(of_role.size() == 40);
  CHECK(of_role.find_first_not_of("abcdefgh") == std::string::npos);
}

TEST_CASE_FIXTURE(Database, "database: statements are read in each form they are written in") {
  configure();
  const std::string statement =
      R"(CREATE ROLE "{{name}}" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}')";
  const std::string array =
      Json(std::vector<std::string>{statement, "GRANT app_ro TO \"{{name}}\""}).dump();
  for (const std::string& written :
       {array, base64(as_bytes(array)), base64(as_bytes(statement)), statement}) {
    CAPTURE(written);
    remove("roles/ro");  // what was tried is not tried again
    Json body = Json::object();
    body.set("db_name", "pg").set("creation_statements", written);
    const auto answer = post("roles/ro", body.dump());
    CAPTURE(answer.error);
    CHECK(answer.status == 204);
    CHECK(std::holds_alternative<intent::Probe>(intent()));
    CHECK(get("roles/ro").data.strings_at("creation_statements") ==
          std::vector<std::string>{written});
  }
  CHECK(post("roles/ro", R"({"revocation_statements":"[\"SELECT 1\",\"SELECT 2\"]"})").status ==
        204);
  CHECK(planned<intent::Probe>().revocation_statements ==
        std::vector<std::string>{"SELECT 1", "SELECT 2"});
  CHECK(post("roles/ro", R"({"rollback_statements":"ROLLBACK"})").status == 204);  // base64 as well
  CHECK(planned<intent::Probe>().create.rollback_statements ==
        std::vector<std::string>{"ROLLBACK"});
}

TEST_CASE_FIXTURE(Database, "database: accounts are named by username_template") {
  Json body = config();
  body.set("username_template", "app-{{.RoleName | uppercase}}-{{random 12}}");
  const auto configured = post("config/pg", body.dump());
  CHECK(configured.status == 204);
  REQUIRE(configured.response.quiet_warnings.size() == 1);
  CHECK(configured.response.quiet_warnings[0].find("do not begin with v-") != std::string::npos);
  role();
  const auto answer = get("creds/ro");
  REQUIRE(answer.status == 200);
  CHECK(answer.text("username").rfind("app-RO-", 0) == 0);
  CHECK(server.has_role(answer.text("username")));
  auto made = target(planned<intent::Issue>().target);
  REQUIRE(made.ok());
  CHECK((*(*made)->connect(tag, soon()))->revoke({answer.text("username"), {}}, soon()).ok());
  for (const char* text : {"{{.RoleName}}", "{{random 80}}", "{{random 20}} x", "{{nothing}}"}) {
    CAPTURE(text);
    CHECK(post("config/pg", body.set("username_template", text).dump()).status == 400);
  }
}

}  // namespace
}  // namespace leasehold
