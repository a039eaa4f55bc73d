#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"
#include "tests/support/occupied.h"
#include "vault/core/authority/lockout.h"
#include "vault/core/contract/records.h"
#include "vault/core/road/unsealed.h"
#include "vault/crypto/password.h"

using namespace leasehold;
using testing::Answer;
using testing::AuthVault;

namespace {

constexpr char kBob[] = R"({"password":"hunter2","token_policies":"app","token_ttl":"1h",
                            "token_max_ttl":"2h"})";

}  // namespace

TEST_CASE("userpass: a login gives a token with the user's policies, name and entity") {
  AuthVault vault;
  REQUIRE(vault.write("auth/userpass/users/Bob", kBob).status() == 204);
  const Answer login = vault.log_in("bob", "hunter2");
  REQUIRE(login.status() == 200);
  const auto& auth = *login.response().auth;
  CHECK(auth.policies == std::vector<std::string>{"app", "default"});
  CHECK(auth.lease_duration == Seconds{3600});
  CHECK(auth.renewable);
  CHECK(auth.orphan);
  CHECK(auth.metadata == std::vector<std::pair<std::string, std::string>>{{"username", "bob"}});
  CHECK_FALSE(auth.entity_id.empty());
  CHECK(vault.log_in("BOB", "hunter2").response().auth->entity_id == auth.entity_id);
  const Json token = vault->get("auth/token/lookup-self", login.token()).data();
  CHECK(token.string_at("display_name") == "userpass-bob");
  CHECK(token.string_at("path") == "auth/userpass/login/bob");
}

TEST_CASE("userpass: a wrong password and an unknown name read the same") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  for (const Answer& refused : {vault.log_in("bob", "hunter3"), vault.log_in("eve", "hunter2")}) {
    CHECK(refused.status() == 400);
    CHECK(refused.error() == "invalid username or password");
  }
  CHECK(vault.log_in("bob", "").error() == core::multierror("missing password"));
}

TEST_CASE("userpass: after five failures a name is locked out, and others are not") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  vault.write("auth/userpass/users/ann", kBob);
  for (int i = 0; i < 4; ++i) CHECK(vault.log_in("bob", "wrong").status() == 400);
  CHECK(vault.log_in("bob", "hunter2").status() == 200);  // a success forgets them
  for (int i = 0; i < 5; ++i) CHECK(vault.log_in("bob", "wrong").status() == 400);
  CHECK(vault->world().log.text().find("auth/userpass/login/bob: locked for 15m after 5 failed") !=
        std::string::npos);
  CHECK(vault->world().log.text().find("from 127.0.0.1") != std::string::npos);
  // Once, and the name is an HMAC: of AppRole it would be half a secret.
  std::vector<Json> locked;
  for (const std::string& text : vault->world().audit_lines())
    if (text.find("login-locked") != std::string::npos) locked.push_back(*parse_json(text));
  REQUIRE(locked.size() == 1);
  const Json& data = *locked.front().find("data");
  CHECK(data.string_at("path") == "auth/userpass/login/bob");
  CHECK(data.string_at("alias").starts_with("hmac-sha256:"));
  CHECK(data.integer_at("failures") == 5);
  CHECK(data.integer_at("locked_for") == 900);
  CHECK(data.string_at("remote_address") == "127.0.0.1");
  CHECK(vault.log_in("bob", "hunter2").status() == 403);
  CHECK(vault.log_in("Bob", "hunter2").status() == 403);
  CHECK(vault.log_in("ann", "hunter2").status() == 200);
  vault->advance(Seconds{899});
  CHECK(vault.log_in("bob", "hunter2").status() == 403);
  vault->advance(Seconds{1});
  CHECK(vault.log_in("bob", "hunter2").status() == 200);
}

