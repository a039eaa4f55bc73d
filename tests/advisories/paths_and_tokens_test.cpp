// Classes of past advisories that concern paths, policies, tokens and time.

#include <doctest/doctest.h>

#include "api/server/wire.h"
#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

std::string body(const std::string& name, const std::string& value) {
  Json fields = Json::object();
  fields.set(name, value);
  return fields.dump();
}

// One way of writing a path, out of pieces that parsers read in more than one way.
std::string mutated(testing::SeededRandom& random) {
  static const char* const kPieces[] = {
      "test", "notes",     "secret",   "public", "/",      "/",   "//",          ".",        "..",
      "/../", "/./",       "%2e",      "%2E%2e", "%2f",    "%2F", "%252f",       "%00",      "%5c",
      "\\",   "%c0%af",    "%c0%ae",   "%ff",    "%",      "%zz", "+",           "*",        "%20",
      ";x=1", "%e2%80%ae", "\xc3\xa9", "%09",    "%0d%0a", "a",   "test/notes/", "secret/x", "~"};
  std::string url;
  const auto pieces = random.take<1>()[0] % 8 + 1;
  for (int i = 0; i < pieces; ++i) url += kPieces[random.take<1>()[0] % std::size(kPieces)];
  return url;
}

bool is_canonical(const std::string& path) {
  if (path.empty() || path.front() == '/') return false;
  std::string segment;
  for (const char c : path + "/") {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    if (c != '/') {
      segment += c;
      continue;
    }
    if (segment == "." || segment == "..") return false;
    segment.clear();
  }
  return path.find("//") == std::string::npos;
}

}  // namespace

TEST_CASE("class 1 path normalisation: a path has one form, or it is refused") {
  testing::SeededRandom random(7);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::string url = mutated(random);
    std::string path, why;
    if (!server::canonical_path(url, path, why)) {
      CHECK_FALSE(why.empty());
      continue;
    }
    ++accepted;
    REQUIRE_MESSAGE(is_canonical(path), url);
  }
  CHECK(accepted > 1000);
}

