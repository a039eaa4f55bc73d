#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

using Names = std::vector<std::string>;

struct Roles : TestVault {
  Answer write(const std::string& fields, const std::string& name = "ci") {
    return post("auth/token/roles/" + name, root(), fields);
  }
  Json shown(const std::string& name = "ci") {
    return get("auth/token/roles/" + name, root()).data();
  }
  Answer create(const std::string& fields = "{}", const std::string& by = {}) {
    return post("auth/token/create/ci", by.empty() ? root() : by, fields);
  }
  Json looked_up(const Answer& made) { return get("auth/token/lookup-self", made.token()).data(); }
  // Who may use the role and nothing else.
  std::string user() {
    policy("uses", R"(path "auth/token/create/ci" { capabilities = ["update"] })");
    return token(R"({"policies":["uses"]})");
  }
};

Names policies_of(const Answer& made) {
  REQUIRE(made.status() == 200);
  return made.response().auth->policies;
}

}  // namespace

TEST_CASE_FIXTURE(Roles, "token roles: a role reads back as it was written") {
  REQUIRE(write("{}").status() == 204);
  const Json bare = shown();
  CHECK(bare.string_at("name") == "ci");
  CHECK(bare.bool_at("renewable"));
  CHECK_FALSE(bare.bool_at("orphan"));
  CHECK(bare.string_at("token_type") == "default-service");
  CHECK(bare.find("allowed_policies")->size() == 0);
  CHECK(bare.find("allowed_entity_aliases")->is_null());
  CHECK(bare.find("token_bound_cidrs") == nullptr);
  CHECK(bare.find("token_num_uses") == nullptr);
  REQUIRE(write(R"({"allowed_policies":" B , a,b","disallowed_policies":"X","token_period":"1h",
                    "allowed_policies_glob":["t*"],"disallowed_policies_glob":"z*","orphan":true,
                    "renewable":false,"path_suffix":"v1.0","token_explicit_max_ttl":7200,
                    "token_bound_cidrs":"10.0.0.0/8,127.0.0.1","token_num_uses":3,
                    "token_no_default_policy":true,"allowed_entity_aliases":["Bob","w-*"]})")
              .status() == 204);
  const Json full = shown();
  CHECK(full.strings_at("allowed_policies") == Names{"a", "b"});
  CHECK(full.strings_at("disallowed_policies") == Names{"x"});
  CHECK(full.strings_at("allowed_policies_glob") == Names{"t*"});
  CHECK(full.strings_at("disallowed_policies_glob") == Names{"z*"});
  CHECK(full.strings_at("allowed_entity_aliases") == Names{"bob", "w-*"});
  CHECK(full.strings_at("token_bound_cidrs") == Names{"10.0.0.0/8", "127.0.0.1"});
  CHECK(full.integer_at("token_period") == 3600);
  CHECK(full.integer_at("period") == 0);
  CHECK(full.integer_at("token_explicit_max_ttl") == 7200);
  CHECK(full.integer_at("token_num_uses") == 3);
  CHECK(full.string_at("path_suffix") == "v1.0");
  CHECK(full.bool_at("orphan"));
  CHECK_FALSE(full.bool_at("renewable"));
  // What is not given stays.
  REQUIRE(write(R"({"orphan":false})").status() == 204);
  CHECK(shown().integer_at("token_period") == 3600);
  CHECK(list("auth/token/roles/", root()).data().strings_at("keys") == Names{"ci"});
  CHECK(remove("auth/token/roles/ci", root()).status() == 204);
  CHECK(get("auth/token/roles/ci", root()).status() == 404);
  CHECK(list("auth/token/roles/", root()).status() == 404);
}

