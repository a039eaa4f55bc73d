#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"
#include "tests/support/faulty_storage.h"

using namespace leasehold;
using testing::Answer;
using testing::AuthVault;
using testing::TestVault;

namespace {

const std::string kRole = "auth/approle/role/app";

}  // namespace

TEST_CASE("approle: a role id and a secret id give a token with the role's name and metadata") {
  AuthVault vault;
  CHECK(vault.write(kRole, R"({"token_policies":"app"})").status() == 204);
  const std::string secret = vault.secret_id("app", R"({"metadata":"{\"env\":\"prod\"}"})");
  const Answer login = vault.role_login(vault.role_id("app"), secret);
  REQUIRE(login.status() == 200);
  const auto& auth = *login.response().auth;
  CHECK(auth.policies == std::vector<std::string>{"app", "default"});
  CHECK(auth.metadata ==
        std::vector<std::pair<std::string, std::string>>{{"role_name", "app"}, {"env", "prod"}});
  CHECK(vault->get("auth/token/lookup-self", login.token()).data().string_at("display_name") ==
        "approle");
}

TEST_CASE("approle: a role says of which type its tokens are") {
  AuthVault vault;
  for (const char* type : {"default", "service", "batch", "default-batch"}) {
    CHECK(vault.write(kRole, R"({"token_type":")" + std::string(type) + R"("})").status() == 204);
    const Answer login = vault.role_login(vault.role_id("app"), vault.secret_id("app"));
    REQUIRE(login.status() == 200);
    const bool batch = std::string_view(type).ends_with("batch");
    CHECK(login.response().auth->token_type == (batch ? "batch" : "service"));
    CHECK(login.token().starts_with(batch ? "hvb." : "hvs."));
    CHECK(login.response().warnings.empty());
  }
}

TEST_CASE("approle: every wrong part reads the same") {
  AuthVault vault;
  vault.write(kRole);
  vault.write("auth/approle/role/other");
  const std::string id = vault.role_id("app"), secret = vault.secret_id("app");
  for (const Answer& refused : {vault.role_login(id, "wrong"), vault.role_login("wrong", secret),
                                vault.role_login(vault.role_id("other"), secret)}) {
    CHECK(refused.status() == 400);
    CHECK(refused.error() == "invalid role or secret ID");
  }
  // A role id that is nobody's is no name to lock out; a role's own is.
  for (int i = 0; i < 10; ++i) CHECK(vault.role_login("wrong", secret).status() == 400);
  CHECK(vault.role_login(id, "").error() == "missing secret_id");
  CHECK(vault.role_login("", secret).error() == "missing role_id");
  CHECK(vault.role_login(id, secret).status() == 200);
}

TEST_CASE("approle: who may not reach a role may not under another spelling") {
  AuthVault vault;
  vault.write(kRole);
  vault->policy("helpdesk", R"(
    path "auth/approle/role/*" { capabilities = ["create", "update", "read"] }
    path "auth/approle/role/app/*" { capabilities = ["deny"] })");
  const std::string token = vault->token(R"({"policies":["helpdesk"]})");
  for (const char* path : {"auth/approle/role/app/role-id", "auth/approle/role/APP/role-id"})
    CHECK(vault->get(path, token).status() == 403);
  CHECK(vault->post("auth/approle/role/App/secret-id", token, "{}").status() == 403);
}

TEST_CASE("approle: a secret id serves as often as it may") {
  AuthVault vault;
  vault.write(kRole, R"({"secret_id_num_uses":3})");
  const std::string id = vault.role_id("app"), secret = vault.secret_id("app");
  const auto left = [&] {
    Json body = Json::object();
    body.set("secret_id", secret);
    return vault.write(kRole + "/secret-id/lookup", body.dump());
  };
  CHECK(vault.role_login(id, secret).status() == 200);
  CHECK(left().data().integer_at("secret_id_num_uses") == 2);
  CHECK(vault.role_login(id, secret).status() == 200);
  CHECK(vault.role_login(id, secret).status() == 200);
  CHECK(vault.role_login(id, secret).status() == 400);
  CHECK(left().status() == 204);
  CHECK(vault->list(kRole + "/secret-id", vault->root()).status() == 404);
}

