// What the core's own routes answer beyond the straight line: forms that clients of Vault send.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/core/road/unsealed.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

TEST_CASE("surface: a policy's name may have slashes") {
  TestVault vault;
  vault.policy("ci/org/repo", R"(path "test/notes/*" { capabilities = ["read"] })");
  for (const std::string base : {"sys/policies/acl", "sys/policy"}) {
    CHECK(vault.get(base + "/ci/org/repo", vault.root()).status() == 200);
    const auto names = vault.list(base + "/", vault.root()).data().strings_at("keys");
    CHECK(std::find(names.begin(), names.end(), "ci/org/repo") != names.end());
  }
  const std::string token = vault.token(R"({"policies":["ci/org/repo"]})");
  CHECK(vault.get("test/notes/none", token).status() == 404);
  CHECK(vault.remove("sys/policies/acl/ci/org/repo", vault.root()).status() == 204);
  CHECK(vault.get("test/notes/none", token).status() == 403);
}

TEST_CASE("surface: a policy is replaced only in the version that was meant") {
  TestVault vault;
  const auto write = [&](const std::string& more) {
    return vault.post("sys/policies/acl/p", vault.root(),
                      R"({"policy":"path \"x\" {}")" + more + "}");
  };
  CHECK(write(R"(,"cas":1)").status() == 400);
  CHECK(write(R"(,"cas":-1)").status() == 204);
  CHECK(write(R"(,"cas":-1)").error() == "check-and-set parameter set to -1 on existing entry");
  CHECK(write(R"(,"cas":1)").status() == 204);
  CHECK(write("").status() == 204);
  CHECK(write(R"(,"cas":2)").error() ==
        "check-and-set parameter did not match the current version");
  CHECK(vault.get("sys/policies/acl/p", vault.root()).data().integer_at("version") == 3);
}

TEST_CASE("surface: the names of policies can be read in parts") {
  TestVault vault;
  for (const char* name : {"a", "b", "c"}) vault.policy(name, "path \"x\" {}");
  const auto part = [&](const std::string& query) {
    return vault.request("LIST", "sys/policies/acl/", vault.root(), query)
        .data()
        .strings_at("keys");
  };
  CHECK(part(R"({"limit":"2"})") == std::vector<std::string>{"a", "b"});
  CHECK(part(R"({"limit":"2","after":"b"})") == std::vector<std::string>{"c", "default"});
  CHECK(part(R"({"after":"default"})") == std::vector<std::string>{"root"});
  CHECK(part(R"({"limit":"max"})").size() == 5);
  CHECK(part(R"({"limit":"none"})").size() == 5);
  CHECK(vault.request("LIST", "sys/policies/acl/", vault.root(), R"({"after":"root"})").status() ==
        404);
}

TEST_CASE("surface: a mount answers without its last slash, and says what it has") {
  TestVault vault;
  const Answer help = vault.request("HELP", "test", vault.root());
  CHECK(help.status() == 200);
  CHECK(help.data().string_at("help").find("creds/:name") != std::string::npos);
  CHECK(vault.request("HELP", "sys", vault.root()).status() == 200);
  CHECK(vault.request("HELP", "nothing", vault.root()).status() == 404);
  CHECK(vault.get("test", vault.root()).status() == 404);
}

TEST_CASE("surface: a rule that matches less than it seems to is warned of, by line") {
  TestVault vault;
  const auto warnings = [&](const std::string& text) {
    Json body = Json::object();
    body.set("policy", text);
    const Answer answer = vault.post("sys/policies/acl/p", vault.root(), body.dump());
    CHECK(answer.status() == 204);
    return answer.response().quiet_warnings;
  };
  const auto has = [](const std::vector<std::string>& all, std::string_view text) {
    return all.size() == 1 && all.front().find(text) != std::string::npos;
  };
  const auto deny = warnings("\npath \"secret/data/*/prod\" { capabilities = [\"deny\"] }");
  CHECK(has(deny, "THIS RULE DENIES NOTHING"));
  CHECK(has(deny, "on line 2"));
  CHECK(has(deny, "\"secret/data/+/prod\""));
  CHECK(has(warnings("path \"a/*/b*\" { capabilities = [\"read\"] }"), "\"a/+/b*\""));
  CHECK(has(warnings("path \"a/x*y\" { capabilities = [\"read\"] }"), "grants nothing"));
  CHECK(has(warnings("path \"v1/secret/*\" { capabilities = [\"read\"] }"), "write \"secret/*\""));
  const auto plus = warnings("path \"secret/data/team-+/prod\" { capabilities = [\"deny\"] }");
  CHECK(has(plus, "THIS RULE DENIES NOTHING"));
  CHECK(has(plus, "`+`"));
  CHECK(has(warnings("path \"a/b+\" { capabilities = [\"read\"] }"), "grants nothing"));
  CHECK(has(warnings("path \"++/a\" { capabilities = [\"read\"] }"), "grants nothing"));
  const std::string variable = "\npath \"${var.mount}/data/prod\" { capabilities = [\"deny\"] }";
  CHECK(has(warnings(variable), "DENIES NOTHING"));
  CHECK(has(warnings(variable), "\"${var.mount}/data/prod\" on line 2"));
  const auto until = [&](const std::string& time) {
    return warnings("path \"a\" { capabilities = [\"deny\"] expiration = \"" + time + "\" }");
  };
  CHECK(has(until("2000-01-01T00:00:00Z"), "has passed: THIS RULE DENIES NOTHING"));
  CHECK(until("2100-01-01T00:00:00Z").empty());
  for (const char* good : {"a/*", "/a/b", "a/+/b*", "v1", "v10/a", "+", "+/a", "a/+", "a$/{b}"})
    CHECK(warnings("path \"" + std::string(good) + "\" { capabilities = [\"deny\"] }").empty());
}

