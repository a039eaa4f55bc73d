// What the routes of sys/ answer in the words that clients of Vault compare: each a request of
// theirs and the status and text it gets.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

struct Asked {
  const char *method, *path, *body;
  int status;
  const char* error;  // null: whatever it is
};

void check_all(TestVault& vault, std::initializer_list<Asked> all) {
  for (const Asked& one : all) {
    CAPTURE(one.method);
    CAPTURE(one.path);
    CAPTURE(one.body);
    const Answer answer = vault.request(one.method, one.path, vault.root(), one.body);
    CHECK(answer.status() == one.status);
    if (one.error != nullptr) CHECK(answer.error() == one.error);
  }
}

}  // namespace

TEST_CASE("answers: a policy is shown with all that it has, \"root\" too") {
  TestVault vault;
  vault.policy("p", R"(path "a" { capabilities = ["read"] })");
  for (const char* path : {"sys/policy/root", "sys/policies/acl/root", "sys/policies/acl/p"}) {
    CAPTURE(path);
    const Json shown = vault.get(path, vault.root()).data();
    REQUIRE(shown.find("version") != nullptr);
    CHECK(shown.integer_at("version") == (std::string_view(path).ends_with("root") ? 0 : 1));
    for (const char* flag : {"cas_required", "allow_slashes_in_identity_templates",
                             "allow_wildcards_in_identity_templates"}) {
      REQUIRE(shown.find(flag) != nullptr);
      CHECK_FALSE(shown.bool_at(flag));
    }
  }
  CHECK(vault.get("sys/policy/root", vault.root()).data().find("rules")->text().empty());
}

TEST_CASE("answers: the older name of a policy's text belongs to the older path") {
  TestVault vault;
  check_all(vault,
            {{"POST", "sys/policies/acl/p", R"({"rules":"path \"a\" {}"})", 400,
              "'policy' parameter not supplied or empty"},
             {"POST", "sys/policies/acl/p", R"({"policy":"path \"a\" {}","cas_required":false})",
              204, nullptr},
             {"POST", "sys/policies/acl/p", R"({"policy":"path \"a\" {}","cas_required":true})",
              400, "check-and-set parameter required for this call"}});
  const Answer older =
      vault.post("sys/policy/q", vault.root(), R"({"policy":"","rules":"path \"a\" {}"})");
  REQUIRE(older.status() == 200);
  CHECK(older.response().warnings ==
        std::vector<std::string>{"'rules' is deprecated, please use 'policy' instead"});
}

TEST_CASE("answers: why a mount cannot move") {
  TestVault vault;
  check_all(vault,
            {{"POST", "sys/remount", R"({"from":"test"})", 400,
              "both 'from' and 'to' path must be specified as a string"},
             {"POST", "sys/remount", R"({"to":"test"})", 400,
              "both 'from' and 'to' path must be specified as a string"},
             {"POST", "sys/remount", R"({"from":"test","to":" a"})", 400,
              "'to' path cannot contain trailing whitespace"},
             {"POST", "sys/remount", R"({"from":"test","to":"a//b"})", 400,
              "invalid destination mount: path 'a//b/' does not match cleaned path 'a/b/'"},
             {"POST", "sys/remount", R"({"from":"test","to":"a/../../b"})", 400,
              "invalid destination mount: path 'a/../../b/' does not match cleaned path 'b/'"},
             {"POST", "sys/remount", R"({"from":"sys","to":"a"})", 400, "cannot remount \"sys/\""},
             {"POST", "sys/remount", R"({"from":"cubbyhole","to":"a"})", 400,
              "cannot remount \"cubbyhole/\""},
             {"POST", "sys/remount", R"({"from":"test","to":"sys/a"})", 400,
              "cannot remount to destination sys/a/"},
             {"POST", "sys/remount", R"({"from":"test","to":"auth/a"})", 400,
              "cannot remount to destination auth/a/"},
             {"POST", "sys/remount", R"({"from":"auth/up","to":"b"})", 400,
              "cannot remount auth mount to non-auth mount \"b/\""},
             {"POST", "sys/remount", R"({"from":"auth/token","to":"auth/b"})", 400,
              "cannot remount \"auth/token/\""},
             {"POST", "sys/remount", R"({"from":"auth/up","to":"auth/token"})", 400,
              "cannot remount to destination \"auth/token/\""},
             {"POST", "sys/remount", R"({"from":"nosuch","to":"b"})", 400,
              "no matching mount at \"nosuch/\""},
             {"POST", "sys/remount", R"({"from":"test","to":"test"})", 400,
              "path already in use at \"test/\""},
             {"POST", "sys/remount", R"({"from":"test","to":"test/deeper"})", 400,
              "path already in use at \"test/\""}});
}

