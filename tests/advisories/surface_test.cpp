// Classes of past advisories that concern the surface: what answers a stranger, what hostile input
// does to it, and what stands between a secret and its comparison.

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "api/server/wire.h"
#include "backends/catalog.h"
#include "tests/support/test_vault.h"
#include "vault/core/sys/system.h"
#include "vault/crypto/aead.h"
#include "vault/crypto/shamir.h"
#include "vault/policy/sudo_paths.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

// Every engine of this build, the system's own among them.
std::vector<std::unique_ptr<core::EngineKind>> every_kind(TestVault& vault) {
  auto& world = vault.world();
  const core::EngineContext context{world.clock, world.random, world.log, {}};
  auto kinds = core::all_engine_kinds(*vault.lifecycle().enter());
  vault.lifecycle().leave();
  for (const core::EngineRow& row : catalog::kEngines)
    kinds.push_back(core::make_kind(row, context, false));
  for (const core::EngineRow& row : catalog::kAuths)
    kinds.push_back(core::make_kind(row, context, true));
  return kinds;
}

std::vector<std::string> routes_with(TestVault& vault, bool core::Route::*property) {
  std::vector<std::string> found;
  for (const auto& kind : every_kind(vault))
    for (const core::Route& route : kind->engine->routes())
      if (route.*property && kind->wire_type != "test")
        found.push_back(kind->wire_type + " " + route.pattern);
  std::sort(found.begin(), found.end());
  return found;
}

server::HttpParser::State framed(std::string text, int* status = nullptr) {
  const server::HttpLimits limits;
  server::HttpParser parser(limits);
  parser.parse({text.data(), text.size()});
  if (status != nullptr) *status = parser.refusal_status();
  return parser.state();
}
bool frame_refused(const std::string& text) {
  return framed(text) == server::HttpParser::State::refused;
}

}  // namespace

TEST_CASE("places: no list is read on an io thread") {
  TestVault vault;
  int lists = 0;
  for (const auto& kind : every_kind(vault))
    for (const core::Route& route : kind->engine->routes())
      for (const core::Action& action : route.actions) {
        if (action.operation != core::Operation::list || kind->wire_type == "test") continue;
        INFO(kind->wire_type << " " << route.pattern);
        CHECK(action.place != core::Place::inline_);
        ++lists;
      }
  CHECK(lists > 10);
}

TEST_CASE("class 22 sudo: whoever has no server knows of the same paths") {
  TestVault vault;
  for (const std::string& route : routes_with(vault, &core::Route::sudo)) {
    const auto space = route.find(' ');
    const std::string kind = route.substr(0, space);
    std::string path = (kind == "system" ? "sys/" : "auth/" + kind + "/") + route.substr(space + 1);
    std::replace(path.begin(), path.end(), ':', 'x');
    if (path.ends_with('*')) path.back() = 'x';
    CAPTURE(path);
    CHECK(policy::needs_sudo(path));
  }
}

TEST_CASE("class 22 unauthenticated routes: they are these and no others") {
  TestVault vault;
  const std::vector<std::string> golden = {
      "approle login",
      "system decode-token",
      "system internal/specs/openapi",
      "system internal/ui/feature-flags",
      "system internal/ui/mounts",
      "system internal/ui/mounts/:path*",
      "system internal/ui/namespaces",
      "system internal/ui/version",
      "system wrapping/lookup",
      "userpass login/:username*",
  };
  CHECK(routes_with(vault, &core::Route::unauthenticated) == golden);
  // And those that answer while the vault is sealed.
  const char* const sealed[] = {"sys/health", "sys/init", "sys/leader", "sys/seal-status",
                                "sys/unseal"};
  for (const char* path : sealed) CHECK(vault.lifecycle().own_route(path) != nullptr);
  for (const char* path : {"sys/seal", "sys/mounts", "sys/rekey/init", "sys/generate-root/attempt",
                           "sys/step-down", "sys/raw", "sys/metrics", "sys/pprof"}) {
    CAPTURE(path);
    CHECK(vault.lifecycle().own_route(path) == nullptr);
    for (const char* method : {"GET", "POST", "DELETE", "LIST"})
      CHECK(vault.request(method, path, "").status() == 403);
  }
}