TEST_CASE("surface: what is warned of without a body makes none") {
  TestVault vault;
  const std::string policy = R"({"policy":"path \"a\" { capabilities = [\"read\"] }")";
  const Answer plain = vault.post("sys/policies/acl/p", vault.root(), policy + "}");
  CHECK(plain.status() == 204);
  CHECK(plain.response().quiet_warnings.empty());
  const Answer answer = vault.post("sys/policies/acl/p", vault.root(), policy + R"(,"n\"s\n":1})");
  CHECK(answer.status() == 204);
  REQUIRE(answer.response().quiet_warnings.size() == 1);
  CHECK(answer.response().quiet_warnings[0] ==
        "Endpoint ignored these unrecognized parameters: [n\"s\n]");
}

TEST_CASE("surface: a template that denies is said to need a value, one of nothing is refused") {
  TestVault vault;
  const Json policy(
      "path \"a\" { capabilities = [\"read\"] }\n"
      "path \"kv/{{identity.entity.id}}/*\" { capabilities = [\"read\"] }\n");
  const Answer written =
      vault.post("sys/policies/acl/own", vault.root(), R"({"policy":)" + policy.dump() + "}");
  CHECK(written.status() == 204);
  CHECK(written.response().quiet_warnings.empty());
  const Json denies("path \"kv/{{identity.entity.id}}/*\" { capabilities = [\"deny\"] }\n");
  const Answer warned =
      vault.post("sys/policies/acl/own", vault.root(), R"({"policy":)" + denies.dump() + "}");
  CHECK(warned.status() == 204);
  REQUIRE(warned.response().quiet_warnings.size() == 1);
  CHECK(warned.response().quiet_warnings[0].find(
            "path \"kv/{{identity.entity.id}}/*\" on line 1: this denies nothing to a token "
            "without an entity") == 0);
  const Json nothing("path \"kv/{{identity.entity.age}}/*\" { capabilities = [\"read\"] }\n");
  const Answer refused =
      vault.post("sys/policies/acl/own", vault.root(), R"({"policy":)" + nothing.dump() + "}");
  CHECK(refused.status() == 400);
  CHECK(refused.error() ==
        "failed to parse policy: path \"kv/{{identity.entity.age}}/\": this template names nothing "
        "that an entity or a group has on line 1");
  const Answer hash = vault.post("sys/audit-hash/nosuch", vault.root(), R"({"input":"x"})");
  CHECK(hash.error() == "unknown audit backend \"nosuch/\"");
}

