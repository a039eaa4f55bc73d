#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

Json looked_up(TestVault& vault, const std::string& token) {
  return vault.get("auth/token/lookup-self", token).data();
}
bool is_dead(TestVault& vault, const std::string& token) {
  const Answer answer = vault.get("auth/token/lookup-self", token);
  return answer.status() == 403 && answer.error() == "permission denied";
}
std::string accessor_of(TestVault& vault, const std::string& token) {
  return looked_up(vault, token).string_at("accessor");
}
std::string body(const std::string& name, const std::string& value) {
  Json fields = Json::object();
  fields.set(name, value);
  return fields.dump();
}

}  // namespace

TEST_CASE("tokens: a created token is what was asked for") {
  TestVault vault;
  const Answer made = vault.post("auth/token/create", vault.root(),
                                 R"({"policies":["Default "," app"],"ttl":"1h","meta":{"a":"b"},
                                     "display_name":"my app!","num_uses":0})");
  REQUIRE(made.status() == 200);
  const auto& auth = *made.response().auth;
  CHECK(made.token().starts_with("hvs."));
  CHECK(auth.accessor.size() == 24);
  CHECK(auth.policies == std::vector<std::string>{"app", "default"});
  CHECK(auth.lease_duration == Seconds{3600});
  CHECK(auth.renewable);
  CHECK_FALSE(auth.orphan);
  CHECK(made.response().warnings == std::vector<std::string>{R"(Policy "app" does not exist)"});
  const Json data = looked_up(vault, made.token());
  CHECK(data.string_at("id") == made.token());
  CHECK(data.string_at("display_name") == "token-my-app");
  CHECK(data.string_at("path") == "auth/token/create");
  CHECK(data.find("meta")->string_at("a") == "b");
  CHECK(data.integer_at("ttl") == 3600);
  CHECK(data.integer_at("creation_ttl") == 3600);
  CHECK(data.find("entity_id")->text().empty());
}

TEST_CASE("tokens: the root token is what Vault's is") {
  TestVault vault;
  const Json data = looked_up(vault, vault.root());
  CHECK(vault.root().size() == 28);
  CHECK(data.strings_at("policies") == std::vector<std::string>{"root"});
  CHECK(data.find("expire_time")->is_null());
  CHECK(data.integer_at("ttl") == 0);
  CHECK(data.bool_at("orphan"));
  CHECK(data.string_at("path") == "auth/token/root");
  CHECK(data.find("meta")->is_null());
  const Answer renewed = vault.post("auth/token/renew-self", vault.root());
  CHECK(renewed.status() == 400);
  CHECK(renewed.error() == "lease is not renewable");
}