TEST_CASE("lockout: locked names are listed, and let in again") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const auto locked = [&] { return vault->get("sys/locked-users", vault->root()).data(); };
  CHECK(locked().find("by_namespace")->size() == 0);
  for (int i = 0; i < 5; ++i) vault.log_in("bob", "wrong");
  const Json shown = locked();
  CHECK(shown.integer_at("total") == 1);
  const Json& root = shown.find("by_namespace")->items()[0];
  CHECK(root.string_at("namespace_id") == "root");
  CHECK(root.integer_at("counts") == 1);
  const Json& mount = root.find("mount_accessors")->items()[0];
  CHECK(mount.strings_at("alias_identifiers") == std::vector<std::string>{"bob"});
  const std::string accessor = mount.string_at("mount_accessor");
  CHECK(accessor.starts_with("auth_userpass_"));
  const auto other =
      vault->request("GET", "sys/locked-users", vault->root(), R"({"mount_accessor":"x"})");
  CHECK(other.data().integer_at("total") == 0);
  const std::string unlock = "sys/locked-users/" + accessor + "/unlock/";
  CHECK(vault.write(unlock + "ann", "{}").status() == 204);
  CHECK(vault.log_in("bob", "hunter2").status() == 403);
  CHECK(vault.write(unlock + "Bob", "{}").status() == 204);
  CHECK(vault.log_in("bob", "hunter2").status() == 200);
  CHECK(locked().integer_at("total") == 0);
}

TEST_CASE("lockout: a name stays locked however many other names fail") {
  core::Lockout lockout;
  const core::LockoutRule rule;
  const WallTime now{};
  for (int i = 0; i < 5; ++i) lockout.failed("m", "bob", rule, now);
  for (int i = 0; i < 70'000; ++i) lockout.failed("m", "x" + std::to_string(i), rule, now);
  CHECK(lockout.is_locked("m", "bob", now));
  CHECK_FALSE(lockout.is_locked("m", "x1", now));
}

TEST_CASE("userpass: the mount says after how many failures, and for how long") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const auto tune = [&](const char* body) { return vault.write("sys/auth/userpass/tune", body); };
  CHECK(tune(R"({"user_lockout_config":{"lockout_threshold":"3","lockout_duration":"1m"}})")
            .status() == 204);
  for (const char* bad : {R"({"user_lockout_config":{"lockout_threshold":0}})",
                          R"({"user_lockout_config":{"lockout_threshold":"5m"}})",
                          R"({"user_lockout_config":{"lockout_duration":"9999999999h"}})",
                          R"({"user_lockout_config":{"lockout_counter_reset_duration":true}})"})
    CHECK(tune(bad).status() == 400);
  const Json shown = vault->get("sys/auth/userpass/tune", vault->root()).data();
  CHECK(shown.integer_at("user_lockout_threshold") == 3);
  CHECK(shown.integer_at("user_lockout_duration") == 60);
  for (int i = 0; i < 3; ++i) CHECK(vault.log_in("bob", "wrong").status() == 400);
  CHECK(vault.log_in("bob", "hunter2").status() == 403);
  vault->advance(Seconds{60});
  CHECK(vault.log_in("bob", "hunter2").status() == 200);
}

TEST_CASE("userpass: who may not write a user may not under another spelling") {
  AuthVault vault;
  vault.write("auth/userpass/users/boss", kBob);
  vault->policy("helpdesk", R"(
    path "auth/userpass/users/*" { capabilities = ["create", "update", "read"] }
    path "auth/userpass/users/boss" { capabilities = ["deny"] }
    path "auth/userpass/users/boss/*" { capabilities = ["deny"] })");
  const std::string token = vault->token(R"({"policies":["helpdesk"]})");
  CHECK(vault->post("auth/userpass/users/Ann", token, kBob).status() == 204);
  for (const char* path : {"auth/userpass/users/boss/password", "auth/userpass/users/BOSS/password",
                           "auth/userpass/users/boss/Password"})
    CHECK(vault->post(path, token, R"({"password":"mine"})").status() >= 403);
  CHECK(vault->get("auth/userpass/users/Boss", token).status() == 403);
  CHECK(vault.log_in("boss", "hunter2").status() == 200);
}