TEST_CASE_FIXTURE(Roles, "token roles: older names count where the newer are absent") {
  REQUIRE(write(R"({"period":"1h","explicit_max_ttl":"2h","bound_cidrs":"10.0.0.0/8"})").status() ==
          204);
  CHECK(shown().integer_at("period") == 3600);
  CHECK(shown().integer_at("token_period") == 3600);
  CHECK(shown().integer_at("token_explicit_max_ttl") == 7200);
  CHECK(shown().strings_at("token_bound_cidrs") == Names{"10.0.0.0/8"});
  const Answer both = write(R"({"period":"1h","token_period":"3h"})");
  CHECK(both.status() == 200);
  CHECK(both.response().warnings ==
        Names{"Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated "
              "value"});
  CHECK(shown().integer_at("period") == 0);
  CHECK(shown().integer_at("token_period") == 10800);
}

TEST_CASE_FIXTURE(Roles, "token roles: what a role cannot be is refused") {
  for (const char* fields :
       {R"({"token_type":"wooden"})", R"({"token_type":"default"})", R"({"token_type":"batch"})",
        R"({"token_type":"batch","orphan":true})", R"({"path_suffix":"a/b"})",
        R"({"path_suffix":"a..b"})", R"({"path_suffix":"a"})", R"({"token_num_uses":-1})",
        R"({"token_bound_cidrs":"nowhere"})", R"({"token_period":"-1h"})",
        R"({"allowed_policies":"response-wrapping"})",
        R"({"token_type":"batch","orphan":true,"renewable":false,"token_period":"1h"})",
        R"({"token_type":"batch","orphan":true,"renewable":false,"token_num_uses":1})"}) {
    CAPTURE(fields);
    CHECK(write(fields).status() == 400);
  }
  std::string many;
  for (int i = 0; i < 257; ++i) many += "p" + std::to_string(i) + ",";
  CHECK(write(R"({"allowed_policies":")" + many + "\"}").status() == 400);
  CHECK(get("auth/token/roles/ci", root()).status() == 404);
  CHECK(write(R"({"token_explicit_max_ttl":"9999h"})").response().warnings.size() == 1);
}

TEST_CASE_FIXTURE(Roles, "token roles: it says which policies a token has, whoever uses it") {
  const std::string by = user();
  CHECK(post("auth/token/create", by).status() == 403);  // the role alone
  CHECK(create("{}", by).error() == "unknown role ci");
  write(R"({"allowed_policies":"a,b","allowed_policies_glob":"t-*","disallowed_policies":"t-x",
            "disallowed_policies_glob":"t-z*"})");
  CHECK(policies_of(create("{}", by)) == Names{"a", "b", "default"});
  CHECK(policies_of(create(R"({"policies":["a"]})", by)) == Names{"a", "default"});
  CHECK(policies_of(create(R"({"policies":["t-1"],"no_default_policy":true})", by)) ==
        Names{"t-1"});
  CHECK(create(R"({"policies":["other"]})", by).error() ==
        R"(token policies (["default" "other"]) must be subset of the role's allowed policies )"
        R"((["a" "b" "default"]) or glob policies (["t-*"]))");
  CHECK(create(R"({"policies":["t-x"]})", by).error() ==
        R"(token policy "t-x" is disallowed by this role)");
  CHECK(create(R"({"policies":["t-z1"]})", by).error() ==
        R"(token policy "t-z1" is disallowed by this role)");
  write(R"({"token_no_default_policy":true})");
  CHECK(policies_of(create("{}", by)) == Names{"a", "b"});
}

TEST_CASE_FIXTURE(Roles, "token roles: without lists a token has at most what its maker has") {
  const std::string by = user();
  write("{}");
  CHECK(policies_of(create("{}", by)) == Names{"default", "uses"});
  CHECK(create(R"({"policies":["other"]})", by).error() ==
        "child policies must be subset of parent");
  write(R"({"disallowed_policies":"uses"})");
  CHECK(create("{}", by).error() == R"(token policy "uses" is disallowed by this role)");
  CHECK(policies_of(create(R"({"policies":["other"]})", by)) == Names{"default", "other"});
}