TEST_CASE("answers: why a mount is not tuned") {
  TestVault vault;
  check_all(
      vault,
      {{"POST", "sys/mounts/cubbyhole/tune", R"({"default_lease_ttl":"1h"})", 400,
        "cannot tune parameter default_lease_ttl of cubbyhole/"},
       {"POST", "sys/mounts/sys/tune", R"({"description":"x"})", 400,
        "cannot tune parameter description of sys/"},
       {"POST", "sys/mounts/identity/tune", R"({"options":{"a":"b"}})", 400,
        "cannot tune parameter options of identity/"},
       {"POST", "sys/mounts/sys/tune", R"({"audit_non_hmac_request_keys":"a"})", 204, nullptr},
       {"POST", "sys/mounts/test/tune", R"({"listing_visibility":"loud"})", 400,
        "invalid listing_visibility loud"},
       {"POST", "sys/mounts/test/tune", R"({"user_lockout_config":{"lockout_threshold":3}})", 400,
        "tuning of user lockout configuration for auth type \"test\" not allowed"},
       {"POST", "sys/mounts/test/tune", R"({"default_lease_ttl":"soon"})", 400,
        "time: invalid duration \"soon\""},
       {"POST", "sys/mounts/x", R"({"type":"test","config":{"max_lease_ttl":"soon"}})", 400,
        "unable to parse max TTL of soon: time: invalid duration \"soon\""},
       {"POST", "sys/mounts/x", R"({"type":"nosuch","options":{"version":"2"}})", 400,
        "secrets engine \"nosuch\" does not allow setting a version"},
       {"POST", "sys/auth/x", R"({"type":"nosuch","options":{"version":"2"}})", 400,
        "auth method \"nosuch\" does not allow setting a version"}});
}

TEST_CASE("answers: options of a mount are tuned one by one, and an empty one goes") {
  TestVault vault;
  const auto options = [&] {
    const Json tuning = vault.get("sys/mounts/test/tune", vault.root()).data();
    const Json* shown = tuning.find("options");
    return shown == nullptr ? std::string() : shown->dump();
  };
  const auto tune = [&](const std::string& given) {
    return vault.post("sys/mounts/test/tune", vault.root(), R"({"options":)" + given + "}");
  };
  const Answer kept = tune(R"({"a":"1","b":"2"})");
  CHECK(kept.status() == 204);
  CHECK(kept.response().quiet_warnings.size() == 2);
  CHECK(options() == R"({"a":"1","b":"2"})");
  tune(R"({"a":""})");
  CHECK(options() == R"({"b":"2"})");
}

TEST_CASE("answers: audit devices are the configuration's") {
  TestVault vault;
  check_all(vault,
            {{"DELETE", "sys/audit/nosuch", "", 204, nullptr},
             {"POST", "sys/audit/more", R"({"type":"file"})", 400,
              "cannot enable audit device via API; use declarative, config-based audit device "
              "management instead"},
             {"POST", "sys/audit-hash/nosuch", R"({"input":"x"})", 400,
              "unknown audit backend \"nosuch/\""},
             {"POST", "sys/audit-hash/nosuch", "{}", 400, "the \"input\" parameter is empty"}});
  const Json devices = vault.get("sys/audit", vault.root()).data();
  REQUIRE(devices.size() > 0);
  const std::string path = "sys/audit/" + devices.members().front().first;
  CHECK(vault.remove(path.substr(0, path.size() - 1), vault.root()).error() ==
        "cannot disable configuration-managed audit device");
}

TEST_CASE("answers: one node is all of the cluster") {
  TestVault vault;
  const Json status = vault.get("sys/ha-status", vault.root()).data();
  const Json* nodes = status.find("nodes");
  REQUIRE(nodes != nullptr);
  REQUIRE(nodes->size() == 1);
  CHECK(nodes->items()[0].bool_at("active_node"));
  for (const char* key : {"hostname", "api_address", "cluster_address", "last_echo", "version"})
    CHECK(nodes->items()[0].find(key) != nullptr);
  const Answer stays = vault.post("sys/step-down", vault.root());
  CHECK(stays.status() == 204);
  CHECK(stays.response().quiet_warnings ==
        std::vector<std::string>{"there is no other node, so this one stays active"});
  CHECK(vault.post("sys/step-down", vault.token(R"({"policies":["default"]})")).status() == 403);
}

TEST_CASE("answers: a vault without keys has none to approve anything with") {
  TestWorld world;
  TestVault vault(world, true);
  for (const char* path : {"sys/generate-root", "sys/generate-root/attempt", "sys/rekey/init"}) {
    CAPTURE(path);
    const Answer answer = vault.get(path, "");
    CHECK(answer.status() == 400);
    CHECK(answer.error() == "server is not yet initialized");
  }
  vault.init();
  CHECK(vault.get("sys/generate-root/attempt", "").status() == 503);
}