TEST_CASE("approle: of many logins at once no more succeed than a secret id has uses") {
  testing::AuthWorld world;
  const auto inner = std::move(world.storage);
  auto faulty = std::make_unique<testing::FaultyStorage>(*inner, -1);
  testing::FaultyStorage& storage = *faulty;
  world.storage = std::move(faulty);
  AuthVault vault(world);
  vault.write(kRole, R"({"secret_id_num_uses":6})");
  Json body = Json::object();
  body.set("role_id", vault.role_id("app")).set("secret_id", vault.secret_id("app"));
  CHECK(vault->post("auth/approle/login", "", body.dump()).status() == 200);  // makes its entity
  storage.hold();  // each has looked before the first has counted
  std::vector<testing::TestVault::Waiting> waiting;
  for (int i = 0; i < 20; ++i)
    waiting.push_back(vault->begin("POST", "auth/approle/login", "", body.dump()));
  CHECK(vault->get("sys/health", "").status() == 200);  // behind them all
  storage.let_go();
  int good = 0;
  for (const auto& one : waiting) good += vault->wait(one).status() == 200 ? 1 : 0;
  CHECK(good == 5);
}

TEST_CASE("approle: a secret id ends with its time, and tidy erases it") {
  AuthVault vault;
  vault.write(kRole, R"({"secret_id_ttl":"1h"})");
  const std::string id = vault.role_id("app"), secret = vault.secret_id("app");
  vault->advance(Seconds{3599});
  CHECK(vault.role_login(id, secret).status() == 200);
  vault->advance(Seconds{1});
  CHECK(vault.role_login(id, secret).status() == 400);
  CHECK(vault->list(kRole + "/secret-id", vault->root()).status() == 200);
  CHECK(vault.write("auth/approle/tidy/secret-id").status() == 202);
  CHECK(TestVault::eventually([&] {
    return vault->world().log.text().find("the due work of auth/approle/ is done") !=
           std::string::npos;
  }));
  const auto none = [&] {
    return vault->list(kRole + "/secret-id", vault->root()).status() == 404;
  };
  CHECK(TestVault::eventually(none));
  CHECK(vault->world().audit_text().find("due-work") != std::string::npos);
  CHECK(vault->verifies());
}

TEST_CASE("approle: what is over is erased by itself, among many that are not, and also later") {
  AuthVault vault;
  vault.write(kRole);
  std::vector<std::string> kept;
  for (int i = 0; i < 120; ++i) kept.push_back(vault.secret_id("app"));
  for (int i = 0; i < 30; ++i) vault.secret_id("app", R"({"ttl":"30m"})");
  const auto count = [&] {
    const Json data = vault->list(kRole + "/secret-id", vault->root()).data();
    return data.strings_at("keys").size();
  };
  REQUIRE(count() == 150);
  vault->advance(Seconds{1800});
  // A turn may have begun just before: then the next comes an hour later.
  constexpr Seconds kStep{60};
  CHECK(vault->as_time_passes([&] { return count() == 120; }, kStep));
  vault.secret_id("app", R"({"ttl":"1m"})");
  vault->advance(Seconds{3600});
  CHECK(vault->as_time_passes([&] { return count() == 120; }, kStep));
  CHECK(vault.role_login(vault.role_id("app"), kept.back()).status() == 200);
  CHECK(vault->verifies());
}

TEST_CASE("approle: the secret ids of a removed role are erased, however many") {
  AuthVault vault;
  const auto stored = [&] { return vault->count(barrier::Table::value); };
  const auto before = stored();
  vault.write(kRole);
  for (int i = 0; i < 40; ++i) vault.secret_id("app");
  REQUIRE(vault->remove(kRole, vault->root()).status() == 204);
  CHECK(TestVault::eventually([&] { return stored() == before; }));
  CHECK(vault->verifies());
}

TEST_CASE("approle: a secret id asks for no more than its role allows") {
  AuthVault vault;
  vault.write(kRole, R"({"secret_id_ttl":"1h","secret_id_num_uses":5,
                         "secret_id_bound_cidrs":"10.0.0.0/8"})");
  for (const char* wrong :
       {R"({"ttl":"2h"})", R"({"ttl":"0"})", R"({"num_uses":6})", R"({"num_uses":0})",
        R"({"num_uses":-1})", R"({"cidr_list":"11.0.0.0/8"})", R"({"cidr_list":"0.0.0.0/0"})",
        R"({"metadata":"notjson"})", R"({"metadata":"{\"a\":1}"})"}) {
    CAPTURE(wrong);
    CHECK(vault.write(kRole + "/secret-id", wrong).status() == 400);
  }
  const Json made = vault.write(kRole + "/secret-id", R"({"ttl":"30m","num_uses":2})").data();
  CHECK(made.integer_at("secret_id_ttl") == 1800);
  CHECK(made.integer_at("secret_id_num_uses") == 2);
}