TEST_CASE("class 22 root-protected routes: they are these and no others") {
  TestVault vault;
  const std::vector<std::string> golden = {
      "system audit",
      "system audit/:path*",
      "system auth/:path*",
      "system config/auditing/request-headers",
      "system config/auditing/request-headers/:name*",
      "system config/ui/headers",
      "system config/ui/headers/:header",
      "system generate-root",
      "system generate-root-token/attempt",
      "system generate-root-token/update",
      "system generate-root/attempt",
      "system generate-root/update",
      "system jobs",
      "system jobs/:id",
      "system leases",
      "system leases/lookup/:prefix*",
      "system leases/reconcile/:mount*",
      "system leases/revoke-force/:prefix*",
      "system leases/revoke-prefix/:prefix*",
      "system plugins/catalog/:type",
      "system plugins/catalog/:type/:name",
      "system rekey-recovery-key/init",
      "system rekey-recovery-key/update",
      "system rekey-recovery-key/verify",
      "system rekey/backup",
      "system rekey/init",
      "system rekey/recovery-key-backup",
      "system rekey/update",
      "system rekey/verify",
      "system remount",
      "system revoke-force/:prefix*",
      "system revoke-prefix/:prefix*",
      "system rotate",
      "system rotate/config",
      "system rotate/keyring",
      "system rotate/keyring/config",
      "system rotate/recovery/backup",
      "system rotate/recovery/init",
      "system rotate/recovery/update",
      "system rotate/recovery/verify",
      "system rotate/root",
      "system rotate/root/backup",
      "system rotate/root/init",
      "system rotate/root/update",
      "system rotate/root/verify",
      "system seal",
      "system step-down",
      "system storage/backup",
      "system storage/backup/:id",
      "system storage/restored",
      "token accessors",
      "token revoke-orphan",
  };
  CHECK(routes_with(vault, &core::Route::sudo) == golden);
}

TEST_CASE("class 22 sensitive fields: whatever is called as a secret is, is marked as one") {
  TestVault vault;
  std::size_t marked = 0;
  for (const auto& kind : every_kind(vault))
    for (const core::Route& route : kind->engine->routes())
      for (const core::Field& field : route.fields)
        for (const char* name : {"password", "password_hash", "secret_id", "key", "otp", "token"}) {
          if (field.name != name) continue;
          CAPTURE(route.pattern);
          CAPTURE(name);
          CHECK(field.sensitive);
          ++marked;
        }
  CHECK(marked > 10);
}

TEST_CASE("class 22 mount probing: an unknown mount and a forbidden one look the same") {
  TestVault vault;
  const std::string token = vault.token(R"({"policies":["default"]})");
  for (const char* path : {"sys/internal/ui/mounts/test/", "sys/internal/ui/mounts/none/"}) {
    const Answer answer = vault.get(path, token);
    CHECK(answer.status() == 403);
    CHECK(answer.error().starts_with("preflight capability check returned 403"));
    CHECK(vault.get(path, "").error() == "permission denied");
  }
  CHECK(vault.get("test/notes/a", token).error() == vault.get("none/notes/a", token).error());
}