TEST_CASE("userpass: failures that are long ago do not count") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  for (int i = 0; i < 4; ++i) vault.log_in("bob", "wrong");
  vault->advance(Seconds{900});
  vault.log_in("bob", "wrong");
  CHECK(vault.log_in("bob", "hunter2").status() == 200);
}

TEST_CASE("userpass: the costs for a name nobody has are those of a real hash") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const auto costs = [](const std::string& hash) { return hash.substr(0, hash.rfind("p=1$")); };
  CHECK(costs(*crypto::hash_password("x")) == "$argon2id$v=19$m=19456,t=2,");
}

TEST_CASE("userpass: a bcrypt hash may be brought along, and nothing else") {
  AuthVault vault;
  CHECK(vault
            .write("auth/userpass/users/old", R"({"password_hash":
      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"})")
            .status() == 204);
  CHECK(vault.log_in("old", "U*U").status() == 200);
  CHECK(vault.log_in("old", "U*V").status() == 400);
  CHECK(vault.write("auth/userpass/users/x", R"({"password_hash":"$6$a$b"})").status() == 400);
  const std::string dear = R"({"password_hash":
      "$2a$13$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"})";
  CHECK(vault.write("auth/userpass/users/x", dear).error() ==
        "password_hash must be a bcrypt hash with a cost of 4 to 12");
  CHECK(vault.write("auth/userpass/users/old/password", dear).status() == 400);
  CHECK(vault.write("auth/userpass/users/x", R"({"password":"a","password_hash":"b"})").status() ==
        400);
}

TEST_CASE("userpass: a bcrypt hash that was brought along is ours after the first login") {
  AuthVault vault;
  REQUIRE(vault
              .write("auth/userpass/users/old", R"({"token_ttl":"1h","password_hash":
      "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"})")
              .status() == 204);
  const auto kept = [&] {
    return vault->read([](core::Unsealed& live, commit::ReadTxn& look) {
      commit::ReadTxn txn =
          look.in((*live.mounts.at(look))->mounts.find("auth/userpass/")->info.space);
      return (**core::load_json(txn, "users/old")).string_at("password_hash");
    });
  };
  CHECK(kept().substr(0, 4) == "$2a$");
  CHECK(vault.log_in("old", "U*V").status() == 400);
  CHECK(kept().substr(0, 4) == "$2a$");
  CHECK(vault.log_in("old", "U*U").status() == 200);
  CHECK(kept().substr(0, 10) == "$argon2id$");
  CHECK(vault.log_in("old", "U*U").status() == 200);
  CHECK(vault.log_in("old", "U*V").status() == 400);
  CHECK(vault.read("auth/userpass/users/old").data().integer_at("token_ttl") == 3600);
}

TEST_CASE("userpass: a user is shown without a password, with the older names that were used") {
  AuthVault vault;
  CHECK(vault.write("auth/userpass/users/bob", "{}").error() == "missing password");
  vault.write("auth/userpass/users/bob", R"({"password":"a","policies":"b,A","ttl":"10s"})");
  const Json user = vault.read("auth/userpass/users/bob").data();
  CHECK(user.strings_at("token_policies") == std::vector<std::string>{"a", "b"});
  CHECK(user.strings_at("policies") == std::vector<std::string>{"a", "b"});
  CHECK(user.integer_at("token_ttl") == 10);
  CHECK(user.integer_at("ttl") == 10);
  CHECK(user.find("max_ttl") == nullptr);
  CHECK(user.find("password_hash") == nullptr);
  CHECK(user.string_at("token_type") == "default");
  vault.write("auth/userpass/users/bob", R"({"token_policies":"c"})");
  CHECK(vault.read("auth/userpass/users/bob").data().find("policies") == nullptr);
  CHECK(vault.log_in("bob", "a").response().auth->lease_duration == Seconds{10});
  CHECK(vault.read("auth/userpass/users/eve").status() == 404);
  CHECK(vault->list("auth/userpass/users", vault->root()).data().strings_at("keys") ==
        std::vector<std::string>{"bob"});
}

