#include "vault/core/authority/policy.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>
#include <functional>
#include <set>

#include "tests/support/seeded_random.h"

using namespace leasehold;
using namespace leasehold::core;

namespace {

constexpr WallTime kNow{1'800'000'000'000'000'000};  // 2027-01-15T08:00:00Z

using Shared = std::shared_ptr<const Policy>;

Shared parsed(std::string_view text, std::string name = "p") {
  auto policy = parse_policy(std::move(name), text);
  REQUIRE_MESSAGE(policy.ok(), policy.error().message);
  return std::make_shared<const Policy>(std::move(policy).value());
}

Acl acl_of(std::initializer_list<std::string_view> texts) {
  auto kept = std::make_shared<std::vector<Shared>>();
  std::vector<const Policy*> policies;
  for (const std::string_view text : texts) {
    kept->push_back(parsed(text, "p" + std::to_string(kept->size())));
    policies.push_back(kept->back().get());
  }
  return Acl(std::move(policies), false, kNow, kept);
}

Decision decide(const Acl& acl, Operation operation, std::string_view path,
                std::string_view body = "{}", std::optional<Seconds> wrap = std::nullopt) {
  const auto data = parse_json(body);
  REQUIRE(data.ok());
  return acl.decide(operation, path, data.value(), false, wrap);
}

void allow(const Acl& acl, Operation operation, std::string_view path,
           std::string_view body = "{}") {
  CAPTURE(path);
  CAPTURE(body);
  const Decision decision = decide(acl, operation, path, body);
  CHECK_MESSAGE(decision.allowed, decision.reason);
}

void deny(const Acl& acl, Operation operation, std::string_view path,
          std::string_view body = "{}") {
  CAPTURE(path);
  CAPTURE(body);
  CHECK_FALSE(decide(acl, operation, path, body).allowed);
}

std::string refusal(std::string_view text) {
  const auto policy = parse_policy("p", text);
  REQUIRE_FALSE(policy.ok());
  CHECK(policy.error().code == Code::invalid);
  return policy.error().message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("policy: the table reads as the policy does") {
  const Acl acl = acl_of({R"(
    path "kv/a"              { capabilities = ["read"] }
    path "kv/team/*"         { capabilities = ["read", "list", "create", "update", "delete"] }
    path "kv/team/root"      { capabilities = ["deny"] }
    path "kv/+/1/*"          { capabilities = ["read"] }
    path "kv/deep/1/2/3"     { capabilities = ["list"] }
    path "kv/glob/ab*"       { capabilities = ["read"] }
    path "kv/glob/abd*"      { capabilities = ["deny"] }
    path "/kv/leading"       { capabilities = ["read"] }
  )"});
  allow(acl, Operation::read, "kv/a");
  deny(acl, Operation::update, "kv/a");
  deny(acl, Operation::read, "kv/a/");
  deny(acl, Operation::read, "kv/ab");
  deny(acl, Operation::read, "kv/b");
  allow(acl, Operation::read, "kv/team/db");
  allow(acl, Operation::read, "kv/team/x/y/z");
  allow(acl, Operation::list, "kv/team/");
  deny(acl, Operation::read, "kv/team");
  deny(acl, Operation::list, "kv/");
  deny(acl, Operation::read, "kv/team/root");
  deny(acl, Operation::remove, "kv/team/root");
  allow(acl, Operation::read, "kv/team/root/below");
  allow(acl, Operation::read, "kv/deep/1/9");
  allow(acl, Operation::read, "kv/deep/1/9/10");
  deny(acl, Operation::read, "kv/deep/2/9");
  deny(acl, Operation::read, "kv/deep/1/2/3");
  allow(acl, Operation::read, "kv/glob/abc");
  deny(acl, Operation::read, "kv/glob/abd");
  deny(acl, Operation::read, "kv/glob/abdx");
  allow(acl, Operation::read, "kv/leading");
  allow(acl, Operation::help, "anything/at/all");
}

TEST_CASE("policy: each operation needs its capability and no other") {
  constexpr std::pair<Operation, std::string_view> kNeeds[] = {
      {Operation::read, "read"},     {Operation::head, "read"},     {Operation::list, "list"},
      {Operation::create, "create"}, {Operation::update, "update"}, {Operation::patch, "patch"},
      {Operation::remove, "delete"}};
  for (const std::string_view granted : {"read", "list", "create", "update", "patch", "delete"}) {
    const std::string text = R"(path "a/" { capabilities = [")" + std::string(granted) + "\"] }";
    const Acl acl = acl_of({text});
    for (const auto& [operation, needed] : kNeeds)
      (needed == granted ? allow : deny)(acl, operation, "a/", "{}");
  }
}

TEST_CASE("policy: LIST is judged with the slash, then without it") {
  const Acl acl = acl_of({R"(
    path "exact"   { capabilities = ["list"] }
    path "folder/" { capabilities = ["list"] }
    path "pre*"    { capabilities = ["list"] }
    path "seg/+"   { capabilities = ["list"] }
    path "under/*" { capabilities = ["list"] }
  )"});
  allow(acl, Operation::list, "exact/");
  allow(acl, Operation::list, "folder/");
  allow(acl, Operation::list, "prefix/");
  allow(acl, Operation::list, "seg/x/");
  allow(acl, Operation::list, "under/");
  deny(acl, Operation::list, "seg/x/y/");
  deny(acl, Operation::read, "exact/");
}

TEST_CASE("policy: of wildcard patterns the most specific decides alone") {
  struct Row {
    std::string_view winner, loser, path;
  };
  // Each pair both matches; the first has the capability, the second denies.
  for (const Row& row : std::initializer_list<Row>{
           {"a/b*", "a/*", "a/bc"},
           {"a/b*", "+/b*", "a/bc"},
           {"a/b/+", "a/+/c", "a/b/c"},
           {"a/+/c", "a/+/c*", "a/b/c"},
           {"a/+", "a/*", "a/b"},
           {"a/b/+/d", "a/+/+/d", "a/b/c/d"},
           {"a/+/c/+", "a/+/+/+", "a/b/c/d"},
           {"a/+/cd*", "a/+/c*", "a/b/cde"},
           {"a/b", "a/+", "a/b"},
           {"a/b", "a/b*", "a/b"},
           {"*", "+/b/*", "a/b/c"},
       }) {
    CAPTURE(row.winner);
    CAPTURE(row.loser);
    const std::string good =
        "path \"" + std::string(row.winner) + "\" { capabilities = [\"read\"] }\n";
    const std::string bad =
        "path \"" + std::string(row.loser) + "\" { capabilities = [\"deny\"] }\n";
    allow(acl_of({good + bad}), Operation::read, row.path);
    allow(acl_of({bad + good}), Operation::read, row.path);
    allow(acl_of({good, bad}), Operation::read, row.path);
    allow(acl_of({bad, good}), Operation::read, row.path);
  }
}

TEST_CASE("policy: `+` is exactly one whole segment, and literal inside a longer one") {
  const Acl acl = acl_of({R"(
    path "one/+/end" { capabilities = ["read"] }
    path "lit/+x/+"  { capabilities = ["read"] }
    path "c++"       { capabilities = ["read"] }
  )"});
  allow(acl, Operation::read, "one/x/end");
  allow(acl, Operation::read, "one//end");
  deny(acl, Operation::read, "one/x/y/end");
  deny(acl, Operation::read, "one/end");
  deny(acl, Operation::read, "one/x/end/more");
  allow(acl, Operation::read, "lit/+x/y");
  deny(acl, Operation::read, "lit/yx/y");
  allow(acl, Operation::read, "c++");
}

TEST_CASE("policy: several policies are united per pattern, and deny wins there") {
  const Acl acl = acl_of({R"(path "a" { capabilities = ["read"] }
                             path "t/*" { capabilities = ["read", "list"] })",
                          R"(path "a" { capabilities = ["update"] }
                             path "t/*" { capabilities = ["deny"] }
                             path "t/open" { capabilities = ["read"] })"});
  allow(acl, Operation::read, "a");
  allow(acl, Operation::update, "a");
  deny(acl, Operation::read, "t/x");
  deny(acl, Operation::list, "t/");
  allow(acl, Operation::read, "t/open");
}

TEST_CASE("policy: a path that stands twice in one policy is one rule") {
  const Acl acl = acl_of({R"(path "a" { capabilities = ["read"] }
                             path "a" { capabilities = ["list"] }
                             path "b/+" { capabilities = ["read"] }
                             path "b/+" { capabilities = ["deny"] })"});
  CHECK(acl.capabilities("a") == std::vector<std::string>{"list", "read"});
  deny(acl, Operation::read, "b/x");
}

TEST_CASE("policy: parameters are required, denied, then allowed") {
  const Acl acl = acl_of({R"(
    path "par/*" {
      capabilities = ["create", "update", "list"]
      allowed_parameters = { "color" = ["red", "bl*"], "size" = [], "count" = [5] }
      denied_parameters = { "secret" = [] }
    }
    path "req/*"  { capabilities = ["update", "read"] required_parameters = ["owner"] }
    path "none/*" { capabilities = ["update"] denied_parameters = { "*" = [] } }
    path "bad/*"  { capabilities = ["update"] denied_parameters = { "color" = ["red", "*een"] } }
    path "any/*"  { capabilities = ["update"] allowed_parameters = { "color" = ["red"], "*" = [] } }
    path "block"  { capabilities = ["update"] allowed_parameters { "a" = ["1"] } }
  )"});
  allow(acl, Operation::update, "par/1", R"({"color":"red"})");
  allow(acl, Operation::update, "par/1", R"({"Color":"blue"})");
  deny(acl, Operation::update, "par/1", R"({"color":"green"})");
  allow(acl, Operation::update, "par/1", R"({"size":{"any":1}})");
  deny(acl, Operation::update, "par/1", R"({"shape":"x"})");
  deny(acl, Operation::update, "par/1", R"({"secret":"x","color":"red"})");
  deny(acl, Operation::update, "par/1", R"({"SECRET":"x"})");
  allow(acl, Operation::update, "par/1");
  allow(acl, Operation::list, "par/", R"({"shape":"x"})");
  allow(acl, Operation::update, "par/1", R"({"count":5})");
  allow(acl, Operation::update, "par/1", R"({"count":"5"})");
  deny(acl, Operation::update, "par/1", R"({"count":6})");
  deny(acl, Operation::update, "req/1", R"({"v":1})");
  deny(acl, Operation::read, "req/1");
  allow(acl, Operation::update, "req/1", R"({"v":1,"owner":"me"})");
  deny(acl, Operation::update, "none/1", R"({"v":1})");
  allow(acl, Operation::update, "none/1");
  deny(acl, Operation::update, "bad/1", R"({"color":"red"})");
  deny(acl, Operation::update, "bad/1", R"({"color":"green"})");
  allow(acl, Operation::update, "bad/1", R"({"color":"blue"})");
  allow(acl, Operation::update, "any/1", R"({"other":7})");
  deny(acl, Operation::update, "any/1", R"({"color":"blue"})");
  allow(acl, Operation::update, "block", R"({"a":"1"})");
  deny(acl, Operation::update, "block", R"({"a":"2"})");
}

TEST_CASE("policy: a denied number cannot be written in another way") {
  const Acl acl =
      acl_of({R"(path "a" { capabilities = ["update"] denied_parameters = { "n" = [5] } })"});
  for (const std::string_view body : {R"({"n":5})", R"({"n":5.0})", R"({"n":"5"})", R"({"n":5e0})"})
    deny(acl, Operation::update, "a", body);
  allow(acl, Operation::update, "a", R"({"n":50})");
}

TEST_CASE("policy: parameters of several policies are united, and an empty list is any value") {
  const std::string_view red =
      R"(path "a" { capabilities = ["update"] allowed_parameters = { "c" = ["red"] } })";
  const std::string_view blue =
      R"(path "a" { capabilities = ["update"] allowed_parameters = { "c" = ["blue"] } })";
  const std::string_view any =
      R"(path "a" { capabilities = ["update"] allowed_parameters = { "c" = [] } })";
  const Acl two = acl_of({red, blue}), all = acl_of({red, any});
  allow(two, Operation::update, "a", R"({"c":"red"})");
  allow(two, Operation::update, "a", R"({"c":"blue"})");
  deny(two, Operation::update, "a", R"({"c":"green"})");
  allow(all, Operation::update, "a", R"({"c":"green"})");
}

TEST_CASE("policy: wrapping limits demand a wrapped answer within them") {
  const Acl acl = acl_of({R"(path "a" { capabilities = ["read"]
                                        min_wrapping_ttl = "10s" max_wrapping_ttl = 90 })"});
  const auto allowed = [&acl](std::optional<Seconds> ttl) {
    return decide(acl, Operation::read, "a", "{}", ttl).allowed;
  };
  CHECK_FALSE(allowed(std::nullopt));
  CHECK_FALSE(allowed(Seconds{9}));
  CHECK(allowed(Seconds{10}));
  CHECK(allowed(Seconds{90}));
  CHECK_FALSE(allowed(Seconds{91}));
  CHECK(decide(acl, Operation::read, "a").reason == "wrapping");
}

TEST_CASE("policy: sudo is demanded beside the operation's own capability") {
  const Acl acl = acl_of({R"(path "with" { capabilities = ["read", "sudo"] }
                             path "without" { capabilities = ["read"] }
                             path "only" { capabilities = ["sudo"] })"});
  const auto allowed = [&acl](std::string_view path) {
    return acl.decide(Operation::read, path, Json(), true, std::nullopt).allowed;
  };
  CHECK(allowed("with"));
  CHECK_FALSE(allowed("without"));
  CHECK_FALSE(allowed("only"));
  CHECK(decide(acl, Operation::read, "with").sudo);
}

TEST_CASE("policy: a decision names the policy, the line and the reason") {
  const Acl acl =
      acl_of({"\n\npath \"a\" { capabilities = [\"list\"] }\n",
              "path \"a\" { capabilities = [\"read\"] }\n"
              "path \"b\" { capabilities = [\"deny\"] }\n"
              "path \"c\" { capabilities = [\"update\"] required_parameters = [\"x\"] }"});
  const Decision granted = decide(acl, Operation::read, "a");
  REQUIRE(granted.policy != nullptr);
  CHECK(granted.policy->name == "p1");
  CHECK(granted.line == 1);
  CHECK(granted.reason.empty());
  CHECK(decide(acl, Operation::list, "a").line == 3);
  CHECK(decide(acl, Operation::remove, "a").reason == "capability");
  CHECK(decide(acl, Operation::read, "b").reason == "deny");
  CHECK(decide(acl, Operation::read, "b").line == 2);
  CHECK(decide(acl, Operation::update, "c").reason == "parameters");
  CHECK(decide(acl, Operation::read, "z").reason == "no rule matches");
  CHECK(decide(acl, Operation::read, "z").policy == nullptr);
}

TEST_CASE("policy: an expired rule is as if it were not there") {
  const Acl acl = acl_of({R"(
    path "a/b*" { capabilities = ["deny"] expiration = "2027-01-15T07:59:59Z" }
    path "a/*"  { capabilities = ["read"] }
    path "x"    { capabilities = ["read"] expiration = "2027-01-15T08:00:00Z" }
    path "y"    { capabilities = ["read"] expiration = "2027-01-15T08:00:01Z" }
    path "z"    { capabilities = ["read"] expiration = "2027-01-15T08:00:01Z" }
    path "z"    { capabilities = ["list"] expiration = "2026-01-15T08:00:01Z" }
  )"});
  allow(acl, Operation::read, "a/bc");
  deny(acl, Operation::read, "x");
  allow(acl, Operation::read, "y");
  allow(acl, Operation::read, "z");
  deny(acl, Operation::list, "z");
}

TEST_CASE("policy: root may do everything, and nothing else is root") {
  const Acl root({}, true, kNow);
  CHECK(root.decide(Operation::remove, "sys/anything", Json(), true, std::nullopt).allowed);
  CHECK(root.capabilities("x") == std::vector<std::string>{"root"});
  CHECK(root.may_reach("any/"));
  CHECK(root.resultant().dump() == R"({"root":true})");
  const Acl nobody({}, false, kNow);
  deny(nobody, Operation::read, "sys/health");
  CHECK(nobody.capabilities("x") == std::vector<std::string>{"deny"});
}

TEST_CASE("policy: capabilities are sorted names") {
  const Acl acl =
      acl_of({R"(path "t/*" { capabilities = ["update", "read", "list", "delete", "create"] }
                             path "t/deny" { capabilities = ["deny", "read"] }
                             path "none" { capabilities = [] }
                             path "old" { policy = "write" }
                             path "older" { policy = "sudo" })"});
  using Names = std::vector<std::string>;
  CHECK(acl.capabilities("t/x") == Names{"create", "delete", "list", "read", "update"});
  CHECK(acl.capabilities("t/deny") == Names{"deny"});
  CHECK(acl.capabilities("none") == Names{"deny"});
  CHECK(acl.capabilities("zzz") == Names{"deny"});
  CHECK(acl.capabilities("old") == Names{"create", "delete", "list", "read", "update"});
  CHECK(acl.capabilities("older") == Names{"create", "delete", "list", "read", "sudo", "update"});
}

TEST_CASE("policy: the resultant acl shows exact and prefix patterns, merged") {
  const Acl acl = acl_of({R"(
    path "kv/a"     { capabilities = ["read"] }
    path "kv/+/x"   { capabilities = ["read"] }
    path "kv/par/*" { capabilities = ["create"]
                      allowed_parameters = { "color" = ["red", "blue"] "size" = [] }
                      denied_parameters = { "secret" = [] } }
    path "kv/req/*" { capabilities = ["update"] required_parameters = ["owner"] }
    path "id/{{identity.entity.id}}" { capabilities = ["read"] }
  )",
                          R"(path "kv/a" { capabilities = ["list"] })"});
  CHECK(acl.resultant().dump() ==
        R"({"exact_paths":{"kv/a":{"capabilities":["list","read"]}},)"
        R"("glob_paths":{"kv/par/":{"allowed_parameters":{"color":["red","blue"],"size":[]},)"
        R"("capabilities":["create"],"denied_parameters":{"secret":[]}},)"
        R"("kv/req/":{"capabilities":["update"],"required_parameters":["owner"]}},"root":false})");
}

TEST_CASE("policy: a mount is within reach when anything in it is") {
  const Acl acl = acl_of({R"(
    path "kv/deep/x"  { capabilities = ["read"] }
    path "db/creds/*" { capabilities = ["read"] }
    path "+/seg/x"    { capabilities = ["read"] }
    path "pk*"        { capabilities = ["read"] }
    path "no/*"       { capabilities = ["deny"] }
    path "both/x"     { capabilities = ["read"] }
  )",
                          R"(path "both/x" { capabilities = ["deny"] })"});
  CHECK(acl.may_reach("kv/"));
  CHECK(acl.may_reach("db/"));
  CHECK(acl.may_reach("pki/"));
  CHECK(acl.may_reach("anything/"));  // through +/seg/x
  CHECK_FALSE(acl_of({R"(path "no/*" { capabilities = ["deny"] })"}).may_reach("no/"));
  CHECK_FALSE(acl_of({R"(path "kv/a" { capabilities = ["read"] })"}).may_reach("kvx/"));
  CHECK_FALSE(acl_of({R"(path "both/x" { capabilities = ["read"] })",
                      R"(path "both/x" { capabilities = ["deny"] })"})
                  .may_reach("both/"));
}

TEST_CASE("policy: JSON says the same as HCL") {
  const Acl acl = acl_of({R"({"path": {
      "kv/a": {"capabilities": ["read"]},
      "kv/t/*": {"capabilities": ["update"], "allowed_parameters": {"k": ["v"]}}}})",
                          R"({"path": [{"l/a": {"capabilities": ["read"]}},
                                       {"l/b": {"policy": "read"}}]})"});
  allow(acl, Operation::read, "kv/a");
  allow(acl, Operation::update, "kv/t/x", R"({"k":"v"})");
  deny(acl, Operation::update, "kv/t/x", R"({"k":"w"})");
  allow(acl, Operation::read, "l/a");
  allow(acl, Operation::list, "l/b");
}

TEST_CASE("policy: what is wrong in a text is named with its line") {
  CHECK(contains(refusal("path \"a\" {\n  capabilities = [\"fly\"]\n}"),
                 "failed to parse policy: path \"a\": invalid capability \"fly\" on line 2"));
  CHECK(contains(refusal("path \"a\" {\n\n  colour = 1\n}"), "invalid key \"colour\" on line 3"));
  CHECK(contains(refusal("paths \"a\" { }"), "failed to parse policy: invalid key \"paths\""));
  CHECK(contains(refusal("x = 1"), "invalid key \"x\" on line 1"));
  CHECK(contains(refusal("path \"a\" { policy = \"admin\" }"), "invalid policy \"admin\""));
  CHECK(contains(refusal("path \"a/+*\" { capabilities = [\"read\"] }"),
                 "invalid use of wildcards ('+*' is forbidden)"));
  CHECK(contains(refusal("path \"a\" { min_wrapping_ttl = \"9s\" max_wrapping_ttl = \"8s\" }"),
                 "max_wrapping_ttl cannot be less than min_wrapping_ttl"));
  CHECK(contains(refusal("path \"a\" { control_group = {} }"), "control_group is not supported"));
  CHECK(contains(refusal("path \"a\" {\n control_group = {\n  factor \"ops\" {\n   identity { "
                         "group_names = [\"m\"] approvals = 1 }\n  }\n }\n}"),
                 "control_group is not supported on line 2"));
  CHECK(contains(refusal("path \"a\" { control_group { factor \"ops\" { } } }"),
                 "control_group is not supported"));
  CHECK(contains(refusal("path \"a\" { expiration = \"soon\" }"), "expiration must be a time"));
  CHECK(contains(refusal("path \"a/{{identity.entity.id\" { }"), "unbalanced template"));
  CHECK(contains(refusal("path \"a/{{nonsense}}\" { }"), "a template names"));
  CHECK(contains(refusal("path \"a\" { capabilities ="), "failed to parse policy: "));
  CHECK(contains(refusal("{\"path\": 7}"), "failed to parse policy: "));
}

TEST_CASE("policy: no path at all is a policy that grants nothing") {
  CHECK(parsed("name = \"x\"\n# nothing\n")->rules.empty());
  const std::string_view text = "path \"a\" { capabilities=[\"read\"] } # kept as written\n";
  CHECK(parsed(text)->text == text);
}

TEST_CASE("policy: the default policy is what a new vault needs, and no more") {
  const auto policy = parsed(default_policy_text(), "default");
  const Acl acl({policy.get()}, false, kNow);
  allow(acl, Operation::read, "auth/token/lookup-self");
  allow(acl, Operation::update, "auth/token/renew-self");
  allow(acl, Operation::update, "auth/token/revoke-self");
  allow(acl, Operation::update, "sys/capabilities-self");
  allow(acl, Operation::read, "sys/internal/ui/resultant-acl");
  allow(acl, Operation::update, "sys/leases/renew");
  allow(acl, Operation::update, "sys/leases/lookup");
  allow(acl, Operation::list, "cubbyhole/");
  allow(acl, Operation::create, "cubbyhole/a/b");
  allow(acl, Operation::update, "sys/wrapping/wrap");
  allow(acl, Operation::update, "sys/wrapping/lookup");
  allow(acl, Operation::update, "sys/wrapping/unwrap");
  allow(acl, Operation::update, "sys/tools/hash");
  allow(acl, Operation::update, "sys/tools/hash/sha2-256");
  allow(acl, Operation::read, "identity/oidc/provider/p/authorize");
  deny(acl, Operation::read, "identity/entity/id/");
  deny(acl, Operation::read, "identity/entity/id/{{identity.entity.id}}");
  deny(acl, Operation::update, "auth/token/create");
  deny(acl, Operation::read, "sys/mounts");
  deny(acl, Operation::read, "secret/a");
  CHECK(parsed(default_policy_text())->templated.size() == 2);
  const auto unwraps = parsed(response_wrapping_policy_text());
  const Acl wrapping({unwraps.get()}, false, kNow);
  allow(wrapping, Operation::read, "cubbyhole/response");
  allow(wrapping, Operation::update, "sys/wrapping/unwrap");
  deny(wrapping, Operation::read, "auth/token/lookup-self");
}

// Advisory class 4: a policy name that is "root" to one reader and not to another.
TEST_CASE("policy: advisory class 4, a name has one canonical form") {
  for (const std::string_view name : {"root", "ROOT", "Root", " root", "root ", "\troot\n",
                                      "\xc2\xa0root", "root\xe3\x80\x80", " \xe2\x80\x83 RooT\r\n"})
    CHECK(canonical_policy_name(name) == "root");
  CHECK(canonical_policy_name("Team-A/x y") == "team-a/x y");
  CHECK(canonical_policy_name(" \t ").empty());
  CHECK(canonical_policy_name("") == "");
  CHECK(canonical_policy_name("ro ot") == "ro ot");
}

namespace {

// CPU seconds of this thread.
double cpu_of(const std::function<void()>& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double before = now();
  work();
  return now() - before;
}

std::string parameters_text(int first, int count) {
  std::string text = "path \"a\" {\n capabilities = [\"update\"]\n allowed_parameters {\n";
  for (int i = first + count; i > first; --i)
    text += "p" + std::to_string(100'000 + i) + " = [\"v\"]\n";
  return text + "}\n}\n";
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

}  // namespace

TEST_CASE(
    "policy: what a policy holds is compiled in time that grows with it, not with its square") {
  const auto twice_as_much = [](const std::function<std::string(int)>& text, int count) {
    const double small = cpu_of([&] { parsed(text(count)); });
    const double large = cpu_of([&] { parsed(text(8 * count)); });
    CAPTURE(small);
    CAPTURE(large);
    CHECK(large < 24 * std::max(small, 0.002));  // squared: 64 times
  };
  twice_as_much([](int n) { return parameters_text(0, n); }, 4000);
  twice_as_much([](int n) { return parameters_text(0, n) + parameters_text(n, n); }, 3000);
  twice_as_much(
      [](int n) {
        return repeated(R"(path "a" { capabilities = ["update"]
          allowed_parameters = { "x" = ["v"] } })",
                        n);
      },
      1000);
}

TEST_CASE("policy: a request is judged by the rules of many policies without merging them") {
  const auto kept = std::make_shared<std::vector<Shared>>();
  std::vector<const Policy*> policies;
  for (int i = 0; i < 200; ++i) {
    kept->push_back(parsed(parameters_text(1000 * i, 1000), "p" + std::to_string(i)));
    policies.push_back(kept->back().get());
  }
  const Acl acl(policies, false, kNow, kept);
  const double spent = cpu_of([&] {
    for (int i = 0; i < 100; ++i) allow(acl, Operation::update, "a", R"({"p300000":"v"})");
  });
  CHECK(spent < 0.5);  // merging 200,000 parameters takes more than 5 ms each time
  deny(acl, Operation::update, "a", R"({"p300000":"w"})");
  deny(acl, Operation::update, "a", R"({"q":"v"})");
}

TEST_CASE("policy: what is written is bounded, and the error says by what") {
  const auto bounds = [](const std::string& text) {
    REQUIRE(parse_policy("p", text).ok());
    const auto policy = parse_new_policy("p", text);
    return policy.ok() ? std::string() : policy.error().message;
  };
  CHECK(bounds(parameters_text(0, kPolicyParametersMax / 2)).empty());
  CHECK(bounds(parameters_text(0, kPolicyParametersMax)) ==
        "failed to parse policy: path \"a\": parameters and their values can be at most 1024 "
        "together, these are 2048 on line 1");
  std::string paths;
  for (std::size_t i = 0; i < kPolicyPathsMax; ++i)
    paths += "path \"" + std::to_string(i) + "\" { policy = \"read\" }\n";
  CHECK(bounds(paths).empty());
  CHECK(bounds(paths + R"(path "{{identity.entity.id}}" { policy = "read" })") ==
        "a policy can have at most 4096 paths, this one has 4097");
}
