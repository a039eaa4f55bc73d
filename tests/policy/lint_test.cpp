// What is pointed at in a policy, and what is not.

#include "vault/policy/lint.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "vault/policy/patterns.h"

using namespace leasehold;
using namespace leasehold::policy;

namespace {

constexpr WallTime kNow{1'800'000'000'000'000'000};

Policy parsed(std::string_view text, std::string name = {}) {
  auto policy = parse_policy(std::move(name), text);
  REQUIRE_MESSAGE(policy.ok(), policy.error().message);
  return std::move(policy).value();
}

PathRule rule(const std::string& pattern) {
  return parsed("path \"" + pattern + "\" { capabilities = [\"read\"] }").rules.at(0);
}

// Whether a finding of that line holds all of the words.
bool points(const std::vector<Finding>& found, int line, std::vector<std::string_view> words) {
  return std::any_of(found.begin(), found.end(), [&](const Finding& one) {
    return one.line == line && std::all_of(words.begin(), words.end(), [&](std::string_view word) {
             return one.text.find(word) != std::string::npos;
           });
  });
}

std::string all_of(const std::vector<Finding>& found) {
  std::string text;
  for (const Finding& one : found) text += std::to_string(one.line) + ": " + one.text + "\n";
  return text;
}

}  // namespace

TEST_CASE("lint: a policy as it should be has no findings") {
  const auto found = lint(R"(
# What the app reads.
path "secret/data/app/*" { capabilities = ["read"] }
path "secret/metadata/app/+/x" { capabilities = ["list"] }
path "secret/data/app/admin" { capabilities = ["deny"] }
path "sys/auth/*" { capabilities = ["create", "update", "sudo"] }
)",
                          kNow);
  CHECK_MESSAGE(found.empty(), all_of(found));
}

TEST_CASE("lint: every unknown capability is named, with the one that was meant") {
  const auto found = lint(
      "path \"a\" { capabilities = [\"raed\"] }\npath \"b\" {\n  capabilities = [\"write\"]\n}",
      kNow);
  CHECK(points(found, 1, {"\"raed\"", "\"read\""}));
  CHECK(points(found, 3, {"\"write\"", "\"create\", \"update\""}));
  CHECK(found.size() == 2);
}

TEST_CASE("lint: a text that cannot be read is told with its line") {
  const auto found = lint("path \"a\" {\n  capabilitys = [\"read\"]\n}", kNow);
  REQUIRE(found.size() == 1);
  CHECK(found[0].text.find("line 2") != std::string::npos);
}

TEST_CASE("lint: rules that grant nothing, repeat, or are voided by their own deny") {
  const auto found = lint(R"(path "a/b" { capabilities = [] }
path "c" { capabilities = ["read", "deny"] }
path "d" { capabilities = ["read"] }
path "d" { capabilities = ["deny"] }
)",
                          kNow);
  CHECK(points(found, 1, {"a/b", "no capabilities"}));
  CHECK(points(found, 2, {"deny"}));
  CHECK(points(found, 4, {"\"d\"", "line 3"}));
  CHECK_MESSAGE(found.size() == 3, all_of(found));
}

TEST_CASE("lint: a rule that another one always outranks never decides") {
  const auto found = lint(R"(path "team/*" { capabilities = ["read"] }
path "team/+/*" { capabilities = ["update"] }
path "team/+/x" { capabilities = ["list"] }
)",
                          kNow);
  CHECK(points(found, 2, {"team/+/*", "never decides", "team/*"}));
  CHECK_MESSAGE(found.size() == 1, all_of(found));
}

TEST_CASE("lint: a denial that a more specific rule takes a part from") {
  const auto found = lint(R"(path "secret/*" { capabilities = ["deny"] }
path "secret/app" { capabilities = ["read"] }
path "secret/+/x" { capabilities = ["read"] }
)",
                          kNow);
  CHECK(points(found, 1, {"secret/*", "secret/app", "line 2"}));
  const Policy ban = parsed(R"(path "secret/+/private" { capabilities = ["deny"] })", "ban");
  const Policy app = parsed(R"(path "secret/app/private" { capabilities = ["read"] })", "app");
  const Policy* const others[] = {&app};
  CHECK(points(shadowed_denials(ban, others), 1, {"secret/app/private", "of app"}));
  const Policy* const itself[] = {&ban};
  CHECK(shadowed_denials(ban, itself).empty());
}

TEST_CASE("lint: a glob that grants sudo on paths that nobody named") {
  CHECK(points(lint(R"(path "sys/*" { capabilities = ["read", "sudo"] })", kNow), 1,
               {"sys/*", "sudo", "sys/audit"}));
  CHECK(lint(R"(path "sys/*" { capabilities = ["read"] })", kNow).empty());
  CHECK(lint(R"(path "sys/raw" { capabilities = ["read", "sudo"] })", kNow).empty());
}

TEST_CASE("lint: wildcards that are none, and rules whose time is over") {
  const auto found = lint(R"(path "a/*/b" { capabilities = ["deny"] }
path "c-+/d" { capabilities = ["read"] }
path "e" {
  capabilities = ["read"]
  expiration = "2020-01-01T00:00:00Z"
}
)",
                          kNow);
  CHECK(points(found, 1, {"a/*/b", "DENIES"}));
  CHECK(points(found, 2, {"c-+/d"}));
  CHECK(points(found, 3, {"2020-01-01"}));
}

TEST_CASE("lint: paths where nothing is mounted, and those of the other key/value version") {
  const std::vector<MountPoint> mounts = {
      {"secret/", true}, {"kv/", false}, {"auth/userpass/", false}, {"sys/", false}};
  const auto of = [&](const std::string& pattern) {
    return off_the_mounts(parsed("path \"" + pattern + "\" { capabilities = [\"read\"] }"), mounts);
  };
  CHECK(points(of("secert/data/x"), 1, {"no mount", "secret/"}));
  CHECK(points(of("auth/usrpass/login/x"), 1, {"no mount", "auth/userpass/"}));
  CHECK(points(of("secret/app/*"), 1, {"version 2", "secret/data/app/*"}));
  for (const char* fine :
       {"secret/data/app/*", "secret/*", "secret/da*", "secret/+/x", "kv/app/*",
        "auth/userpass/users/x", "sys/mounts", "*", "+/x", "sec*", "auth/+/login"})
    CHECK_MESSAGE(of(fine).empty(), fine);
}

TEST_CASE("patterns: one covers another when it matches all of its paths") {
  const auto holds = [](const char* wide, const char* narrow) {
    return covers(rule(wide), rule(narrow));
  };
  CHECK(holds("a/*", "a/b"));
  CHECK(holds("a/*", "a/b/*"));
  CHECK(holds("a/*", "a/+/c"));
  CHECK(holds("+/b", "a/b"));
  CHECK(holds("a/+/*", "a/b/c*"));
  CHECK(holds("a/+/c*", "a/b/cd"));
  CHECK_FALSE(holds("a/b", "a/*"));
  CHECK_FALSE(holds("a/+/*", "a/*"));
  CHECK_FALSE(holds("a/+", "a/b*"));
  CHECK_FALSE(holds("a/+", "a/b/c"));
  CHECK_FALSE(holds("a/b/*", "a/+/*"));
  CHECK_FALSE(holds("a/+/cd*", "a/b/c*"));
  CHECK_FALSE(holds("a/+/c", "a/b"));
}