TEST_CASE("userpass: passwords and policies are changed alone") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  CHECK(vault.write("auth/userpass/users/bob/password", R"({"password":"new"})").status() == 204);
  CHECK(vault.log_in("bob", "hunter2").status() == 400);
  CHECK(vault.log_in("bob", "new").status() == 200);
  CHECK(vault.write("auth/userpass/users/bob/policies", R"({"token_policies":"x"})").status() ==
        204);
  CHECK(vault.log_in("bob", "new").response().auth->policies ==
        std::vector<std::string>{"default", "x"});
  CHECK(vault.write("auth/userpass/users/eve/password", R"({"password":"new"})").status() == 400);
}

TEST_CASE(
    "userpass: the policies of a user are shown as given, those that are set alone in order") {
  AuthVault vault;
  const auto shown = [&] { return vault.read("auth/userpass/users/bob").data(); };
  using Names = std::vector<std::string>;
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_policies":["b","A","b"]})");
  CHECK(shown().strings_at("token_policies") == Names{"b", "A", "b"});
  CHECK(shown().find("policies") == nullptr);
  CHECK(vault.log_in("bob", "a").response().auth->policies == Names{"a", "b", "default"});
  vault.write("auth/userpass/users/bob/policies", R"({"token_policies":["d","C","d"]})");
  CHECK(shown().strings_at("token_policies") == Names{"c", "d"});
  vault.write("auth/userpass/users/bob", R"({"policies":["f","E"]})");
  CHECK(shown().strings_at("token_policies") == Names{"e", "f"});
  CHECK(shown().strings_at("policies") == Names{"e", "f"});
  vault.write("auth/userpass/users/bob", R"({"policies":["f"],"token_policies":["h","g"]})");
  CHECK(shown().strings_at("policies") == Names{"h", "g"});
  vault.write("auth/userpass/users/bob", R"({"policies":[],"ttl":0})");
  for (const char* older : {"policies", "ttl"}) CHECK(shown().find(older) == nullptr);
}

TEST_CASE("userpass: a name that no user can have is no secret") {
  AuthVault vault;
  for (const char* name : {"a@b.c", "-bob", "bob/x"}) {
    CAPTURE(name);
    const Answer login = vault.log_in(name, "a");
    CHECK(login.status() == 404);
    CHECK(login.error() == "1 error occurred:\n\t* unsupported path\n\n");
  }
  CHECK(vault.write("auth/userpass/login").status() == 404);
}

TEST_CASE("userpass: networks are shown as they were given, an address without its length") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob",
              R"({"password":"a","token_bound_cidrs":"10.1.2.3/8,127.0.0.1/32,192.0.2.1"})");
  const Json user = vault.read("auth/userpass/users/bob").data();
  CHECK(user.strings_at("token_bound_cidrs") ==
        std::vector<std::string>{"10.1.2.3/8", "127.0.0.1", "192.0.2.1"});
  CHECK(vault.log_in("bob", "a", "10.9.9.9").status() == 200);
  CHECK(vault.log_in("bob", "a", "192.0.2.2").status() == 403);
}

TEST_CASE("userpass: a field of the wrong form is named") {
  AuthVault vault;
  vault.write("auth/userpass/users/ann", R"({"password":"a"})");
  CHECK(vault.write("auth/userpass/users/ann", R"({"password":""})").error() == "missing password");
  CHECK(vault.log_in("ann", "a").status() == 200);
  CHECK(vault.write("auth/userpass/users/bob", R"({"password":"a","token_ttl":-5})").error() ==
        "error converting input for field \"token_ttl\": cannot provide negative value '-5'");
  CHECK(vault.write("auth/userpass/users/bob", R"({"password":"a","token_type":"x"})").error() ==
        "invalid 'token_type' value \"x\"");
}