TEST_CASE("class 23 exhaustion: limits hold while the request is still being read") {
  int status = 0;
  const std::string head = "POST /v1/x HTTP/1.1\r\nHost: x\r\n";
  framed(head + "Content-Length: 99999999999\r\n\r\n", &status);
  CHECK(status == 413);
  framed(head + "X: " + std::string(20'000, 'x'), &status);
  CHECK(status == 431);
  std::string many = head;
  for (int i = 0; i < 200; ++i) many += "A: b\r\n";
  framed(many + "\r\n", &status);
  CHECK(status == 431);
  CHECK_FALSE(parse_json(std::string(100, '[') + std::string(100, ']')).ok());
  std::string strings = "[\"a\"";
  for (int i = 0; i < 70'000; ++i) strings += ",\"a\"";
  CHECK_FALSE(parse_json(strings + "]").ok());
  std::string zeros = "[0";
  for (int i = 0; i < 300'000; ++i) zeros += ",0";
  CHECK_FALSE(parse_json(zeros + "]").ok());
}

TEST_CASE("class 24 crash on input: every route survives every kind of value") {
  TestVault vault;
  const char* const values[] = {"null",
                                "true",
                                "-1",
                                "1e400",
                                "99999999999999999999",
                                "\"\"",
                                "\"\\u0000\"",
                                "\"..\"",
                                "[]",
                                "{}",
                                "[[],{}]",
                                "{\"a\":{\"b\":[]}}",
                                "\"9223372036854775807h\"",
                                "\"\\ud800\"",
                                "[null,1,\"x\",{}]"};
  struct Row {
    std::string path;
    std::vector<core::Field> fields;
  };
  std::vector<Row> rows;
  for (const auto& kind : every_kind(vault)) {
    const std::string mount = kind->wire_type == "system"     ? "sys/"
                              : kind->wire_type == "token"    ? "auth/token/"
                              : kind->wire_type == "test"     ? "test/"
                              : kind->wire_type == "identity" ? "identity/"
                                                              : "";
    if (mount.empty()) continue;
    for (const core::Route& route : kind->engine->routes())
      if (route.pattern != "seal" && route.pattern != "revoke-self")
        rows.push_back({mount + route.pattern, route.fields});
  }
  REQUIRE(rows.size() > 30);
  for (Row& row : rows) {
    std::string path = row.path;
    for (std::size_t at; (at = path.find(':')) != path.npos;) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      path = path.substr(0, at) + "x" + path.substr(end);
    }
    row.fields.push_back({"unknown"});
    for (const char* value : values) {
      Json body = Json::object();
      auto parsed = parse_json(value);
      if (!parsed.ok()) continue;
      for (const core::Field& field : row.fields) body.set(field.name, *parsed);
      for (const char* method : {"GET", "POST", "DELETE", "LIST", "PATCH", "HELP"}) {
        CAPTURE(path);
        CAPTURE(value);
        CAPTURE(method);
        const auto waiting = vault.begin(method, path, vault.root(), body.dump());
        CHECK(vault.as_time_passes([&] { return vault.answered(waiting); }));
        const int status = vault.wait(waiting).status();
        CHECK(status >= 200);
        CHECK(status < 600);
        if (status == 500) CHECK_MESSAGE(path.find("broken") != path.npos, path);
      }
    }
  }
  CHECK(vault.get("auth/token/lookup-self", vault.root()).status() == 200);
}

TEST_CASE("class 26 crypto misuse: equal plaintexts look different, and no key can be read") {
  SystemRandom random;
  const crypto::Key key;
  const Bytes plain(64, 0x41);
  Bytes one, two;
  crypto::seal(key.reveal(), plain, {}, random, one);
  crypto::seal(key.reveal(), plain, {}, random, two);
  CHECK(one != two);
  CHECK(Bytes(one.begin(), one.begin() + 24) != Bytes(two.begin(), two.begin() + 24));
  for (std::size_t i = 0; i < one.size(); ++i) {
    Bytes changed = one;
    changed[i] ^= 1;
    CHECK_FALSE(crypto::open(key.reveal(), changed, {}).ok());
  }
  const Bytes secret(32, 0x42);
  const auto shares = crypto::shamir_split(secret, 5, 3, random);
  REQUIRE(shares.ok());
  for (const SecretBytes& share : *shares)
    CHECK_FALSE(std::equal(secret.begin(), secret.end(), share.reveal().begin()));
  TestVault vault;
  for (const char* path : {"sys/raw/core/keyring", "sys/raw", "sys/config/state/sanitized",
                           "sys/storage/raft/snapshot"})
    CHECK(vault.get(path, vault.root()).status() == 404);
  CHECK(vault.get("sys/rekey/backup", vault.root()).error() == "no backed-up keys found");
}

TEST_CASE("class 27 comparing secrets: one comparison, and it looks at every byte") {
  const Bytes a(32, 1);
  for (std::size_t i = 0; i < a.size(); ++i) {
    Bytes b = a;
    b[i] ^= 0x80;
    CHECK_FALSE(equal_constant_time(a, b));
  }
  CHECK(equal_constant_time(a, a));
  CHECK_FALSE(equal_constant_time(a, Bytes(31, 1)));
  const std::filesystem::path root = LEASEHOLD_SOURCES;
  REQUIRE(std::filesystem::exists(root / "vault/base/bytes.cpp"));
  for (const char* folder : {"vault", "backends", "api"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string name = entry.path().filename().string();
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".h") continue;
      std::ifstream in(entry.path());
      std::ostringstream text;
      text << in.rdbuf();
      // Ordering public keys needs memcmp; nothing that compares secrets may.
      const bool may_order = name == "bytes.cpp" || name == "storage.cpp" || name == "lmdb.cpp";
      CHECK_MESSAGE((may_order || text.str().find("memcmp(") == std::string::npos), name);
    }
}

TEST_CASE("class 34 HTTP front end: what two parsers could read in two ways is refused") {
  const std::string head = "POST /v1/x HTTP/1.1\r\nHost: x\r\n";
  CHECK(framed(head + "Content-Length: 0\r\n\r\n") == server::HttpParser::State::complete);
  for (const char* rest :
       {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "Content-Length: +5\r\n\r\nhello",
        "Content-Length: 5, 5\r\n\r\nhello", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\x0b"
        "chunked\r\n\r\n0\r\n\r\n",
        "A: b\r\n c\r\n\r\n", "A : b\r\n\r\n", "A: b\n\r\n", ": b\r\n\r\n", "A: b\rc\r\n\r\n",
        "Host: y\r\n\r\n"}) {
    CAPTURE(rest);
    CHECK(frame_refused(head + rest));
  }
  for (const char* whole : {"GET /v1/x\r\n\r\n", "GET /v1/x HTTP/2.0\r\nHost: x\r\n\r\n",
                            "GET  /v1/x HTTP/1.1\r\nHost: x\r\n\r\n", "GET /v1/x HTTP/1.1\r\n\r\n",
                            "GET /v1/x HTTP/1.1\nHost: x\n\n"}) {
    CAPTURE(whole);
    CHECK(frame_refused(whole));
  }
}