TEST_CASE("surface: what this version does not have is told from what nobody has") {
  TestVault vault;
  const auto enable = [&](const std::string& where, const std::string& type) {
    return vault.post("sys/" + where + "/x", vault.root(), R"({"type":")" + type + R"("})");
  };
  CHECK(enable("mounts", "transit").error() ==
        "plugin not found in the catalog: transit (it is not in this version of Leasehold)");
  CHECK(enable("mounts", "transmit").error() == "plugin not found in the catalog: transmit");
  CHECK(enable("mounts", "Tset").error() ==
        "plugin not found in the catalog: Tset; did you mean \"test\"?");
  CHECK(enable("auth", "approle").status() == 400);
  CHECK(vault.get("identity/a", vault.root()).error() == core::multierror("unsupported path"));
  CHECK(vault.list("auth/token/roles/", vault.root()).status() == 404);
  CHECK(vault.post("auth/token/create", vault.root(), R"({"entity_alias":"x"})").status() == 400);
}

TEST_CASE("surface: an auth method is tuned where it is mounted") {
  TestVault vault;
  CHECK(vault.post("sys/auth/token/tune", vault.root(), R"({"max_lease_ttl":"2h"})").status() ==
        204);
  CHECK(vault.get("sys/auth/token/tune", vault.root()).data().integer_at("max_lease_ttl") == 7200);
  CHECK(vault.post("auth/token/create", vault.root(), R"({"ttl":"9h"})")
            .response()
            .auth->lease_duration == Seconds{7200});
  CHECK(vault.remove("sys/auth/token", vault.root()).status() == 400);
}

TEST_CASE("surface: a tune changes what it names, and an empty TTL names nothing") {
  TestVault vault;
  const auto tune = [&](const std::string& path, const std::string& fields) {
    return vault.post("sys/" + path + "/tune", vault.root(), fields);
  };
  const auto ttls = [&](const std::string& path) {
    const Json data = vault.get("sys/" + path + "/tune", vault.root()).data();
    return std::pair(data.integer_at("default_lease_ttl"), data.integer_at("max_lease_ttl"));
  };
  using Pair = std::pair<std::int64_t, std::int64_t>;
  for (const std::string path : {"mounts/test", "auth/token"}) {
    CHECK(tune(path, R"({"default_lease_ttl":"1h","max_lease_ttl":"10h"})").status() == 204);
    // As the Go client sends what it does not set.
    CHECK(tune(path, R"({"default_lease_ttl":"","max_lease_ttl":"","force_no_cache":false,
                         "options":null,"description":"d"})")
              .status() == 204);
    CHECK(tune(path, R"({"default_lease_ttl":null})").status() == 204);
    CHECK(ttls(path) == Pair(3600, 36000));
    CHECK(vault.get("sys/" + path + "/tune", vault.root()).data().string_at("description") == "d");
    CHECK(tune(path, R"({"default_lease_ttl":"system"})").status() == 204);
    // As set, although leases are capped by the maximum.
    CHECK(ttls(path) == Pair(768 * 3600, 36000));
    CHECK(tune(path, R"({"max_lease_ttl":"system"})").status() == 204);
    CHECK(ttls(path) == Pair(768 * 3600, 768 * 3600));
  }
}

TEST_CASE("surface: a default TTL above the maximum is refused, whoever set the maximum") {
  TestVault vault;
  const auto tune = [&](const std::string& fields) {
    return vault.post("sys/mounts/test/tune", vault.root(), fields);
  };
  const auto enable = [&](const std::string& config) {
    return vault.post("sys/mounts/new", vault.root(), R"({"type":"test","config":)" + config + "}");
  };
  CHECK(tune(R"({"default_lease_ttl":"800h"})").error() ==
        "backend max lease TTL of 2764800 would be less than backend default lease TTL of 2880000");
  CHECK(tune(R"({"default_lease_ttl":"800h","max_lease_ttl":"900h"})").status() == 204);
  CHECK(tune(R"({"max_lease_ttl":"system"})").status() == 400);
  CHECK(tune(R"({"max_lease_ttl":"1h"})").error() ==
        "backend max lease TTL of 3600 would be less than backend default lease TTL of 2880000");
  CHECK(vault.get("sys/mounts/test/tune", vault.root()).data().integer_at("default_lease_ttl") ==
        2880000);
  CHECK(enable(R"({"default_lease_ttl":"2h","max_lease_ttl":"1h"})").error() ==
        "given default lease TTL greater than given max lease TTL");
  CHECK(enable(R"({"default_lease_ttl":"800h"})").error() ==
        "given default lease TTL greater than system max lease TTL of 2764800");
}

