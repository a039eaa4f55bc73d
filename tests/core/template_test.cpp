// Templates of policies: what they are made of, and what may stand in them.

#include <doctest/doctest.h>

#include "vault/core/authority/identity_templates.h"
#include "vault/core/authority/policy.h"

using namespace leasehold;
using namespace leasehold::core;

namespace {

constexpr WallTime kNow{};

Identity& ann(Identity& identity) {
  identity.entity.id = "e-1";
  identity.entity.name = "Ann";
  identity.entity.metadata = {{"team", "blue"}, {"empty", ""}, {"star", "a*"},  {"plus", "+"},
                              {"slash", "a/b"}, {"up", ".."},  {"comma", "a,b"}};
  Alias alias;
  alias.id = "a-1";
  alias.name = "ann@corp";
  alias.mount_accessor = "auth_userpass_1";
  alias.metadata = {{"site", "north"}};
  alias.custom_metadata = Metadata{{"desk", "7"}};
  identity.entity.aliases.push_back(alias);
  auto group = std::make_shared<Group>();
  group->id = "g-1";
  group->name = "ops";
  group->metadata = {{"zone", "z1"}};
  identity.groups.push_back(group);
  return identity;
}

std::shared_ptr<const Policy> filled_in(const std::string& text, bool wildcards = false,
                                        bool slashes = false) {
  auto policy = parse_policy("p", text);
  REQUIRE(policy.ok());
  policy->wildcards_in_values = wildcards;
  policy->slashes_in_values = slashes;
  Identity identity;
  return filled_for(ann(identity), *policy);
}

// The pattern that a path comes to be; "-" when its rule does not apply.
std::string pattern_of(const std::string& path, bool wildcards = false, bool slashes = false) {
  const auto policy =
      filled_in("path \"" + path + "\" { capabilities = [\"read\"] }", wildcards, slashes);
  if (policy->rules.empty()) return "-";
  REQUIRE(policy->rules.size() == 1);
  return policy->rules[0].pattern + (policy->rules[0].prefix ? "*" : "");
}

bool may_read(const std::shared_ptr<const Policy>& policy, std::string_view path) {
  return Acl({policy.get()}, false, kNow)
      .decide(Operation::read, path, Json(), false, std::nullopt)
      .allowed;
}

}  // namespace

TEST_CASE("templates: each selector has its value") {
  CHECK(pattern_of("kv/{{identity.entity.id}}/*") == "kv/e-1/*");
  CHECK(pattern_of("kv/{{ identity.entity.name }}") == "kv/Ann");
  CHECK(pattern_of("kv/{{identity.entity.metadata.team}}/x") == "kv/blue/x");
  CHECK(pattern_of("{{identity.entity.aliases.auth_userpass_1.id}}") == "a-1");
  CHECK(pattern_of("{{identity.entity.aliases.auth_userpass_1.name}}/") == "ann@corp/");
  CHECK(pattern_of("{{identity.entity.aliases.auth_userpass_1.metadata.site}}") == "north");
  CHECK(pattern_of("{{identity.entity.aliases.auth_userpass_1.custom_metadata.desk}}") == "7");
  CHECK(pattern_of("{{identity.groups.ids.g-1.name}}") == "ops");
  CHECK(pattern_of("{{identity.groups.names.ops.id}}") == "g-1");
  CHECK(pattern_of("a/{{identity.groups.names.ops.metadata.zone}}/{{identity.entity.id}}") ==
        "a/z1/e-1");
}

TEST_CASE("templates: what has no value leaves its rule out") {
  for (const char* selector :
       {"identity.entity.metadata.none", "identity.entity.aliases.other.name",
        "identity.entity.aliases.auth_userpass_1.metadata.none", "identity.groups.ids.other.name",
        "identity.groups.names.g-1.id", "identity.entity.metadata"}) {
    CAPTURE(selector);
    CHECK(pattern_of("kv/{{" + std::string(selector) + "}}/x") == "-");
  }
}

// Advisory class 3: a value that an identity brings along never widens what a rule matches.
TEST_CASE("templates: advisory class 3, no value makes a pattern match more than it names") {
  const std::string team = "kv/{{identity.entity.metadata.";
  for (const char* key : {"star", "plus", "slash", "empty"}) {
    CAPTURE(key);
    CHECK(pattern_of(team + key + "}}/x") == "-");
    CHECK(pattern_of(team + key + "}}*") == "-");
  }
  CHECK_FALSE(
      may_read(filled_in("path \"" + team + "up}}/x\" { capabilities = [\"read\"] }"), "x"));
  CHECK(pattern_of(team + "comma}}/x") == "kv/a,b/x");
  // Where the policy lets them, they mean what they say.
  CHECK(pattern_of(team + "star}}", true) == "kv/a*");
  CHECK(pattern_of(team + "plus}}/x", true) == "kv/+/x");
  CHECK(pattern_of(team + "slash}}/x", false, true) == "kv/a/b/x");
  CHECK(pattern_of(team + "star}}", false, true) == "-");
  CHECK(pattern_of(team + "plus}}*", true) == "-");  // "+*" is no pattern
}

TEST_CASE("templates: a denial that a value keeps from being filled in denies everything") {
  const std::string plain = "path \"kv/*\" { capabilities = [\"read\"] }\n";
  const auto unsafe = filled_in(
      plain + "path \"kv/{{identity.entity.metadata.star}}\" { capabilities = [\"deny\"] }");
  CHECK(unsafe->unreadable);
  const auto undefined = filled_in(
      plain + "path \"kv/{{identity.entity.metadata.none}}\" { capabilities = [\"deny\"] }");
  CHECK_FALSE(undefined->unreadable);
  CHECK(undefined->rules.empty());
}

TEST_CASE("templates: rules that come to have one pattern are one rule") {
  const auto policy = filled_in(R"(
    path "kv/{{identity.entity.id}}" { capabilities = ["read"] }
    path "kv/{{identity.entity.aliases.auth_userpass_1.id}}" { capabilities = ["read"] }
    path "kv/{{identity.entity.metadata.team}}/*" { capabilities = ["read"] }
  )");
  CHECK(policy->exact_rules == 2);
  CHECK(policy->prefix_rules == 1);
  CHECK(may_read(policy, "kv/e-1"));
  CHECK(may_read(policy, "kv/a-1"));
  CHECK(may_read(policy, "kv/blue/deep/er"));
  CHECK_FALSE(may_read(policy, "kv/bluer"));
}

TEST_CASE("templates: braces that do not pair are refused, and so is what names no identity") {
  for (const char* path : {"a/{{identity.entity.id", "a/identity.entity.id}}", "a/}}{{",
                           "{{time.now}}", "{{identity.entities.id}}"}) {
    CAPTURE(path);
    CHECK_FALSE(parse_policy("p", "path \"" + std::string(path) + "\" { }").ok());
  }
}