TEST_CASE("class 1 path normalisation: authorised, routed and audited are the same bytes") {
  TestVault vault;
  vault.policy("public", R"(path "test/notes/public/*" { capabilities = ["read"] }
                            path "test/notes/public" { capabilities = ["read"] })");
  const std::string token = vault.token(R"({"policies":["public"]})");
  vault.post("test/notes/secret/x", vault.root(), R"({"canary":"found"})");
  testing::SeededRandom random(8);
  for (int asked = 0; asked < 300;) {
    std::string path, why;
    if (!server::canonical_path("test/notes/public/" + mutated(random), path, why)) continue;
    ++asked;
    const Answer answer = vault.get(path, token);
    CHECK(answer.data().string_at("canary").empty());
    CHECK((answer.status() == 403) == !path.starts_with("test/notes/public/"));
    Json quoted(path);
    CHECK(vault.world().audit_text().find("\"path\":" + quoted.dump()) != std::string::npos);
  }
}

TEST_CASE("class 2 precedence: deny wins for every verb, LIST with and without its slash") {
  TestVault vault;
  vault.policy("most", R"(
    path "test/notes/*" { capabilities = ["create", "read", "update", "delete", "list"] }
    path "test/notes/private/*" { capabilities = ["deny"] }
    path "test/notes/hidden/" { capabilities = ["deny"] })");
  vault.post("test/notes/private/a", vault.root(), R"({"x":1})");
  vault.post("test/notes/hidden/a", vault.root(), R"({"x":1})");
  const std::string token = vault.token(R"({"policies":["most"]})");
  for (const char* method : {"GET", "POST", "DELETE", "LIST"}) {
    CAPTURE(method);
    CHECK(vault.request(method, "test/notes/private/a", token, R"({"x":2})").status() == 403);
  }
  CHECK(vault.list("test/notes/private/", token).status() == 403);
  CHECK(vault.list("test/notes/hidden/", token).status() == 403);
  CHECK(vault.list("test/notes/hidden", token).status() == 403);
  CHECK(vault.get("test/notes/private/a", vault.root()).data().integer_at("x") == 1);
  CHECK(vault.list("test/notes/", token).status() == 200);
}

TEST_CASE("class 2 precedence: a slash at the end of a path is no way around its rule") {
  TestVault vault;
  vault.post("sys/mounts/kv", vault.root(), R"({"type":"test"})");
  const auto holding = [&](const std::string& rules) {
    vault.policy("holds", rules);
    return vault.token(R"({"policies":["holds"],"no_default_policy":true})");
  };
  using Names = std::vector<std::string>;
  const auto may = [&](const std::string& token, const std::string& path) {
    const std::string asked = R"({"token":")" + token + R"(","path":")" + path + R"("})";
    return vault.post("sys/capabilities", vault.root(), asked).data().strings_at("capabilities");
  };
  constexpr char kAll[] = R"(path "sys/mounts/*" { capabilities = ["read", "delete", "list"] })";
  std::string token = holding(std::string(kAll) + R"(
    path "sys/mounts/kv" { capabilities = ["read"] })");
  for (const char* path : {"sys/mounts/kv", "sys/mounts/kv/"}) {
    CAPTURE(path);
    CHECK(vault.remove(path, token).status() == 403);
    CHECK(vault.get(path, token).status() == 200);
  }
  CHECK(may(token, "sys/mounts/kv/") == Names{"read"});
  token = holding(std::string(kAll) + R"(
    path "sys/mounts/+" { capabilities = ["deny"] }
    path "sys/mounts/kv" { capabilities = ["deny"] })");
  CHECK(vault.get("sys/mounts/kv/", token).status() == 403);
  CHECK(may(token, "sys/mounts/kv/") == Names{"deny"});
  // A deeper rule says nothing of what the slash is dropped for; a rule for the very path does.
  token = holding(R"(path "sys/mounts/*" { capabilities = ["read"] }
    path "sys/mounts/kv/*" { capabilities = ["delete", "list"] })");
  CHECK(vault.remove("sys/mounts/kv/", token).status() == 403);
  CHECK(may(token, "sys/mounts/kv/") == Names{"list"});
  token = holding(R"(path "sys/mounts/*" { capabilities = ["read"] }
    path "sys/mounts/kv/" { capabilities = ["delete"] })");
  CHECK(may(token, "sys/mounts/kv/") == Names{"delete"});
  CHECK(vault.remove("sys/mounts/kv/", token).status() == 204);
  // Where the slash is a folder's, each path has its own rules, but for a deny.
  token = holding(R"(path "cubbyhole/*" { capabilities = ["read"] }
    path "cubbyhole/a" { capabilities = ["list"] }
    path "cubbyhole/b" { capabilities = ["deny"] })");
  CHECK(vault.get("cubbyhole/a/", token).status() == 404);
  CHECK(vault.get("cubbyhole/b/", token).status() == 403);
}

TEST_CASE("class 4 policy names: no spelling of root grants what the caller does not have") {
  TestVault vault;
  vault.policy("makes", R"(path "auth/token/*" { capabilities = ["update", "sudo"] })");
  const std::string token = vault.token(R"({"policies":["makes"]})");
  for (const char* name : {"root", " Root", "rOOt", "root\\n", "\\troot ", "ROOT", "root\\r\\n"}) {
    CAPTURE(name);
    const Answer made =
        vault.post("auth/token/create", token, std::string(R"({"policies":[")") + name + R"("]})");
    CHECK(made.status() == 400);
  }
  for (const char* name : {"root", "Root", "ROOT", " root "}) {
    CAPTURE(name);
    CHECK(vault
              .post(std::string("sys/policies/acl/") + name, vault.root(),
                    body("policy", R"(path "x" { capabilities = ["read"] })"))
              .status() == 400);
  }
  for (const char* name : {"response-wrapping", " Response-Wrapping "})
    CHECK(vault.post("auth/token/create", token, std::string(R"({"policies":[")") + name + R"("]})")
              .status() == 400);
}

TEST_CASE("class 13 TTL arithmetic: no number makes a token that does not end") {
  TestVault vault;
  const std::int64_t longest = 768 * 3600;
  for (const char* ttl : {"9223372036854775807", "9999999999999999h", "106751991167300d", "768h1s",
                          "9223372036h", "99999999999999999999"}) {
    for (const char* name : {"ttl", "period", "explicit_max_ttl"}) {
      CAPTURE(ttl);
      CAPTURE(name);
      const Answer made =
          vault.post("auth/token/create", vault.root(),
                     R"({"policies":["default"],")" + std::string(name) + R"(":")" + ttl + R"("})");
      if (made.status() == 400) continue;
      REQUIRE(made.status() == 200);
      CHECK(made.response().auth->lease_duration.count() > 0);
      CHECK(made.response().auth->lease_duration.count() <= longest);
      const Json data = vault.get("auth/token/lookup-self", made.token()).data();
      CHECK_FALSE(data.find("expire_time")->is_null());
      CHECK(data.integer_at("ttl") > 0);
    }
  }
  for (const char* ttl : {"-1", "-1h", "-9223372036854775808"})
    for (const char* name : {"ttl", "period", "explicit_max_ttl"})
      CHECK(vault.post("auth/token/create", vault.root(), body(name, ttl)).status() == 400);
}

TEST_CASE("class 13 TTL arithmetic: renewal at the edges never passes the maximum") {
  TestVault vault;
  const std::string token = vault.token(R"({"ttl":"1h","explicit_max_ttl":"2h"})");
  const WallTime issued = vault.world().clock.now();
  for (const char* increment : {"0", "1", "7199", "9999999999999999h", "9223372036854775807"}) {
    CAPTURE(increment);
    const Answer renewed = vault.post("auth/token/renew-self", token, body("increment", increment));
    if (renewed.status() != 200) continue;
    CHECK(renewed.response().auth->lease_duration.count() > 0);
    const WallTime end = add(vault.world().clock.now(), renewed.response().auth->lease_duration);
    CHECK(end <= add(issued, Seconds{7200}));
  }
  CHECK(vault.post("auth/token/renew-self", token, body("increment", "-1")).status() == 400);
  vault.advance(Seconds{7199});
  CHECK(vault.post("auth/token/renew-self", token).response().auth->lease_duration == Seconds{1});
  vault.advance(Seconds{1});
  CHECK(vault.post("auth/token/renew-self", token).status() == 403);
}

TEST_CASE("class 13 TTL arithmetic: a lease ends, whatever its role says") {
  TestVault vault;
  vault.role(R"({"ttl":"99999999999h","max_ttl":"99999999999h"})");
  const Answer creds = vault.get("test/creds/ro", vault.root());
  REQUIRE(creds.status() == 200);
  CHECK(creds.response().lease_duration.count() <= 768 * 3600);
  const Answer renewed = vault.post(
      "sys/leases/renew", vault.root(),
      R"({"increment":"9999999999h","lease_id":")" + creds.response().lease_id + R"("})");
  CHECK(renewed.response().lease_duration.count() <= 768 * 3600);
  vault.advance(Seconds{768 * 3600});
  CHECK(vault.as_time_passes([&] { return vault.server()->accounts().empty(); }));
  CHECK(vault.post("sys/mounts/test/tune", vault.root(), R"({"max_lease_ttl":"-1h"})").status() ==
        400);
  CHECK(vault
            .post("sys/mounts/test/tune", vault.root(), R"({"default_lease_ttl":"900h",
                   "max_lease_ttl":"800h"})")
            .status() == 400);
}

TEST_CASE("class 15 others' leases: who has no right on leases cannot touch them by any name") {
  TestVault vault;
  vault.role();
  const Answer creds = vault.get("test/creds/ro", vault.root());
  const std::string lease = creds.response().lease_id;
  const std::string other = vault.token(R"({"policies":["default"]})");
  const std::string accessor =
      vault.get("auth/token/lookup-self", vault.token("{}")).data().string_at("accessor");
  for (const char* path :
       {"sys/leases/revoke", "sys/revoke", "sys/leases/revoke-prefix/test/",
        "sys/leases/revoke-force/test/", "sys/revoke-prefix/test/", "sys/revoke-force/test/"}) {
    CAPTURE(path);
    CHECK(vault.post(path, other, body("lease_id", lease)).status() == 403);
    CHECK(vault.post(std::string(path) + "/" + lease, other).status() == 403);
  }
  CHECK(vault.list("sys/leases/lookup/test/creds/ro/", other).status() == 403);
  for (const char* path :
       {"auth/token/lookup-accessor", "auth/token/renew-accessor", "auth/token/revoke-accessor"})
    CHECK(vault.post(path, other, body("accessor", accessor)).status() == 403);
  // The same leaf under another path is another lease, which does not exist.
  const std::string moved = "test/creds/rw/" + lease.substr(lease.rfind('/') + 1);
  CHECK(vault.post("sys/leases/lookup", vault.root(), body("lease_id", moved)).status() == 400);
  CHECK(vault.post("sys/leases/renew", vault.root(), body("lease_id", moved)).status() == 400);
  CHECK(vault.post("sys/leases/revoke", vault.root(), body("lease_id", moved)).status() == 204);
  CHECK(vault.server()->accounts().size() == 1);
}

TEST_CASE("class 25 hidden tokens: an error hands out none and leaves none") {
  TestVault vault;
  vault.policy("makes", R"(path "auth/token/create" { capabilities = ["update"] })");
  const std::string token = vault.token(R"({"policies":["makes"]})");
  const std::string last = vault.token(R"({"num_uses":5,"policies":["makes"]})");
  const auto tokens = vault.count(barrier::Table::token);
  for (const char* fields :
       {R"({"policies":["root"]})", R"({"ttl":"-1"})", R"({"type":"batch","num_uses":1})",
        R"({"id":"x"})", R"({"no_parent":true})", R"({"period":"1h"})", R"({"role_name":"r"})",
        R"({"num_uses":-1})", R"({"policies":["other"]})", R"({"ttl":"nonsense"})"}) {
    CAPTURE(fields);
    const Answer answer = vault.post("auth/token/create", token, fields);
    CHECK(answer.status() == 400);
    CHECK(answer.token().empty());
  }
  CHECK(vault.post("auth/token/create", last).status() == 400);
  CHECK(vault.count(barrier::Table::token) == tokens);
}