TEST_CASE("surface: what is set of a mount is shown wherever it is read") {
  TestVault vault;
  const std::string headers = R"("passthrough_request_headers":["X-Trace","X-Env"],
      "allowed_response_headers":"X-Seen", "audit_non_hmac_request_keys":["role","path"],
      "audit_non_hmac_response_keys":["role"],"listing_visibility":"unauth")";
  const Answer enabled =
      vault.post("sys/mounts/new", vault.root(), R"({"type":"test","config":{)" + headers + "}}");
  CHECK(enabled.status() == 204);
  CHECK(enabled.response().quiet_warnings.size() ==
        2);  // of headers nothing comes here, in so many words
  CHECK(vault.post("sys/mounts/test/tune", vault.root(), "{" + headers + "}").status() == 204);
  for (const std::string path : {"new", "test"}) {
    const Json tuning = vault.get("sys/mounts/" + path + "/tune", vault.root()).data();
    const Json mount = vault.get("sys/mounts/" + path, vault.root()).data();
    for (const Json* shown : {&tuning, mount.find("config")}) {
      REQUIRE(shown != nullptr);
      CHECK(shown->strings_at("passthrough_request_headers") ==
            std::vector<std::string>{"X-Trace", "X-Env"});
      CHECK(shown->strings_at("allowed_response_headers") == std::vector<std::string>{"X-Seen"});
      CHECK(shown->strings_at("audit_non_hmac_request_keys") ==
            std::vector<std::string>{"role", "path"});
      CHECK(shown->strings_at("audit_non_hmac_response_keys") == std::vector<std::string>{"role"});
      CHECK(shown->string_at("listing_visibility") == "unauth");
    }
  }
  CHECK(vault
            .post("sys/mounts/test/tune", vault.root(),
                  R"({"allowed_response_headers":[],"passthrough_request_headers":"",
                       "listing_visibility":""})")
            .status() == 204);
  const Json tuning = vault.get("sys/mounts/test/tune", vault.root()).data();
  CHECK(tuning.find("allowed_response_headers") == nullptr);
  CHECK(tuning.find("listing_visibility") == nullptr);
  CHECK(tuning.find("audit_non_hmac_request_keys") != nullptr);
}

TEST_CASE("surface: the type of an auth method's tokens is one that exists") {
  TestVault vault;
  const auto tune = [&](const std::string& path, const std::string& type) {
    return vault.post("sys/" + path + "/tune", vault.root(), R"({"token_type":")" + type + R"("})");
  };
  CHECK(tune("mounts/test", "service").error() ==
        "'token_type' can only be modified on auth mounts");
  CHECK(tune("auth/token", "service").status() == 400);
  CHECK(tune("auth/token", "").status() == 204);
}

TEST_CASE("surface: without a type there is no count of leases") {
  TestVault vault;
  for (const std::string path : {"sys/leases/count", "sys/leases"}) {
    CHECK(vault.get(path, vault.root()).status() == 404);
    CHECK(vault.request("GET", path, vault.root(), R"({"type":"irrevocable"})").status() == 200);
  }
}

TEST_CASE("surface: what anybody may write is bounded, and there is one namespace") {
  TestVault vault;
  const auto asking = [&](const std::string& path, std::size_t size, const std::string& name) {
    core::Request request;
    request.operation = core::Operation::update;
    request.path = path;
    request.token = vault.root();
    request.body = Json::object();
    request.body_size = size;
    request.name_space = name;
    return vault.wait(vault.begin(std::move(request)));
  };
  CHECK(asking("sys/wrapping/lookup", 64u << 10, "").status() == 400);
  const Answer large = asking("sys/wrapping/lookup", (64u << 10) + 1, "");
  CHECK(large.status() == 413);
  CHECK(large.error() == "http: request body too large");
  CHECK(asking("test/notes/a", 1u << 20, "").status() == 204);
  for (const char* path : {"test/notes/a", "sys/health"}) {
    const Answer elsewhere = asking(path, 0, "team");
    CHECK(elsewhere.status() == 404);
    CHECK(elsewhere.error() == "namespace not found");
  }
}