TEST_CASE("approle: networks of the role and of the secret id are asked of the login") {
  AuthVault vault;
  vault.write(kRole, R"({"secret_id_bound_cidrs":"10.0.0.0/8"})");
  const std::string id = vault.role_id("app");
  const std::string secret = vault.secret_id("app", R"({"cidr_list":"10.1.0.0/16"})");
  CHECK(vault.role_login(id, secret, "192.0.2.1").status() == 400);
  CHECK(vault.role_login(id, secret, "10.2.0.1").status() == 400);
  CHECK(vault.role_login(id, secret, "10.1.0.1").status() == 200);
}

TEST_CASE("approle: networks are shown as they were given, and compared by what they mean") {
  AuthVault vault;
  using Ranges = std::vector<std::string>;
  vault.write(kRole, R"({"secret_id_bound_cidrs":"127.0.0.1/32,10.1.2.3/8",
                         "token_bound_cidrs":"127.0.0.1/32"})");
  const Json role = vault.read(kRole).data();
  CHECK(role.strings_at("secret_id_bound_cidrs") == Ranges{"127.0.0.1/32", "10.1.2.3/8"});
  CHECK(role.strings_at("token_bound_cidrs") == Ranges{"127.0.0.1"});
  const std::string secret = vault.secret_id("app", R"({"cidr_list":["127.0.0.1","10.9.0.0/16"],
                                 "token_bound_cidrs":"127.0.0.1/32"})");
  const Json shown =
      vault.write(kRole + "/secret-id/lookup", R"({"secret_id":")" + secret + R"("})").data();
  CHECK(shown.strings_at("cidr_list") == Ranges{"127.0.0.1", "10.9.0.0/16"});
  CHECK(shown.strings_at("token_bound_cidrs") == Ranges{"127.0.0.1/32"});
  CHECK(vault.role_login(vault.role_id("app"), secret).status() == 200);
  const std::string wrong = R"("nonsense")";
  for (const std::string& answer :
       {vault.write(kRole, R"({"secret_id_bound_cidrs":)" + wrong + "}").error(),
        vault.write(kRole + "/secret-id", R"({"cidr_list":)" + wrong + "}").error()})
    CHECK(answer ==
          "1 error occurred:\n\t* failed to validate CIDR blocks: invalid CIDR address: "
          "nonsense\n\n");
}

TEST_CASE("approle: the policies of a role are shown as given, those that are set alone in order") {
  AuthVault vault;
  using Names = std::vector<std::string>;
  vault.write(kRole, R"({"token_policies":["b","A"]})");
  vault.write(kRole + "/token-ttl", R"({"token_ttl":"5m"})");
  CHECK(vault.read(kRole).data().strings_at("token_policies") == Names{"b", "A"});
  vault.write(kRole + "/policies", R"({"token_policies":["d","C"]})");
  CHECK(vault.read(kRole).data().strings_at("token_policies") == Names{"c", "d"});
}

TEST_CASE("approle: the tokens of a secret id may be bound more narrowly than the role's") {
  AuthVault vault;
  vault.write(kRole);
  const std::string id = vault.role_id("app");
  const std::string secret = vault.secret_id("app", R"({"token_bound_cidrs":"10.0.0.0/8"})");
  CHECK(vault.role_login(id, secret, "192.0.2.1").status() == 403);
  const std::string token = vault.role_login(id, secret, "10.1.0.1").token();
  CHECK(vault.from("10.1.0.1", "auth/token/renew-self", "{}", token).status() == 200);
  CHECK(vault.from("192.0.2.1", "auth/token/renew-self", "{}", token).status() == 403);
}