TEST_CASE_FIXTURE(Roles, "token roles: none makes a root token for who is not root") {
  const std::string by = user();
  write(R"({"allowed_policies":"root"})");
  for (const char* fields : {"{}", R"({"policies":["root"]})", R"({"policies":[" ROOT "]})"}) {
    CHECK(create(fields, by).error() ==
          "root tokens may not be created without parent token being root");
  }
  write(R"({"allowed_policies":"","allowed_policies_glob":"*"})");
  CHECK(create(R"({"policies":["root"]})", by).status() == 400);
}

TEST_CASE_FIXTURE(Roles, "token roles: what else a role says of its tokens") {
  write(R"({"orphan":true,"renewable":false,"path_suffix":"v1.0","token_num_uses":5})");
  const Answer made = create(R"({"num_uses":9})", user());
  REQUIRE(made.status() == 200);
  CHECK(made.response().auth->orphan);
  CHECK_FALSE(made.response().auth->renewable);
  CHECK(made.response().auth->num_uses == 5);
  const Json data = looked_up(made);
  CHECK(data.string_at("path") == "auth/token/create/ci/v1.0");
  CHECK(data.string_at("role") == "ci");
  CHECK(create(R"({"num_uses":2})").response().auth->num_uses == 2);
  write(R"({"token_bound_cidrs":"10.0.0.0/8","token_num_uses":0})");
  const Answer bound = create();
  REQUIRE(bound.status() == 200);
  CHECK(get("auth/token/lookup-self", bound.token()).status() == 403);
}

TEST_CASE_FIXTURE(Roles, "token roles: of two limits the lesser counts, and a warning says so") {
  write(R"({"token_period":"1h","token_explicit_max_ttl":"3h"})");
  const Answer made = create(R"({"period":"2h","explicit_max_ttl":"2h"})");
  REQUIRE(made.status() == 200);
  CHECK(made.response().auth->lease_duration == Seconds{3600});
  CHECK(made.response().warnings ==
        Names{"Explicit max TTL specified both during creation call and in role; using the lesser "
              "value of 7200 seconds",
              "Period specified both during creation call and in role; using the lesser value of "
              "3600 seconds"});
}

TEST_CASE_FIXTURE(Roles, "token roles: a renewal asks what the role says then") {
  write(R"({"token_period":"1h"})");
  const std::string token = create("{}", user()).token();
  const auto renewed = [&] { return post("auth/token/renew-self", token); };
  CHECK(renewed().response().auth->lease_duration == Seconds{3600});
  write(R"({"token_period":"2h"})");
  CHECK(renewed().response().auth->lease_duration == Seconds{7200});
  write(R"({"token_period":"2h","token_explicit_max_ttl":"90m"})");
  CHECK(renewed().response().auth->lease_duration == Seconds{5400});
  remove("auth/token/roles/ci", root());
  const Answer refused = renewed();
  CHECK(refused.status() == 400);
  CHECK(refused.error().find(R"(original token role "ci" could not be found, not renewing)") !=
        std::string::npos);
  CHECK(get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE_FIXTURE(Roles, "token roles: what belongs to a role is refused without one") {
  CHECK(post("auth/token/create", root(), R"({"role_name":"ci"})").error() ==
        "role_name belongs in the path: write to auth/token/create/ci");
  CHECK(post("auth/token/create", root(), R"({"entity_alias":"bob"})").error() ==
        "'entity_alias' is only allowed in combination with token role");
  write(R"({"allowed_entity_aliases":"bob,w-*"})");
  CHECK(create(R"({"entity_alias":"eve"})").error() == "invalid 'entity_alias' value");
  for (const char* alias : {"BOB", "w-1"})
    CHECK(create(R"({"entity_alias":")" + std::string(alias) + "\"}").status() == 400);
}

TEST_CASE("token roles: they are there after a restart, and so is what they made") {
  testing::TestWorld world;
  std::string token;
  {
    TestVault vault(world);
    CHECK(vault.post("auth/token/roles/ci", vault.root(), R"({"token_period":"1h"})").status() ==
          204);
    token = vault.post("auth/token/create/ci", vault.root()).token();
  }
  TestVault vault(world);
  CHECK(vault.get("auth/token/lookup-self", token).data().string_at("role") == "ci");
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration ==
        Seconds{3600});
}