TEST_CASE("surface: what is for operators needs sudo beside every other capability") {
  TestVault vault;
  const std::string all = R"("create", "read", "update", "delete", "list", "patch")";
  vault.policy("most", R"(path "*" { capabilities = [)" + all + "] }");
  const std::string most = vault.token(R"({"policies":["most"]})");
  const std::pair<const char*, const char*> kPaths[] = {
      {"POST", "auth/token/revoke-orphan"},
      {"LIST", "auth/token/accessors/"},
      {"POST", "sys/seal"},
      {"POST", "sys/rotate"},
      {"POST", "sys/rotate/root"},
      {"GET", "sys/rotate/config"},
      {"POST", "sys/rotate/keyring"},
      {"POST", "sys/rotate/root/init"},
      {"GET", "sys/rekey/backup"},
      {"POST", "sys/generate-root/attempt"},
      {"POST", "sys/generate-root-token/attempt"},
      {"GET", "sys/leases"},
      {"LIST", "sys/leases/lookup/test/"},
      {"POST", "sys/leases/revoke-prefix/test"},
      {"POST", "sys/leases/revoke-force/test"},
      {"POST", "sys/revoke-prefix/test"},
      {"POST", "sys/revoke-force/test"},
      {"POST", "sys/leases/reconcile/test"},
      {"POST", "sys/auth/more"},
      {"POST", "sys/remount"},
      {"GET", "sys/audit"},
      {"POST", "sys/audit/more"},
      {"POST", "sys/storage/backup"},
      {"GET", "sys/storage/backup/x"},
      {"POST", "sys/storage/restored"},
      {"LIST", "sys/jobs/"},
      {"GET", "sys/jobs/x"},
  };
  for (const auto& one : kPaths) {
    CAPTURE(one.second);
    CHECK(vault.request(one.first, one.second, most).status() == 403);
  }
  vault.policy("operator", R"(path "*" { capabilities = ["sudo", )" + all + "] }");
  const std::string has_sudo = vault.token(R"({"policies":["operator"]})");
  for (const char* path : {"sys/rotate/config", "sys/audit"})
    CHECK(vault.get(path, has_sudo).status() == 200);
  CHECK(vault.list("auth/token/accessors/", has_sudo).status() == 200);
}

TEST_CASE("surface: a mount moves with what it holds, and the leases of its old path end") {
  TestVault vault;
  vault.role();
  vault.post("test/notes/a", vault.root(), R"({"x":1})");
  REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  const auto move = [&](const std::string& from, const std::string& to) {
    return vault.post("sys/remount", vault.root(),
                      R"({"from":")" + from + R"(","to":")" + to + R"("})");
  };
  CHECK(move("nosuch", "other").error() == "no matching mount at \"nosuch/\"");
  vault.post("sys/mounts/taken", vault.root(), R"({"type":"test"})");
  CHECK(move("test", "taken").error() == "path already in use at \"taken/\"");
  for (const char* wrong : {"sys/x", "auth/x", "cubbyhole", "/"})
    CHECK(move("test", wrong).status() == 400);
  for (const char* fixed : {"sys", "auth/token", "cubbyhole"})
    CHECK(move(fixed, "x").status() == 400);
  const Answer moved = move("test", "moved/deep");
  REQUIRE(moved.status() == 200);
  CHECK(vault.get("moved/deep/notes/a", vault.root()).data().integer_at("x") == 1);
  CHECK(vault.get("test/notes/a", vault.root()).status() == 404);
  CHECK(TestVault::eventually([&] { return vault.server()->accounts().empty(); }));
  const Json status =
      vault.get("sys/remount/status/" + moved.data().string_at("migration_id"), vault.root())
          .data();
  CHECK(status.find("migration_info")->string_at("status") == "success");
  CHECK(status.find("migration_info")->string_at("target_mount") == "moved/deep/");
  CHECK(vault.get("moved/deep/creds/ro", vault.root()).status() == 200);
}

TEST_CASE("surface: a token holds at most as many pairs of meta as can be read again") {
  TestVault vault;
  const auto with = [](std::size_t pairs) {
    Json meta = Json::object(), fields = Json::object();
    for (std::size_t i = 0; i < pairs; ++i) meta.set("k" + std::to_string(i), "v");
    fields.set("meta", std::move(meta));
    return fields.dump();
  };
  const std::string token = vault.token(with(1024));
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
  CHECK(vault.post("auth/token/create", vault.root(), with(1025)).status() == 400);
}

TEST_CASE("surface: a mount's default ttl cannot exceed what the system allows") {
  TestVault vault;
  const auto enable = [&](const std::string& config) {
    return vault.post("sys/mounts/x", vault.root(), R"({"type":"test","config":)" + config + "}");
  };
  CHECK(enable(R"({"default_lease_ttl":"9000h"})")
            .error()
            .starts_with("given default lease TTL greater than system max lease TTL of "));
  CHECK(enable(R"({"default_lease_ttl":"9000h","max_lease_ttl":"9000h"})").status() == 204);
}