TEST_CASE("approle: a role that was narrowed binds the secret ids that were made before") {
  AuthVault vault;
  vault.write(kRole);
  const std::string id = vault.role_id("app");
  const std::string wide = vault.secret_id("app", R"({"token_bound_cidrs":"0.0.0.0/0"})");
  const std::string narrow = vault.secret_id("app", R"({"token_bound_cidrs":"10.9.1.0/24"})");
  const std::string other =
      vault.secret_id("app", R"({"token_bound_cidrs":"192.0.2.0/24","num_uses":1})");
  vault.write(kRole, R"({"token_bound_cidrs":"10.9.0.0/16"})");
  CHECK(vault.role_login(id, wide, "192.0.2.1").status() == 403);
  const Answer login = vault.role_login(id, wide, "10.9.0.1");
  REQUIRE(login.status() == 200);
  CHECK(vault.from("10.9.0.2", "auth/token/renew-self", "{}", login.token()).status() == 200);
  CHECK(vault.from("192.0.2.1", "auth/token/renew-self", "{}", login.token()).status() == 403);
  CHECK(vault.role_login(id, narrow, "10.9.2.1").status() == 403);
  CHECK(vault.role_login(id, narrow, "10.9.1.1").status() == 200);
  // No address is in both: not a token for everywhere, and no use of the secret id.
  for (const char* address : {"192.0.2.1", "10.9.0.1"})
    CHECK(vault.role_login(id, other, address).status() == 403);
  vault.write(kRole, R"({"token_bound_cidrs":""})");
  CHECK(vault.role_login(id, other, "192.0.2.1").status() == 200);
  // Where a login may come from is asked of the role as it is now.
  vault.write(kRole, R"({"secret_id_bound_cidrs":"10.9.0.0/16"})");
  CHECK(vault.role_login(id, wide, "192.0.2.1").status() == 400);
}

TEST_CASE("approle: a role without secret ids needs another constraint") {
  AuthVault vault;
  const std::string open = "auth/approle/role/open";
  CHECK(vault.write(open, R"({"bind_secret_id":false})").status() == 400);
  CHECK(vault.write(open, R"({"bind_secret_id":false,"secret_id_bound_cidrs":"127.0.0.0/8"})")
            .status() == 204);
  CHECK(vault.role_login(vault.role_id("open"), "").status() == 200);
  CHECK(vault.role_login(vault.role_id("open"), "", "192.0.2.1").status() == 400);
  CHECK(vault.write(open + "/secret-id").status() == 400);
  CHECK(vault->remove(open + "/secret-id-bound-cidrs", vault->root()).status() == 400);
}

TEST_CASE("approle: a chosen role id replaces the one before and belongs to one role") {
  AuthVault vault;
  vault.write(kRole);
  vault.write("auth/approle/role/other");
  const std::string before = vault.role_id("app"), secret = vault.secret_id("app");
  CHECK(vault.write(kRole + "/role-id", R"({"role_id":"mine"})").status() == 204);
  CHECK(vault.role_login(before, secret).status() == 400);
  CHECK(vault.role_login("mine", secret).status() == 200);
  CHECK(vault.write("auth/approle/role/other/role-id", R"({"role_id":"mine"})").status() == 400);
}

TEST_CASE("approle: secret ids are looked up and destroyed, by themselves and by accessor") {
  AuthVault vault;
  vault.write(kRole);
  const std::string id = vault.role_id("app");
  const Json first = vault.write(kRole + "/secret-id").data();
  const Json second = vault.write(kRole + "/custom-secret-id", R"({"secret_id":"chosen"})").data();
  const auto body = [](const char* field, const std::string& value) {
    Json fields = Json::object();
    fields.set(field, value);
    return fields.dump();
  };
  const std::string accessor = first.string_at("secret_id_accessor");
  const Json seen =
      vault.write(kRole + "/secret-id-accessor/lookup", body("secret_id_accessor", accessor))
          .data();
  CHECK(seen.string_at("secret_id_accessor") == accessor);
  CHECK(seen.string_at("expiration_time") == "0001-01-01T00:00:00Z");
  CHECK(vault.write(kRole + "/custom-secret-id", R"({"secret_id":"chosen"})").status() == 400);
  CHECK(vault.role_login(id, "chosen").status() == 200);
  CHECK(vault.write(kRole + "/secret-id/destroy", body("secret_id", "chosen")).status() == 204);
  CHECK(vault.role_login(id, "chosen").status() == 400);
  CHECK(vault.write(kRole + "/secret-id/lookup", body("secret_id", "chosen")).status() == 204);
  CHECK(vault.write(kRole + "/secret-id-accessor/destroy", body("secret_id_accessor", accessor))
            .status() == 204);
  CHECK(vault.role_login(id, first.string_at("secret_id")).status() == 400);
  CHECK(vault.write(kRole + "/secret-id-accessor/lookup", body("secret_id_accessor", accessor))
            .status() == 404);
}