TEST_CASE("answers: what a request names and what it leaves out") {
  TestVault vault;
  check_all(
      vault,
      {{"POST", "auth/token/create", R"({"type":"default-service"})", 400,
        "invalid 'token_type' value"},
       {"POST", "auth/token/create", R"({"type":"wooden"})", 400, "invalid 'token_type' value"},
       {"POST", "sys/leases/lookup", "{}", 400, "lease_id must be specified"},
       {"POST", "sys/leases/renew", "{}", 400, "lease_id must be specified"},
       {"POST", "sys/leases/revoke", "{}", 400, "lease_id must be specified"},
       {"POST", "sys/renew", "{}", 400, "lease_id must be specified"},
       {"POST", "sys/leases/lookup", R"({"lease_id":"nosuch"})", 400, "invalid lease"},
       {"POST", "sys/leases/renew", R"({"lease_id":"nosuch"})", 400, "lease not found"},
       {"POST", "sys/leases/revoke", R"({"lease_id":"nosuch"})", 204, nullptr},
       {"POST", "sys/leases/renew", R"({"lease_id":"nosuch","increment":-1})", 400,
        "Field validation failed: error converting input for field \"increment\": cannot provide "
        "negative value '-1'"},
       {"POST", "sys/leases/revoke-prefix", "{}", 404,
        "1 error occurred:\n\t* unsupported path\n\n"},
       {"POST", "cubbyhole", R"({"a":1})", 400, "1 error occurred:\n\t* missing path\n\n"},
       {"POST", "sys/capabilities", R"({"path":"a"})", 400,
        "1 error occurred:\n\t* no token found\n\n"},
       {"POST", "sys/capabilities-accessor", R"({"path":"a"})", 400, "missing accessor"}});
}

TEST_CASE("answers: an engine may be called a plugin and named as one") {
  TestVault vault;
  check_all(vault,
            {{"POST", "sys/mounts/a", R"({"type":"plugin","plugin_name":"test"})", 204, ""},
             {"POST", "sys/mounts/b",
              R"({"type":"plugin","config":{"plugin_name":"test","plugin_version":""}})", 204, ""},
             {"POST", "sys/mounts/c", R"({"type":"plugin","plugin_name":"nosuch"})", 400,
              "plugin not found in the catalog: nosuch"},
             {"POST", "sys/mounts/c", R"({"type":"plugin"})", 400,
              "plugin_name must be provided for plugin backend"},
             {"POST", "sys/auth/c", R"({"type":"plugin","plugin_name":"test"})", 400,
              "plugin not found in the catalog: test"}});
  CHECK(vault.get("sys/mounts/a", vault.root()).data().string_at("type") == "test");
  CHECK(vault.get("sys/mounts/b", vault.root()).data().string_at("type") == "test");
  const auto quiet = [&](const std::string& body) {
    return vault.post("sys/mounts/d", vault.root(), body).response().quiet_warnings.size();
  };
  CHECK(quiet(R"({"type":"test","plugin_name":"test"})") == 1);
  vault.remove("sys/mounts/d", vault.root());
  CHECK(quiet(R"({"type":"plugin","plugin_name":"test"})") == 0);
}

TEST_CASE("answers: null is as absent, and so is an empty time of a policy") {
  TestVault vault;
  const std::string policy = R"({"policy":"path \"a\" { capabilities = [\"read\"] }",)";
  const auto write = [&](const std::string& more) {
    return vault.post("sys/policies/acl/p", vault.root(), policy + more + "}").status();
  };
  CHECK(write(R"("ttl":"","expiration":"")") == 204);
  CHECK(write(R"("ttl":null,"expiration":null,"cas":null)") == 204);
  CHECK(write(R"("ttl":0)") == 400);
  const auto renewable = [&](const std::string& value) {
    const std::string body = R"({"policies":["default"],"renewable":)" + value + "}";
    return vault.post("auth/token/create", vault.root(), body).response().auth->renewable;
  };
  CHECK(renewable("null"));
  CHECK(renewable("true"));
  CHECK_FALSE(renewable("false"));
}

TEST_CASE("answers: a revocation that nobody waits for is taken with 202 and no body") {
  TestVault vault;
  vault.role(R"({"ttl":"1h"})");
  const std::string lease = vault.get("test/creds/ro", vault.root()).response().lease_id;
  for (const std::string& path :
       {std::string("sys/leases/revoke"), std::string("sys/leases/revoke-prefix/test")}) {
    CAPTURE(path);
    const Answer answer = vault.request("POST", path, vault.root(),
                                        R"({"sync":false,"lease_id":")" + lease + R"("})");
    CHECK(answer.status() == 202);
    CHECK(answer.response().data.empty());
  }
}