TEST_CASE("surface: a deny is not gone around by another spelling") {
  TestVault vault;
  REQUIRE(vault.post("sys/mounts/kept", vault.root(), R"({"type":"test"})").status() == 204);
  vault.policy("admin", "path \"x\" {}");
  vault.policy("most",
               R"(path "sys/*" { capabilities = ["create", "read", "update", "delete", "sudo"] }
    path "sys/mounts/kept" { capabilities = ["deny"] }
    path "sys/policies/acl/admin" { capabilities = ["deny"] })");
  const std::string token = vault.token(R"({"policies":["most"]})");
  for (const char* path : {"sys/mounts/kept", "sys/mounts/kept/"})
    CHECK(vault.remove(path, token).status() == 403);
  CHECK(vault.get("sys/mounts/kept", vault.root()).status() == 200);
  for (const char* path :
       {"sys/policies/acl/admin", "sys/policies/acl/ADMIN", "sys/policies/acl/ admin"}) {
    CHECK(vault.get(path, token).status() == 403);
    CHECK(vault.post(path, token, R"({"policy":"path \"y\" {}"})").status() == 403);
    CHECK(vault.remove(path, token).status() == 403);
  }
  CHECK(vault.get("sys/policies/acl/Most", token).status() == 200);
}

TEST_CASE("surface: a lease named in the path is the one that is revoked") {
  TestVault vault;
  vault.role(R"({"ttl":"1h"})");
  const Answer creds = vault.get("test/creds/ro", vault.root());
  const std::string body = R"({"lease_id":")" + creds.response().lease_id + R"("})";
  CHECK(vault.post("sys/leases/revoke/test/creds/other/x", vault.root(), body).status() == 400);
  CHECK(vault.server()->accounts().size() == 1);
  CHECK(vault.post("sys/leases/revoke/" + creds.response().lease_id, vault.root(), body).status() ==
        204);
  CHECK(vault.server()->accounts().empty());
}

TEST_CASE("surface: less than a second to live is not the default") {
  TestVault vault;
  const Answer made = vault.post("auth/token/create", vault.root(), R"({"ttl":"500ms"})");
  CHECK(made.response().auth->lease_duration == Seconds{1});
}

TEST_CASE("surface: what a token carries into each audit line is bounded") {
  TestVault vault;
  const auto create = [&](Json fields) {
    return vault.post("auth/token/create", vault.root(), fields.dump()).status();
  };
  CHECK(create(Json::object().set("display_name", std::string(512, 'x'))) == 200);
  CHECK(create(Json::object().set("display_name", std::string(513, 'x'))) == 400);
  CHECK(create(Json::object().set("policies", Json({std::string(513, 'x')}))) == 400);
  std::vector<std::string> paths;
  for (int i = 0; i < 1001; ++i) paths.push_back("a" + std::to_string(i));
  Json asked = Json::object();
  asked.set("paths", Json(paths));
  CHECK(vault.post("sys/capabilities-self", vault.root(), asked.dump()).status() == 400);
}

TEST_CASE("surface: what a mount accepts without any effect is said") {
  TestVault vault;
  const auto warnings = [&](const char* path, const char* body) {
    const Answer answer = vault.post(path, vault.root(), body);
    CHECK(answer.status() == 204);
    std::string all;
    for (const std::string& one : answer.response().quiet_warnings) all += one + "\n";
    return all;
  };
  CHECK(warnings("sys/mounts/plain", R"({"type":"test","local":false,"seal_wrap":false})").empty());
  const std::string said = warnings("sys/mounts/all", R"({"type":"test","local":true,
    "seal_wrap":true,"external_entropy_access":true,"options":{"x":"y"},
    "config":{"force_no_cache":true,"passthrough_request_headers":"X-A",
    "allowed_response_headers":"X-B"}})");
  for (const char* key :
       {"local ", "seal_wrap ", "external_entropy_access ", "the option x ", "force_no_cache ",
        "passthrough_request_headers ", "allowed_response_headers "})
    CHECK_MESSAGE(said.find(key) != std::string::npos, key);
  CHECK(warnings("sys/mounts/plain/tune", R"({"force_no_cache":true})")
            .starts_with("force_no_cache"));
}

TEST_CASE("surface: what is asked of a mount and is not in this version is told") {
  TestVault vault;
  const auto warnings = [&](const std::string& path, const std::string& body) {
    const Answer answer = vault.post(path, vault.root(), body);
    CHECK(answer.status() == 204);
    return answer.response().quiet_warnings;
  };
  const auto told = [](const std::string& key) {
    return key + " is not supported by this version and is not used";
  };
  const std::string values =
      R"("identity_token_key":"k","delegated_auth_accessors":["x"],"allowed_managed_keys":["y"],)"
      R"("plugin_version":"v9")";
  const std::vector<std::string> all{told("allowed_managed_keys"), told("delegated_auth_accessors"),
                                     told("identity_token_key"), told("plugin_version")};
  CHECK(warnings("sys/mounts/a", R"({"type":"test","config":{)" + values + "}}") == all);
  CHECK(warnings("sys/mounts/a/tune", "{" + values + "}") == all);
  CHECK(warnings("sys/mounts/b", R"({"type":"test","plugin_version":"v9","config":{"odd":1}})") ==
        std::vector<std::string>{told("odd"), told("plugin_version")});
  CHECK(warnings("sys/mounts/c", R"({"type":"test","config":{"allowed_managed_keys":[],)"
                                 R"("identity_token_key":"","odd":0,"options":{}}})")
            .empty());
}

TEST_CASE("surface: a warning makes an answer where it does in Vault, any other only joins it") {
  TestVault vault;
  const std::string unknown = "Endpoint ignored these unrecognized parameters: [odd]";
  const Answer silent =
      vault.post("sys/mounts/a", vault.root(), R"({"type":"test","local":true,"odd":1})");
  CHECK(silent.status() == 204);
  CHECK(silent.response().warnings.empty());
  REQUIRE(silent.response().quiet_warnings.size() == 2);
  CHECK(silent.response().quiet_warnings[0].starts_with("local has no effect"));
  CHECK(silent.response().quiet_warnings[1] == unknown);
  const std::string rule = R"("path \"a*b\" { capabilities = [\"read\"] }")";
  const Answer doubtful =
      vault.post("sys/policies/acl/own", vault.root(), R"({"policy":)" + rule + "}");
  CHECK(doubtful.status() == 204);
  CHECK(doubtful.response().quiet_warnings.size() == 1);
  const Answer warned =
      vault.post("sys/policies/acl/Own", vault.root(), R"({"odd":1,"policy":)" + rule + "}");
  CHECK(warned.status() == 200);
  REQUIRE(warned.response().warnings.size() == 3);
  CHECK(warned.response().warnings[0] == "policy name was converted to own");
  CHECK(warned.response().warnings[2] == unknown);
  const Answer told = vault.post("auth/token/create", vault.root(), R"({"odd":1})");
  CHECK(told.response().warnings == std::vector<std::string>{unknown});
}

TEST_CASE("surface: the help of a path is an OpenAPI document, too") {
  TestVault vault;
  const Json of_path = *vault.request("HELP", "test/creds/ro", vault.root()).data().find("openapi");
  REQUIRE(of_path.find("paths")->size() == 1);
  CHECK(of_path.find("paths")->find("/creds/{name}")->find("get") != nullptr);
  const Json of_mount = *vault.request("HELP", "sys", vault.root()).data().find("openapi");
  CHECK(of_mount.find("paths")->find("/mounts/{path}") != nullptr);
  CHECK(of_mount.find("paths")->size() > 50);
}

TEST_CASE("surface: a move says what it does, and is forgotten in time") {
  TestVault vault;
  const auto move = [&](const std::string& body) {
    return vault.post("sys/remount", vault.root(), body);
  };
  const Answer moved = move(R"({"from":"test","to":"moved"})");
  REQUIRE(moved.status() == 200);
  const std::string id = moved.data().string_at("migration_id");
  const auto log_has = [&](const std::string& text) {
    return vault.world().log.text().find("remount " + id + ": " + text) != std::string::npos;
  };
  CHECK(log_has("test/ is now moved/"));
  CHECK(TestVault::eventually([&] { return log_has("done"); }));
  const std::string status = "sys/remount/status/" + id;
  vault.advance(Seconds{29 * 24 * 3600});
  CHECK(vault.get(status, vault.root()).status() == 200);
  vault.advance(Seconds{2 * 24 * 3600});
  CHECK(vault.as_time_passes([&] { return vault.get(status, vault.root()).status() == 404; },
                             Seconds{60}));
}

TEST_CASE("surface: a tidy that has nothing to do says so in the log") {
  TestVault vault;
  for (const char* path : {"auth/token/tidy", "sys/leases/tidy"})
    CHECK(vault.post(path, vault.root()).status() == 202);
  for (const char* what : {"tidy of tokens: ", "tidy of leases: "})
    CHECK(vault.world().log.text().find(what) != std::string::npos);
}

TEST_CASE("surface: a list of what has no list is 404, or 405 where a path may end in a slash") {
  TestVault vault;
  // As Vault: a list is asked for with a slash behind the path, and most patterns have none.
  for (const char* path :
       {"auth/token/lookup-self", "auth/token/create", "auth/token/renew-self", "sys/mounts",
        "sys/auth", "sys/remount", "sys/capabilities-self", "sys/leases/count", "sys/wrapping/wrap",
        "sys/rotate", "sys/seal", "sys/nosuch", "test/creds/ro"}) {
    CAPTURE(std::string(path));
    const Answer answer = vault.list(path, vault.root());
    CHECK(answer.status() == 404);
    CHECK(answer.error() == core::multierror("unsupported path"));
  }
  for (const char* path : {"sys/mounts/a", "sys/mounts/a/b", "sys/auth/a"}) {
    CAPTURE(path);
    const Answer answer = vault.list(path, vault.root());
    CHECK(answer.status() == 405);
    CHECK(answer.error() == core::multierror("unsupported operation"));
  }
  // What lists, with and without the slash.
  for (const char* path :
       {"sys/policy", "sys/policies/acl", "sys/policies/acl/", "auth/token/accessors"})
    CHECK(vault.list(path, vault.root()).status() == 200);
}

TEST_CASE("surface: no route without a list answers one, in any engine") {
  TestVault vault;
  const auto asked = vault.read([](core::Unsealed& live, commit::ReadTxn& txn) {
    std::vector<std::string> paths;
    const auto compiled = live.mounts.at(txn);
    REQUIRE(compiled.ok());
    for (const auto& mount : (*compiled)->mounts.all())
      for (const core::Route& route : mount.second->kind->engine->routes()) {
        const bool lists = std::any_of(
            route.actions.begin(), route.actions.end(),
            [](const core::Action& one) { return one.operation == core::Operation::list; });
        if (lists || route.pattern.empty()) continue;
        std::string path = mount.first + route.pattern;
        for (std::size_t at = 0; (at = path.find(':', at)) != path.npos;)
          path.replace(at, path.find('/', at) == path.npos ? path.npos : path.find('/', at) - at,
                       "nosuch");
        paths.push_back(std::move(path));
      }
    return paths;
  });
  CHECK(asked.size() > 50);
  for (const std::string& path : asked) {
    CAPTURE(path);
    const int status = vault.list(path, vault.root()).status();
    CHECK((status == 404 || status == 405));
  }
}

TEST_CASE("surface: a path that exists without the verb is 405, a path that does not is 404") {
  TestVault vault;
  struct Row {
    const char *path, *has;
  };
  const Row rows[] = {{"sys/mounts", "GET"},
                      {"sys/remount", "POST"},
                      {"auth/token/create", "POST"},
                      {"sys/leases/count", "GET"},
                      {"cubbyhole/a", "GET POST DELETE"},
                      {"test/creds/ro", "GET"}};
  for (const Row& row : rows)
    for (const std::string verb : {"GET", "POST", "DELETE", "PATCH", "HEAD"}) {
      if (std::string_view(row.has).find(verb) != std::string_view::npos) continue;
      CAPTURE(row.path);
      CAPTURE(verb);
      const Answer answer = vault.request(verb, row.path, vault.root());
      CHECK(answer.status() == 405);
      CHECK(answer.error() == "1 error occurred:\n\t* unsupported operation\n\n");
    }
  for (const char* path :
       {"sys/health", "sys/seal-status", "sys/leader", "sys/init", "sys/unseal"}) {
    CAPTURE(path);
    for (const char* verb : {"DELETE", "PATCH", "HELP", "LIST"})
      CHECK(vault.request(verb, path, vault.root()).status() == 405);
  }
  CHECK(vault.request("DELETE", "sys/nothing", vault.root()).status() == 404);
}