TEST_CASE("approle: fields of a role are read, set and reset one by one") {
  AuthVault vault;
  vault.write(kRole, R"({"token_ttl":"20m","secret_id_num_uses":3})");
  CHECK(vault.write(kRole + "/token-ttl", R"({"token_ttl":"5m"})").status() == 204);
  CHECK(vault.read(kRole + "/token-ttl").data().integer_at("token_ttl") == 300);
  CHECK(vault->remove(kRole + "/secret-id-num-uses", vault->root()).status() == 204);
  CHECK(vault.read(kRole).data().integer_at("secret_id_num_uses", -1) == 0);
  CHECK(vault.read(kRole).data().integer_at("token_ttl") == 300);
  CHECK(vault.read("auth/approle/role/none/token-ttl").status() == 404);
}

TEST_CASE("approle: a removed role's secret ids are dead, however many, and a new role has none") {
  AuthVault vault;
  vault.write(kRole);
  const std::string id = vault.role_id("app");
  std::string secret;
  for (int i = 0; i < 30; ++i) secret = vault.secret_id("app");
  CHECK(vault->remove(kRole, vault->root()).status() == 204);
  CHECK(vault.read(kRole).status() == 404);
  CHECK(vault.role_login(id, secret).status() == 400);
  vault.write(kRole, "{\"role_id\":\"" + id + "\"}");
  CHECK(vault.role_login(id, secret).status() == 400);
  CHECK(vault->list(kRole + "/secret-id", vault->root()).status() == 404);
}

TEST_CASE("approle: the audit log holds no secret id") {
  testing::AuthWorld world;
  testing::TestVault vault(world);
  vault.post("sys/auth/approle", vault.root(), R"({"type":"approle"})");
  vault.post(kRole, vault.root());
  const Json made = vault.post(kRole + "/secret-id", vault.root()).data();
  const std::string secret = made.string_at("secret_id");
  REQUIRE(secret.size() == 36);
  Json body = Json::object();
  body.set("role_id", "x").set("secret_id", secret);
  vault.post("auth/approle/login", "", body.dump());
  CHECK(world.audit_text().find(secret) == std::string::npos);
}

TEST_CASE("approle: the logs say why a login was refused, and the client is told the same always") {
  AuthVault vault;
  vault.write("auth/approle/role/a", R"({"secret_id_bound_cidrs":"10.0.0.0/8"})");
  vault.write("auth/approle/role/t", R"({"token_bound_cidrs":"10.0.0.0/8"})");
  vault.write("auth/approle/role/b");
  const std::string id = vault.role_id("b");
  const std::string bound = vault.secret_id("b", R"({"cidr_list":"10.0.0.0/8"})");
  const std::string brief = vault.secret_id("b", R"({"ttl":"1m"})");
  const std::string used = vault.secret_id("b", R"({"num_uses":1})");
  CHECK(vault.role_login(id, used).status() == 200);
  const auto refused = [&](const Answer& answer) {
    CHECK(answer.status() == 400);
    CHECK(answer.error() == "invalid role or secret ID");
    const std::string lines = vault->world().audit_text();
    const std::string last = lines.substr(lines.rfind("\"time\""));
    const std::size_t at = last.find("\"reason\":\"");
    return at == std::string::npos ? "" : last.substr(at + 10, last.find('"', at + 10) - at - 10);
  };
  const auto logged = [&](std::string_view text) {
    return vault->world().log.text().find(text) != std::string::npos;
  };
  CHECK(refused(vault.role_login("none", "x")) == "no role has this role id");
  CHECK(refused(vault.role_login(id, "x")) == "the role has no such secret id, or none any more");
  CHECK(refused(vault.role_login(id, used)) == "the role has no such secret id, or none any more");
  CHECK_FALSE(logged("is refused"));  // strangers send them
  const std::string role = "the role's secret_id_bound_cidrs do not hold the address";
  CHECK(refused(vault.role_login(vault.role_id("a"), "x", "192.0.2.7")) == role);
  CHECK(logged("auth/approle/login: a login from 192.0.2.7 is refused: " + role));
  const std::string secret = "the secret id's cidr_list does not hold the address";
  CHECK(refused(vault.role_login(id, bound)) == secret);
  CHECK_FALSE(logged(secret));  // ten seconds have not passed
  vault->advance(Seconds{61});
  CHECK(refused(vault.role_login(id, brief)) == "the secret id has expired");
  CHECK(logged("is refused: the secret id has expired"));
  vault->advance(Seconds{11});
  CHECK(vault.role_login(vault.role_id("t"), vault.secret_id("t")).status() == 403);
  CHECK(logged("is refused: the role binds its tokens to other networks"));
  CHECK(vault->world().audit_text().find("\"reason\":\"the role binds its tokens") !=
        std::string::npos);
}