TEST_CASE("tokens: who has no token, or one that never was, gets the same refusal") {
  TestVault vault;
  for (const char* token : {"", "x", "hvs.", "hvs.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    CAPTURE(token);
    for (const char* path : {"auth/token/lookup-self", "test/notes/a", "nowhere/at/all"}) {
      const Answer answer = vault.get(path, token);
      CHECK(answer.status() == 403);
      CHECK(answer.error() == "permission denied");
    }
  }
  CHECK(is_dead(vault, std::string(100'000, 'x')));
}

TEST_CASE("tokens: an accessor shows, renews and revokes, and never tells the token") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"1h"})");
  const std::string by = body("accessor", accessor_of(vault, token));
  const Answer shown = vault.post("auth/token/lookup-accessor", vault.root(), by);
  CHECK(shown.data().find("id")->text().empty());
  CHECK(shown.data().integer_at("ttl") == 3600);
  vault.advance(Seconds{600});
  const Answer renewed = vault.post("auth/token/renew-accessor", vault.root(), by);
  CHECK(renewed.status() == 200);
  CHECK(renewed.token().empty());
  CHECK(looked_up(vault, token).integer_at("ttl") == 3600);
  // As an earlier version wrote it.
  CHECK(vault
            .post("auth/token/lookup-accessor", vault.root(),
                  body("accessor", "0" + accessor_of(vault, token)))
            .status() == 200);
  CHECK(vault.post("auth/token/revoke-accessor", vault.root(), by).status() == 204);
  CHECK(is_dead(vault, token));
  const Answer again = vault.post("auth/token/revoke-accessor", vault.root(), by);
  CHECK(again.status() == 200);
  CHECK(again.response().warnings.size() == 1);
  CHECK(vault.post("auth/token/lookup-accessor", vault.root(), by).status() == 400);
}

TEST_CASE("tokens: accessors are listed, of live tokens only") {
  TestVault vault;
  const std::string kept = vault.token("{}"), gone = vault.token("{}");
  const std::string accessor = accessor_of(vault, kept);
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", gone)).status() == 204);
  const auto names = vault.list("auth/token/accessors/", vault.root()).data().strings_at("keys");
  CHECK(names.size() == 2);
  CHECK(std::count(names.begin(), names.end(), accessor) == 1);
  const std::string nobody = vault.token(R"({"policies":["default"]})");
  CHECK(vault.list("auth/token/accessors/", nobody).status() == 403);
}

TEST_CASE("tokens: when a token dies, all below it are dead at once") {
  TestVault vault;
  vault.policy("parent", R"(path "auth/token/*" { capabilities = ["update", "sudo"] })");
  const std::string parent = vault.token(R"({"policies":["parent"]})");
  const std::string child = vault.token(R"({"policies":["parent"]})", parent);
  const std::string grandchild = vault.token(R"({"policies":["parent"]})", child);
  const Answer orphan = vault.post("auth/token/create-orphan", child, R"({"policies":["parent"]})");
  REQUIRE(orphan.status() == 200);
  CHECK(orphan.response().auth->orphan);
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", parent)).status() == 204);
  CHECK(is_dead(vault, parent));
  CHECK(is_dead(vault, child));
  CHECK(is_dead(vault, grandchild));
  CHECK_FALSE(is_dead(vault, orphan.token()));
  // The sweep removes the records behind it.
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.count(barrier::Table::token) == 2);
  CHECK(vault.count(barrier::Table::child) == 0);
  CHECK(vault.verifies());
}

TEST_CASE("tokens: a wide tree is swept whole, leases and all") {
  TestVault vault;
  vault.role();
  const std::string parent = vault.token(R"({"ttl":"1h"})");
  for (int i = 0; i < 30; ++i) vault.token(R"({"ttl":"1h","num_uses":3})", parent);
  for (int i = 0; i < 30; ++i) CHECK(vault.get("test/creds/ro", parent).status() == 200);
  CHECK(vault.server()->accounts().size() == 30);
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", parent)).status() == 204);
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::job) == 0; },
                             std::chrono::milliseconds(50)));
  CHECK(vault.count(barrier::Table::token) == 1);
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); },
                             std::chrono::milliseconds(50)));
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::lease) == 0; }));
  CHECK(vault.count(barrier::Table::receipt) == 30);
  CHECK(vault.count(barrier::Table::expiry) == 0);
  CHECK(vault.verifies());
}

TEST_CASE("tokens: a tree may be 32 deep, and no deeper token comes into being") {
  TestVault vault;
  std::vector<std::string> chain = {vault.root()};
  while (chain.size() < 33) chain.push_back(vault.token(R"({"policies":["root"]})", chain.back()));
  CHECK_FALSE(is_dead(vault, chain.back()));
  const Answer deeper = vault.post("auth/token/create", chain.back(), R"({"policies":["root"]})");
  CHECK(deeper.status() == 400);
  // What the deepest may do it can do: its whole chain is guarded by what it writes.
  CHECK(vault.post("test/notes/deep", chain.back(), R"({"x":1})").status() == 204);
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", chain[1])).status() == 204);
  CHECK(is_dead(vault, chain.back()));
}

TEST_CASE("tokens: revoke-orphan leaves the children alive, as orphans") {
  TestVault vault;
  const std::string parent = vault.token("{}");
  const std::string child = vault.token("{}", parent);
  CHECK(vault.post("auth/token/revoke-orphan", vault.root(), body("token", parent)).status() ==
        204);
  CHECK(is_dead(vault, parent));
  CHECK_FALSE(is_dead(vault, child));
  CHECK(looked_up(vault, child).bool_at("orphan"));
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK_FALSE(is_dead(vault, child));
  const Answer unknown =
      vault.post("auth/token/revoke-orphan", vault.root(), body("token", parent));
  CHECK(unknown.status() == 400);
  CHECK(unknown.error() == "token to revoke not found");
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", child)).status() == 204);
  CHECK(is_dead(vault, child));
}

TEST_CASE("tokens: what revoke-orphan left goes when all below it are orphans") {
  TestVault vault;
  const auto tokens = vault.count(barrier::Table::token);
  const std::string parent = vault.token("{}");
  std::vector<std::string> children;
  for (int i = 0; i < 30; ++i) children.push_back(vault.token("{}", parent));
  const std::string grandchild = vault.token("{}", children[0]);
  CHECK(vault.post("auth/token/revoke-orphan", vault.root(), body("token", children[1])).status() ==
        204);
  CHECK(vault.post("auth/token/revoke-orphan", vault.root(), body("token", parent)).status() ==
        204);
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.count(barrier::Table::token) == tokens + 30);  // of the 32 two are gone
  CHECK(is_dead(vault, children[1]));
  for (const std::string& child : children)
    if (child != children[1]) CHECK(looked_up(vault, child).bool_at("orphan"));
  CHECK_FALSE(looked_up(vault, grandchild).bool_at("orphan"));
  CHECK(vault.post("auth/token/revoke", vault.root(), body("token", children[0])).status() == 204);
  CHECK(is_dead(vault, grandchild));
  CHECK(vault.verifies());
}

TEST_CASE("tokens: uses are counted before anything else, also those that are refused") {
  TestVault vault;
  const std::string token = vault.token(R"({"num_uses":3,"policies":["default"]})");
  CHECK(vault.get("test/notes/a", token).status() == 403);  // no right, and one use less
  CHECK(looked_up(vault, token).integer_at("num_uses") == 1);
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
  CHECK(is_dead(vault, token));
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  CHECK(vault.count(barrier::Table::counter) == 0);
}

TEST_CASE("tokens: of many who race for a token's uses, as many win as there are") {
  TestVault vault;
  for (int round = 0; round < 5; ++round) {
    const std::string token = vault.token(R"({"num_uses":7})");
    std::vector<TestVault::Waiting> all;
    for (int i = 0; i < 40; ++i) all.push_back(vault.begin("GET", "auth/token/lookup-self", token));
    int won = 0;
    for (const auto& one : all) won += vault.wait(one).status() == 200 ? 1 : 0;
    CHECK(won == 7);
    CHECK(is_dead(vault, token));
  }
}

TEST_CASE("tokens: writers who race for the last uses of a token all get what they paid for") {
  TestVault vault;
  const std::string token = vault.token(R"({"num_uses":6})");
  std::vector<TestVault::Waiting> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(vault.begin("POST", "test/notes/" + std::to_string(i), token, R"({"x":1})"));
  int won = 0;
  for (const auto& one : all) won += vault.wait(one).status() == 204 ? 1 : 0;
  CHECK(won == 6);
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: the last use gets no lease, and a token with few uses no children") {
  TestVault vault;
  vault.role();
  const std::string token = vault.token(R"({"num_uses":2})");
  const Answer child = vault.post("auth/token/create", token);
  CHECK(child.status() == 400);
  CHECK(child.error() == "restricted use token cannot generate child tokens");
  const Answer creds = vault.get("test/creds/ro", token);
  CHECK(creds.status() == 400);
  CHECK(creds.error().starts_with("Secret cannot be returned; token had one use left"));
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: a token ends when its time is up, and its record soon after") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"10s"})");
  vault.advance(Nanos(Seconds{10}) - Nanos{1});
  CHECK_FALSE(is_dead(vault, token));
  vault.advance(Nanos{1});
  CHECK(is_dead(vault, token));
  CHECK(vault.post("auth/token/renew", vault.root(), body("token", token)).status() == 400);
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::token) == 1; }));
}

TEST_CASE("tokens: a child dies when its parent's time is up") {
  TestVault vault;
  const std::string parent = vault.token(R"({"ttl":"10s"})");
  const std::string child = vault.token(R"({"ttl":"1h"})", parent);
  vault.advance(Seconds{10});
  CHECK(is_dead(vault, child));
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::token) == 1; }));
}

TEST_CASE("tokens: renewal gives what is asked for, up to the explicit maximum") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"10m","explicit_max_ttl":"1h"})");
  vault.advance(Seconds{300});
  const Answer renewed = vault.post("auth/token/renew-self", token, R"({"increment":"20m"})");
  REQUIRE(renewed.status() == 200);
  CHECK(renewed.response().auth->lease_duration == Seconds{1200});
  CHECK(renewed.token() == token);
  vault.advance(Seconds{1100});
  const Answer capped = vault.post("auth/token/renew-self", token, R"({"increment":"100h"})");
  CHECK(capped.response().auth->lease_duration == Seconds{3600 - 1400});
  // Names what remains, not the maximum as a whole.
  CHECK(capped.response().warnings ==
        std::vector<std::string>{"TTL of \"100h\" exceeded the effective max_ttl of \"36m40s\"; "
                                 "TTL value is capped accordingly"});
  vault.advance(Seconds{2199});
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration == Seconds{1});
  vault.advance(Seconds{1});
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: what remains is rounded down, and a renewal never goes beyond the maximum") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"60s","explicit_max_ttl":"100s"})");
  vault.advance(std::chrono::milliseconds(10));
  CHECK(looked_up(vault, token).integer_at("ttl") == 59);
  vault.advance(std::chrono::milliseconds(49'990));
  vault.advance(std::chrono::milliseconds(300));
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration == Seconds{49});
  vault.advance(std::chrono::milliseconds(49'000));
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: renewed without an increment it lives as long as the last time") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"1h"})");
  CHECK(vault.post("auth/token/renew-self", token, R"({"increment":"10m"})")
            .response()
            .auth->lease_duration == Seconds{600});
  vault.advance(Seconds{60});
  for (int i = 0; i < 2; ++i)
    CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration ==
          Seconds{600});
  CHECK(looked_up(vault, token).integer_at("creation_ttl") == 3600);
}

TEST_CASE("tokens: a periodic token lives as long as it is renewed") {
  TestVault vault;
  const std::string token = vault.token(R"({"period":"10m"})");
  for (int i = 0; i < 200; ++i) {
    vault.advance(Seconds{599});
    REQUIRE(vault.post("auth/token/renew-self", token).response().auth->lease_duration ==
            Seconds{600});
  }
  CHECK(looked_up(vault, token).integer_at("period") == 600);
  vault.advance(Seconds{600});
  CHECK(is_dead(vault, token));
  vault.policy("plain", R"(path "auth/token/create" { capabilities = ["update"] })");
  const std::string plain = vault.token(R"({"policies":["plain"]})");
  const Answer refused = vault.post("auth/token/create", plain, R"({"period":"1h"})");
  CHECK(refused.status() == 400);
  CHECK(refused.error() == "root or sudo privileges required to create periodic token");
}

TEST_CASE("tokens: a period ends at the explicit maximum") {
  TestVault vault;
  const std::string token = vault.token(R"({"period":"10m","explicit_max_ttl":"25m"})");
  vault.advance(Seconds{500});
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration == Seconds{600});
  vault.advance(Seconds{500});
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration == Seconds{500});
  vault.advance(Seconds{500});
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: a child's policies are among its parent's") {
  TestVault vault;
  vault.policy("a", R"(path "auth/token/create" { capabilities = ["update"] })");
  vault.policy("b", R"(path "test/*" { capabilities = ["read"] })");
  const std::string a = vault.token(R"({"policies":["a"]})");
  const Answer refused = vault.post("auth/token/create", a, R"({"policies":["a","b"]})");
  CHECK(refused.status() == 400);
  CHECK(refused.error() == "child policies must be subset of parent");
  const Answer copy = vault.post("auth/token/create", a, "{}");
  CHECK(copy.response().auth->policies == std::vector<std::string>{"a", "default"});
  const Answer bare = vault.post("auth/token/create", a, R"({"no_default_policy":true})");
  CHECK(bare.response().auth->policies == std::vector<std::string>{"a"});
  const Answer back =
      vault.post("auth/token/create", bare.token(), R"({"policies":["a","default"]})");
  CHECK(back.error() == "child policies must be subset of parent");
  const Answer root = vault.post("auth/token/create", a, R"({"policies":["root"]})");
  CHECK(root.status() == 400);
  const Answer orphan = vault.post("auth/token/create", a, R"({"no_parent":true})");
  CHECK(orphan.error() == "root or sudo privileges required to create orphan token");
  const Answer named = vault.post("auth/token/create", a, R"({"id":"mine"})");
  CHECK(named.error() == "root or sudo privileges required to specify token id");
}

TEST_CASE("tokens: only the root token makes root tokens, whatever sudo one has") {
  TestVault vault;
  vault.policy("makes", R"(path "auth/token/create" { capabilities = ["update", "sudo"] })");
  const std::string makes = vault.token(R"({"policies":["makes"]})");
  CHECK(vault.post("auth/token/create", makes, R"({"policies":["default"]})").status() == 200);
  const Answer refused = vault.post("auth/token/create", makes, R"({"policies":["root"]})");
  CHECK(refused.status() == 400);
  CHECK(refused.error() == "root tokens may not be created without parent token being root");
}

TEST_CASE("tokens: a token has a thousand policies at most") {
  TestVault vault;
  const auto with = [&](int count) {
    Json names = Json::array();
    for (int i = 0; i < count; ++i) names.push("p" + std::to_string(i));
    return vault.post("auth/token/create", vault.root(),
                      Json::object().set("policies", std::move(names)).dump());
  };
  CHECK(with(999).status() == 200);  // and the default policy
  CHECK(with(1001).error() == "a token has at most 1000 policies, with names of 512 bytes");
}

TEST_CASE("tokens: what is written of a token rests on the version that was read") {
  TestVault vault;
  const std::string text = vault.token(R"({"ttl":"1h"})");
  const bool conflict = vault.read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    const auto before = live.tokens.load(txn, live.tokens.id_of(text));
    vault.post("auth/token/revoke", vault.root(), body("token", text));
    auto held = live.snapshots.take();
    commit::Batch batch({}, commit::Unrecorded{"a test"});
    commit::WriteTxn write(**held, live.barrier, barrier::kCoreSpace, batch);
    return live.tokens.update(write, **before, **before).ok() &&
           live.committer.commit(batch).status().is(Code::conflict);
  });
  CHECK(conflict);
  CHECK(is_dead(vault, text));
}

TEST_CASE("tokens: a custom id is taken once, and not in the form of ours") {
  TestVault vault;
  CHECK(vault.token(R"({"id":"my-token"})") == "my-token");
  CHECK_FALSE(is_dead(vault, "my-token"));
  CHECK(vault.post("auth/token/create", vault.root(), R"({"id":"my-token"})").status() == 400);
  for (const std::string prefix : {"hvs.", "s.", "hvb.", "hvr."})
    CHECK(vault.post("auth/token/create", vault.root(), body("id", prefix + "x")).error() ==
          "custom token ID cannot have the '" + prefix + "' prefix");
  CHECK(vault.post("auth/token/create", vault.root(), body("id", "a.b")).status() == 400);
  const auto long_id = [&](std::size_t size) {
    return vault.post("auth/token/create", vault.root(), body("id", std::string(size, 'x')));
  };
  CHECK(long_id(2048).status() == 200);
  CHECK(long_id(2049).error() == "custom token ID can have at most 2048 bytes");
}

TEST_CASE("tokens: an id that is taken anew brings nothing back of its first token") {
  TestVault vault;
  vault.token(R"({"id":"again"})");
  REQUIRE(vault.post("cubbyhole/s", "again", R"({"v":"old"})").status() == 204);
  std::vector<std::string> children;
  for (int i = 0; i < 30; ++i)
    children.push_back(vault.post("auth/token/create", "again", "{}").token());
  REQUIRE(vault.post("auth/token/revoke", vault.root(), body("token", "again")).status() == 204);
  const auto made = [&] {
    return vault.post("auth/token/create", vault.root(), R"({"id":"again"})").status() == 200;
  };
  REQUIRE(TestVault::eventually(made));
  CHECK(vault.get("cubbyhole/s", "again").status() == 404);
  const std::string mine = vault.post("auth/token/create", "again", "{}").token();
  REQUIRE(TestVault::eventually([&] { return vault.count(barrier::Table::job) == 0; }));
  for (const std::string& child : children) CHECK(is_dead(vault, child));
  CHECK_FALSE(is_dead(vault, "again"));
  CHECK_FALSE(is_dead(vault, mine));
}

TEST_CASE("tokens: an expiring root token makes no endless one") {
  TestVault vault;
  const std::string root = vault.token(R"({"policies":["root"],"ttl":"1h"})");
  CHECK(looked_up(vault, root).integer_at("ttl") == 3600);
  CHECK(vault.post("auth/token/create", root, R"({"policies":["root"]})").status() == 400);
  CHECK(vault.post("auth/token/create", root, R"({"policies":["root"],"ttl":"1h"})").status() ==
        200);
}

TEST_CASE("tokens: revoking an unknown token is done, looking one up is refused") {
  TestVault vault;
  CHECK(vault.post("auth/token/revoke", vault.root(), R"({"token":"hvs.nothing"})").status() ==
        204);
  const Answer answer = vault.post("auth/token/lookup", vault.root(), R"({"token":"hvs.nothing"})");
  CHECK(answer.status() == 403);
  CHECK(answer.error() == "bad token");
  const std::string self = vault.token("{}");
  CHECK(vault.post("auth/token/revoke-self", self).status() == 204);
  CHECK(is_dead(vault, self));
}

TEST_CASE("tokens: what a token began cannot land after it was revoked") {
  TestVault vault;
  const std::string token = vault.token("{}");
  std::vector<TestVault::Waiting> all;
  for (int i = 0; i < 50; ++i) {
    all.push_back(vault.begin("POST", "test/counters/c", token));
    if (i == 25)
      all.push_back(vault.begin("POST", "auth/token/revoke", vault.root(), body("token", token)));
  }
  int counted = 0;
  for (const auto& one : all) counted += vault.wait(one).status() == 200 ? 1 : 0;
  const Answer last = vault.post("test/counters/c", vault.root());
  CHECK(last.data().integer_at("value") == counted + 1);
  CHECK(is_dead(vault, token));
}

TEST_CASE("tokens: what one makes every audit line repeat is bounded, and the error says by what") {
  TestVault vault;
  const auto create = [&](std::size_t size) {
    return vault.post("auth/token/create", vault.root(),
                      R"({"meta":{"k":")" + std::string(size, 'm') + R"("}})");
  };
  CHECK(create(16'000).status() == 200);
  const Answer refused = create(17'000);
  CHECK(refused.status() == 400);
  CHECK(refused.error().find("16384 bytes") != std::string::npos);
  CHECK(refused.error().find("17001") != std::string::npos);
}
