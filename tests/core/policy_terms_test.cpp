// What a policy is kept with beside its text: versions, check-and-set, an end; and lists of them.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

const std::string kRead = R"(path \"test/notes/*\" { capabilities = [\"read\"] })";

Answer write(TestVault& vault, const std::string& more, const std::string& path = "acl/p") {
  return vault.post("sys/policies/" + path, vault.root(),
                    "{\"policy\":\"" + kRead + "\"" + more + "}");
}

Json shown(TestVault& vault, const std::string& name = "p") {
  return vault.get("sys/policies/acl/" + name, vault.root()).data();
}

}  // namespace

TEST_CASE("policy terms: a text is given back byte for byte, with its comments") {
  TestVault vault;
  const std::string text =
      "# who\n// why\n/* and\n\tmore */ path \"a\" { capabilities = [\"read\"] } \n\n# end";
  Json body = Json::object();
  body.set("policy", text);
  REQUIRE(vault.post("sys/policies/acl/p", vault.root(), body.dump()).status() == 204);
  CHECK(shown(vault).string_at("policy") == text);
  CHECK(vault.get("sys/policy/p", vault.root()).data().string_at("rules") == text);
}

TEST_CASE(
    "policy terms: where cas is required no write goes without it, and none lifts that alone") {
  TestVault vault;
  REQUIRE(write(vault, R"(,"cas_required":true,"cas":0)").status() == 204);
  CHECK(shown(vault).bool_at("cas_required"));
  const char* const demanded = "check-and-set parameter required for this call";
  CHECK(write(vault, "").error() == demanded);
  CHECK(write(vault, R"(,"cas_required":false)").error() == demanded);
  CHECK(write(vault, R"(,"cas":2)").error() ==
        "check-and-set parameter did not match the current version");
  CHECK(write(vault, R"(,"cas":1)").status() == 204);
  CHECK_FALSE(shown(vault).bool_at("cas_required"));
  CHECK(shown(vault).integer_at("version") == 2);
  CHECK(write(vault, "").status() == 204);
}

TEST_CASE("policy terms: from its expiration on a policy is as if it were not there") {
  TestVault vault;
  REQUIRE(write(vault, R"(,"ttl":"1h")").status() == 204);
  CHECK(shown(vault).string_at("expiration") ==
        rfc3339(add(vault.world().clock.now(), Seconds{3600})));
  const std::string token = vault.token(R"({"policies":["p"],"no_default_policy":true})");
  CHECK(vault.get("test/notes/none", token).status() == 404);
  vault.advance(Seconds{3599});
  CHECK(vault.get("test/notes/none", token).status() == 404);
  vault.advance(Seconds{1});
  CHECK(vault.get("test/notes/none", token).status() == 403);
  CHECK(vault.get("sys/policies/acl/p", vault.root()).status() == 404);
  CHECK(write(vault, R"(,"cas":-1)").status() == 204);
  CHECK(shown(vault).integer_at("version") == 1);
  CHECK(shown(vault).find("expiration") == nullptr);
  CHECK(vault.get("test/notes/none", token).status() == 404);
}

TEST_CASE("policy terms: a denial that has expired denies nothing more") {
  TestVault vault;
  vault.policy("app", R"(path "test/notes/*" { capabilities = ["read"] })");
  REQUIRE(vault
              .post("sys/policies/acl/ban", vault.root(),
                    R"({"policy":"path \"test/notes/*\" { capabilities = [\"deny\"] }","ttl":60})")
              .status() == 204);
  const std::string token = vault.token(R"({"policies":["app","ban"]})");
  CHECK(vault.get("test/notes/none", token).status() == 403);
  vault.advance(Seconds{60});
  CHECK(vault.get("test/notes/none", token).status() == 404);
}

TEST_CASE("policy terms: a time is one of two, and lies ahead") {
  TestVault vault;
  const auto error = [&](const std::string& more) { return write(vault, more).error(); };
  CHECK(error(R"(,"ttl":"1h","expiration":"2099-01-01T00:00:00Z")") ==
        "cannot supply both 'expiration' and 'ttl' for policies");
  CHECK(error(R"(,"expiration":"1999-01-01T00:00:00Z")") ==
        "refusing to update policy as expiration time has already elapsed");
  CHECK(error(R"(,"expiration":"soon")").find("expiration") != std::string::npos);
  CHECK(write(vault, R"(,"expiration":4070908800)").status() == 204);
  CHECK(shown(vault).string_at("expiration") == "2099-01-01T00:00:00Z");
}

TEST_CASE("policy terms: a patch keeps what it does not say, and makes no policy") {
  TestVault vault;
  const auto patch = [&](const std::string& body) {
    return vault.request("PATCH", "sys/policies/acl/p", vault.root(), body);
  };
  CHECK(patch(R"({"ttl":60})").status() == 404);
  REQUIRE(write(vault, R"(,"ttl":"1h","cas_required":true,"cas":-1)").status() == 204);
  const std::string end = shown(vault).string_at("expiration");
  CHECK(patch(R"({"policy":"path \"b\" { capabilities = [\"list\"] }"})").status() == 400);
  CHECK(patch(R"({"policy":"path \"b\" { capabilities = [\"list\"] }","cas":1})").status() == 204);
  CHECK(shown(vault).string_at("policy") == R"(path "b" { capabilities = ["list"] })");
  CHECK(shown(vault).string_at("expiration") == end);
  CHECK(shown(vault).bool_at("cas_required"));
  CHECK(patch(R"({"cas_required":false,"cas":2})").status() == 204);
  CHECK_FALSE(shown(vault).bool_at("cas_required"));
  CHECK(shown(vault).string_at("policy") == R"(path "b" { capabilities = ["list"] })");
}

TEST_CASE("policy terms: lists are of all, of a part of the names, and with what each holds") {
  TestVault vault;
  for (const char* name : {"team/a", "team/b", "solo"}) vault.policy(name, "path \"x\" {}");
  const auto keys = [&](const std::string& path) {
    return vault.list(path, vault.root()).data().strings_at("keys");
  };
  using Names = std::vector<std::string>;
  CHECK(keys("sys/policies/acl/") == Names{"default", "solo", "team/a", "team/b", "root"});
  CHECK(keys("sys/policies/acl/team/") == Names{"team/a", "team/b"});
  CHECK(vault.list("sys/policies/acl/nobody/", vault.root()).status() == 404);
  const Json all = vault.list("sys/policies/detailed/acl/", vault.root()).data();
  CHECK(all.strings_at("keys").size() == 5);
  REQUIRE(all.find("key_info") != nullptr);
  const Json* const one = all.find("key_info")->find("team/a");
  REQUIRE(one != nullptr);
  CHECK(one->string_at("policy") == "path \"x\" {}");
  CHECK(one->integer_at("version") == 1);
  CHECK(all.find("key_info")->find("root")->string_at("policy").empty());
  CHECK(keys("sys/policies/detailed/acl/team/") == Names{"team/a", "team/b"});
}