TEST_CASE("lockout: what was set of it is shown under the names that clients know") {
  AuthVault vault;
  const std::string rule = R"({"user_lockout_config":{"lockout_threshold":"3"}})";
  REQUIRE(vault.write("sys/auth/userpass/tune", rule).status() == 204);
  const Json mount = vault.read("sys/auth/userpass").data();
  const Json* shown = mount.find("config")->find("user_lockout_config");
  REQUIRE(shown != nullptr);
  const Json tuning = vault.read("sys/auth/userpass/tune").data();
  for (const Json* one : {shown, &tuning}) {
    CHECK(one->integer_at("user_lockout_threshold") == 3);
    for (const char* unset : {"user_lockout_duration", "user_lockout_counter_reset_duration"}) {
      REQUIRE(one->find(unset) != nullptr);
      CHECK(one->integer_at(unset) == 0);
    }
    REQUIRE(one->find("user_lockout_disable") != nullptr);
  }
  CHECK(vault.write("sys/auth/token/tune", rule).error() ==
        "tuning of user lockout configuration for auth type \"token\" not allowed");
  for (const char* given : {"1m", "system"})
    CHECK(vault
              .write("sys/auth/userpass/tune", R"({"user_lockout_config":{"lockout_duration":")" +
                                                   std::string(given) + R"("}})")
              .status() == 204);
  CHECK(vault.read("sys/auth/userpass/tune").data().integer_at("user_lockout_duration") == 0);
  CHECK(vault.write("sys/auth/userpass/tune", R"({"token_type":"wooden"})").error() ==
        "invalid value for 'token_type'");
}

TEST_CASE("userpass: fields that contradict each other are refused") {
  AuthVault vault;
  for (const char* wrong :
       {R"({"password":"a","token_ttl":"2h","token_max_ttl":"1h"})",
        R"({"password":"a","token_type":"nonsense"})",
        R"({"password":"a","token_type":"batch","token_period":"1h"})",
        R"({"password":"a","token_type":"batch","token_num_uses":1})",
        R"({"password":"a","token_num_uses":-1})", R"({"password":"a","token_ttl":"-1h"})",
        R"({"password":"a","token_bound_cidrs":"nonsense"})"}) {
    CAPTURE(wrong);
    CHECK(vault.write("auth/userpass/users/bob", wrong).status() == 400);
  }
}

TEST_CASE("userpass: no login makes a root token") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_policies":"ROOT"})");
  const Answer login = vault.log_in("bob", "a");
  CHECK(login.status() == 400);
  CHECK(login.error() == "auth methods cannot create root tokens");
}

TEST_CASE("login: no login makes a token that passes for a wrapping token") {
  AuthVault vault;
  for (const char* path : {"auth/userpass/users/bob", "auth/approle/role/app"}) {
    const Answer refused = vault.write(
        path, R"({"password":"a","token_policies":"Response-Wrapping","policies":"x"})");
    CHECK(refused.status() == 400);
    CHECK(refused.error() == "cannot assign policy \"response-wrapping\"");
    CHECK(vault.read(path).status() == 404);
  }
  // Of a user that an earlier version took.
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_policies":"x"})");
  const bool saved = vault->read([](core::Unsealed& live, commit::ReadTxn& look) {
    const auto space = (*live.mounts.at(look))->mounts.find("auth/userpass/")->info.space;
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn txn(look.snapshot(), live.barrier, space, batch);
    Json user = **core::load_json(txn, "users/bob");
    user.set("token_policies", Json(std::vector<std::string>{"response-wrapping"}));
    user.set("token_no_default_policy", true);
    return core::save_json(txn, "users/bob", user).ok() &&
           live.committer.commit(batch).status().ok();
  });
  REQUIRE(saved);
  const Answer login = vault.log_in("bob", "a");
  CHECK(login.status() == 400);
  CHECK(login.error() == "auth methods cannot create wrapping tokens");
}

