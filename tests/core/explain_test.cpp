// sys/explain: why a request was denied, and who may know.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/core/authority/denials.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

std::string id_of(const Answer& answer) { return answer.response().request_id; }

Answer ask(TestVault& vault, const std::string& id, const std::string& token) {
  return vault.get("sys/explain/" + id, token);
}

}  // namespace

TEST_CASE("explain: the token that was denied learns which rule is missing") {
  TestVault vault;
  vault.policy("app", R"(path "test/notes/*" { capabilities = ["read"] })");
  const std::string token = vault.token(R"({"policies":["app"]})");
  const Answer denied = vault.get("test/creds/ro", token);
  REQUIRE(denied.status() == 403);
  CHECK(denied.error() == "1 error occurred:\n\t* permission denied\n\n");
  const Json why = ask(vault, id_of(denied), token).data();
  CHECK(why.string_at("reason") == "no rule matches");
  CHECK(why.string_at("path") == "test/creds/ro");
  CHECK(why.string_at("operation") == "read");
  CHECK(why.string_at("missing") == "read");
  CHECK(why.strings_at("policies") == std::vector<std::string>{"app", "default"});
  CHECK(why.find("policy")->is_null());
  CHECK(why.string_at("explanation") ==
        "no policy of [app, default] has a rule for \"test/creds/ro\" (read)");
}

TEST_CASE("explain: the policy, its rule and its line are named, and what the rule lacks") {
  TestVault vault;
  vault.policy("app",
               "path \"test/notes/*\" { capabilities = [\"read\", \"create\", \"update\"] }\n"
               "path \"test/notes/ro\" {\n  capabilities = [\"read\"]\n}\n"
               "path \"test/notes/no\" { capabilities = [\"deny\"] }\n"
               "path \"test/notes/form\" {\n  capabilities = [\"create\", \"update\"]\n"
               "  denied_parameters = { \"x\" = [] }\n}\n"
               "path \"sys/audit\" { capabilities = [\"read\"] }\n");
  const std::string token = vault.token(R"({"policies":["app"]})");
  const auto why = [&](const Answer& denied) {
    REQUIRE(denied.status() == 403);
    return ask(vault, id_of(denied), token).data();
  };
  const Json lacks = why(vault.post("test/notes/ro", token, R"({"x":1})"));
  CHECK(lacks.string_at("policy") == "app");
  CHECK(lacks.string_at("rule") == "test/notes/ro");
  CHECK(lacks.integer_at("line") == 2);
  CHECK(lacks.string_at("reason") == "capability");
  CHECK((lacks.string_at("missing") == "update" || lacks.string_at("missing") == "create"));
  const Json denies = why(vault.get("test/notes/no", token));
  CHECK(denies.string_at("reason") == "deny");
  CHECK(denies.integer_at("line") == 5);
  CHECK(denies.string_at("explanation") ==
        "the rule for \"test/notes/no\" on line 5 of policy \"app\" denies \"test/notes/no\"");
  const Json parameters = why(vault.post("test/notes/form", token, R"({"x":"hidden"})"));
  CHECK(parameters.string_at("reason") == "parameters");
  CHECK(parameters.dump().find("hidden") == std::string::npos);
  const Json sudo = why(vault.get("sys/audit", token));
  CHECK(sudo.string_at("missing") == "sudo");
}

TEST_CASE(
    "explain: others learn nothing, not even that there was a denial, unless a policy says so") {
  TestVault vault;
  vault.policy("app", R"(path "test/notes/*" { capabilities = ["read"] })");
  vault.policy("desk", R"(path "sys/explain/*" { capabilities = ["read"] })");
  const std::string token = vault.token(R"({"policies":["app"]})");
  const std::string other = vault.token(R"({"policies":["app"]})");
  const std::string desk = vault.token(R"({"policies":["desk"]})");
  const std::string bare = vault.token(R"({"policies":["app"],"no_default_policy":true})");
  const std::string id = id_of(vault.get("test/creds/ro", token));
  const Answer strange = ask(vault, id, other);
  const Answer absent = ask(vault, "no-such-id", other);
  CHECK(strange.status() == 404);
  CHECK(strange.error() == absent.error());
  CHECK(ask(vault, id, desk).status() == 200);
  CHECK(ask(vault, id, vault.root()).status() == 200);
  CHECK(ask(vault, id, bare).status() == 403);
  CHECK(ask(vault, id, "").status() == 403);
}

TEST_CASE("explain: a token with few uses is not led to spend one on the question") {
  TestVault vault;
  const std::string token = vault.token(R"({"policies":["default"],"num_uses":5})");
  const Answer denied = vault.get("test/creds/ro", token);
  REQUIRE(denied.status() == 403);
  CHECK(id_of(denied).empty());
}

TEST_CASE("explain: what is kept is bounded, and one token fills but its share") {
  core::Denials denials;
  const auto keep = [&](const std::string& id, const std::string& accessor) {
    core::Denial one;
    one.request_id = id;
    one.accessor = accessor;
    one.reason = "deny";
    denials.keep(std::move(one));
  };
  keep("mine", "me");
  for (std::size_t i = 0; i < 2 * core::Denials::kKept; ++i) keep(std::to_string(i), "loud");
  CHECK(denials.find("mine"));
  CHECK_FALSE(denials.find("0"));
  CHECK(denials.find(std::to_string(2 * core::Denials::kKept - core::Denials::kKeptOfOne)));
  CHECK_FALSE(
      denials.find(std::to_string(2 * core::Denials::kKept - core::Denials::kKeptOfOne - 1)));
  for (std::size_t i = 0; i < core::Denials::kKept; ++i)
    keep("x" + std::to_string(i), "token" + std::to_string(i));
  CHECK_FALSE(denials.find("mine"));
  core::Denial vast;
  vast.request_id = "vast";
  vast.path = std::string(1u << 20, 'a');
  vast.policies.assign(1000, std::string(512, 'p'));
  denials.keep(std::move(vast));
  CHECK(denials.find("vast")->path.size() < 2 * core::Denials::kTextMax);
  CHECK(denials.find("vast")->policies.size() < 10);
}