TEST_CASE("login: a token is bound to networks, at the login and at each use") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_bound_cidrs":"10.0.0.0/8"})");
  const Answer elsewhere = vault.log_in("bob", "a", "192.0.2.1");
  CHECK(elsewhere.status() == 403);
  CHECK(elsewhere.error() == core::multierror("permission denied"));
  const Answer login = vault.log_in("bob", "a", "10.1.2.3");
  REQUIRE(login.status() == 200);
  const auto look = [&](const char* address) {
    return vault.from(address, "auth/token/renew-self", "{}", login.token()).status();
  };
  CHECK(look("10.9.9.9") == 200);
  CHECK(look("192.0.2.1") == 403);
  vault->policy("makes", R"(path "auth/token/*" { capabilities = ["update", "sudo"] })");
  vault.write("auth/userpass/users/bob", R"({"token_policies":"makes"})");
  const std::string maker = vault.log_in("bob", "a", "10.1.2.3").token();
  const auto child = [&](const char* fields, const char* path = "auth/token/create") {
    return vault.from("10.1.2.3", path, fields, maker).token();
  };
  const auto use = [&](const char* address, const std::string& token) {
    return vault.from(address, "auth/token/renew-self", "{}", token).status();
  };
  for (const std::string& made :
       {child("{}"), child(R"({"type":"service"})"), child(R"({"period":"1h"})"),
        child(R"({"id":"chosen"})"), child(R"({"no_parent":true})"),
        child("{}", "auth/token/create-orphan")}) {
    CHECK(use("10.9.9.9", made) == 200);
    CHECK(use("192.0.2.1", made) == 403);
  }
  vault.write("auth/userpass/users/ann", R"({"password":"a","token_strictly_bind_ip":true})");
  const std::string strict = vault.log_in("ann", "a", "10.1.2.3").token();
  CHECK(vault.from("10.1.2.3", "auth/token/renew-self", "{}", strict).status() == 200);
  CHECK(vault.from("10.1.2.4", "auth/token/renew-self", "{}", strict).status() == 403);
}

TEST_CASE("login: a period is no longer than the user's maximum") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob",
              R"({"password":"a","token_period":"1h","token_max_ttl":"30m"})");
  const Answer login = vault.log_in("bob", "a");
  CHECK(login.response().auth->lease_duration == Seconds{1800});
  REQUIRE(login.response().warnings.size() == 1);
  CHECK(login.response().warnings[0] ==
        "period of \"1h\" exceeded the effective max_ttl of \"30m\"; period value is capped "
        "accordingly");
  vault->advance(Seconds{1700});
  CHECK(vault->post("auth/token/renew-self", login.token()).response().auth->lease_duration ==
        Seconds{1800});
}

TEST_CASE("login: a token has the uses and the end that its user was given") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob",
              R"({"password":"a","token_num_uses":2,"token_explicit_max_ttl":"10m"})");
  const Answer login = vault.log_in("bob", "a");
  CHECK(login.response().auth->lease_duration == Seconds{600});
  CHECK(vault.is_alive(login.token()));
  CHECK(vault.is_alive(login.token()));
  CHECK_FALSE(vault.is_alive(login.token()));
}

TEST_CASE("login: what hangs below a token is of the same entity") {
  AuthVault vault;
  vault->policy("makes", R"(path "auth/token/create" { capabilities = ["update"] })");
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_policies":"makes"})");
  const Answer login = vault.log_in("bob", "a");
  const std::string entity = login.response().auth->entity_id;
  REQUIRE_FALSE(entity.empty());
  const std::string child = vault->post("auth/token/create", login.token()).token();
  CHECK(vault->get("auth/token/lookup-self", child).data().string_at("entity_id") == entity);
}

TEST_CASE("login: a renewal goes by what the user would be granted now") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const std::string token = vault.log_in("bob", "hunter2").token();
  CHECK(vault.renew(token) == 200);
  vault.write("auth/userpass/users/bob", R"({"token_ttl":"10m"})");
  const Answer renewed = vault->post("auth/token/renew-self", token);
  CHECK(renewed.response().auth->lease_duration == Seconds{600});
  vault.write("auth/userpass/users/bob", R"({"token_policies":"other"})");
  const Answer changed = vault->post("auth/token/renew-self", token);
  CHECK(changed.status() == 400);
  CHECK(changed.error() ==
        core::multierror("failed to renew entry: policies have changed, not renewing"));
  vault->remove("auth/userpass/users/bob", vault->root());
  // Nothing is renewed, and the answer is empty, as Vault's is.
  const auto expires = [&] {
    return vault->get("auth/token/lookup-self", token).data().string_at("expire_time");
  };
  const std::string before = expires();
  REQUIRE_FALSE(before.empty());
  vault->advance(Seconds{60});
  CHECK(vault.renew(token) == 204);
  CHECK(vault->post("auth/token/renew", vault->root(), R"({"token":")" + token + "\"}").status() ==
        204);
  CHECK(expires() == before);
}

TEST_CASE("login: a renewal goes by the maximum that the mount has now") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", R"({"password":"a","token_ttl":"1h"})");
  const std::string token = vault.log_in("bob", "a").token();
  REQUIRE(
      vault.write("sys/auth/userpass/tune", R"({"default_lease_ttl":"10m","max_lease_ttl":"30m"})")
          .status() == 204);
  CHECK(vault->post("auth/token/renew-self", token).response().auth->lease_duration ==
        Seconds{1800});
}

TEST_CASE("lockout: where it is disabled no name is locked out") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", R"({"password":"a"})");
  REQUIRE(
      vault.write("sys/auth/userpass/tune", R"({"user_lockout_config":{"lockout_disable":true}})")
          .status() == 204);
  for (int i = 0; i < 6; ++i) CHECK(vault.log_in("bob", "b").status() == 400);
  CHECK(vault.log_in("bob", "a").status() == 200);
}

TEST_CASE("login: the maximum of the user holds for renewals") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const std::string token = vault.log_in("bob", "hunter2").token();
  vault->advance(Seconds{3000});
  CHECK(vault.renew(token) == 200);
  vault->advance(Seconds{3000});
  const Answer last = vault->post("auth/token/renew-self", token);
  REQUIRE(last.status() == 200);
  CHECK(last.response().auth->lease_duration == Seconds{1200});
}

TEST_CASE("login: tokens end with the auth method that gave them, and no others") {
  AuthVault vault;
  vault.write("auth/userpass/users/bob", kBob);
  const std::string token = vault.log_in("bob", "hunter2").token();
  const std::string other = vault->token(R"({"ttl":"1h"})");
  CHECK(vault->remove("sys/auth/userpass", vault->root()).status() == 204);
  CHECK_FALSE(vault.is_alive(token));
  CHECK(vault.is_alive(other));
  CHECK(vault.log_in("bob", "hunter2").status() == 403);
  // Mounted again it knows nobody.
  CHECK(vault.write("sys/auth/userpass", R"({"type":"userpass"})").status() == 204);
  CHECK(vault.log_in("bob", "hunter2").status() == 400);
}

TEST_CASE("login: an auth method is no secret engine, and the other way round") {
  AuthVault vault;
  CHECK(vault.write("sys/mounts/x", R"({"type":"userpass"})").status() == 400);
  CHECK(vault.write("sys/auth/x", R"({"type":"test"})").status() == 400);
  CHECK(vault.write("sys/auth/x", R"({"type":"token"})").status() == 400);
  CHECK(vault.write("sys/auth/userpass", R"({"type":"userpass"})").status() == 400);
}

TEST_CASE(
    "userpass: sixty-four logins that wait for their hashes hold up no list and no revocation") {
  AuthVault vault;
  REQUIRE(vault.write("auth/userpass/users/bob", kBob).status() == 204);
  const std::string token = vault->token(R"({"policies":["default"]})");
  testing::Occupied occupied(vault->workers(), core::WorkClass::hashes);
  std::vector<testing::TestVault::Waiting> logins;
  for (int i = 0; i < 64; ++i)
    logins.push_back(
        vault->begin("POST", "auth/userpass/login/bob", "", R"({"password":"hunter2"})"));
  CHECK(vault->list("auth/userpass/users", vault->root()).status() == 200);
  CHECK(vault->post("auth/token/revoke", vault->root(), R"({"token":")" + token + "\"}").status() ==
        204);
  CHECK_FALSE(vault.is_alive(token));
  const Answer refused = vault.log_in("bob", "hunter2");  // the 65th
  CHECK(refused.status() == 503);
  CHECK(refused.response().retry_after == Seconds{1});
  for (const auto& login : logins) CHECK_FALSE(vault->answered(login));
  occupied.let_go();
  for (const auto& login : logins) CHECK(vault->wait(login).status() == 200);
}

TEST_CASE("userpass: sys/capabilities tells what is enforced, however a name is spelled") {
  AuthVault vault;
  vault->policy("people", R"(path "auth/userpass/users/*" { capabilities = ["read", "update"] }
                             path "auth/userpass/users/bob" { capabilities = ["deny"] }
                             path "auth/userpass/users/ann" { capabilities = ["read"] })");
  const std::string token = vault->token(R"({"policies":["people"]})");
  const auto may = [&](const std::string& user) {
    const std::string body = R"({"path":"auth/userpass/users/)" + user + "\"}";
    return vault->post("sys/capabilities-self", token, body).data().strings_at("capabilities");
  };
  using Names = std::vector<std::string>;
  CHECK(may("Bob") == Names{"deny"});
  CHECK(may("Ann") == Names{"read"});
  CHECK(may("Carl") == Names{"read", "update"});
  CHECK(vault->get("auth/userpass/users/Bob", token).status() == 403);
  CHECK(vault->post("auth/userpass/users/Ann", token, kBob).status() == 403);
}

TEST_CASE("login: the audit log says why, of a password, a lockout, a network and a policy") {
  AuthVault vault;
  vault.write("auth/userpass/users/ann",
              R"({"password":"right","token_bound_cidrs":"10.0.0.0/8"})");
  const auto on_record = [&](const std::string& reason) {
    return vault->world().audit_text().find("\"reason\":\"" + reason + "\"") != std::string::npos;
  };
  CHECK(vault.log_in("ann", "wrong").error() == vault.log_in("bob", "wrong").error());
  CHECK(on_record("wrong password"));
  CHECK(on_record("no user has this name"));
  const std::string token = vault.log_in("ann", "right", "10.0.0.1").token();
  CHECK(vault->get("auth/token/lookup-self", token).status() == 403);
  CHECK(on_record("the token is bound to other networks"));
  CHECK(vault.from("10.0.0.1", "sys/auth/x", "{}", token).status() == 403);
  CHECK(on_record("no rule matches"));
  for (int i = 0; i < 6; ++i) vault.log_in("ann", "wrong");
  CHECK(on_record("the name is locked after failed logins"));
  CHECK(vault->world().log.text().find("wrong password (request") != std::string::npos);
}

TEST_CASE("login: who grants a policy that is not there is told, in an answer without a body") {
  AuthVault vault;
  vault->policy("there", "path \"x\" {}");
  const auto told = [&](const std::string& path, const std::string& body) {
    const Answer answer = vault.write(path, body);
    CHECK(answer.status() == 204);
    return answer.response().quiet_warnings;
  };
  const std::vector<std::string> none, gone{R"(Policy "gone" does not exist)"};
  const std::string user = "auth/userpass/users/ann", role = "auth/approle/role/app";
  CHECK(told(user, R"({"password":"p","token_policies":"there,Gone,default"})") == gone);
  CHECK(told(user, R"({"token_ttl":60})") == none);
  CHECK(told(user + "/policies", R"({"policies":["gone"]})") == gone);
  CHECK(told(user + "/policies", R"({"policies":["there"]})") == none);
  CHECK(told(role, R"({"token_policies":["gone"]})") == gone);
  CHECK(told(role + "/policies", R"({"token_policies":["gone","there"]})") == gone);
  CHECK(told(role, R"({"token_policies":[]})") == none);
}
