// Why a call was refused, and the line that says what to do next.

#include <doctest/doctest.h>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"
#include "vault/base/json.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr char kNotAToken[] = R"({"errors":["permission denied"]})";
constexpr char kRefusedByPolicy[] =
    R"({"errors":["1 error occurred:\n\t* permission denied\n\n"]})";
constexpr char kPreflight[] =
    R"({"errors":["preflight capability check returned 403, please ensure client's policies )"
    R"(grant access to path \"a/\""]})";

// What stands behind "hint: ", without the newline.
std::string hint_in(const std::string& err) {
  const auto at = err.find("hint: ");
  return at == std::string::npos ? "" : err.substr(at + 6, err.size() - at - 7);
}

}  // namespace

TEST_CASE("cli: a refusal is printed as Vault does, with a hint") {
  VaultServer server;
  server.on("GET /v1/secret/x", {403, kRefusedByPolicy});
  Program program(server.address());
  const std::string expected =
      "Error reading secret/x: Error making API request.\n\n"
      "URL: GET " +
      server.address() +
      "/v1/secret/x\n"
      "Code: 403. Errors:\n\n"
      "* 1 error occurred:\n\t* permission denied\n\n\n\n";
  const auto anonymous = program.run({"read", "secret/x"});
  CHECK(anonymous.code == 2);
  CHECK(anonymous.out.empty());
  CHECK(anonymous.err ==
        expected + "hint: no token was sent; get one with: leasehold login (or set VAULT_TOKEN)\n");
  program.environment["VAULT_TOKEN"] = "hvs.x";
  CHECK(program.run({"read", "secret/x"}).err ==
        expected +
            "hint: see what this token may do there: leasehold token capabilities secret/x\n");
}

TEST_CASE("cli: each common failure has its own hint") {
  VaultServer server;
  server.on("GET /v1/sealed", {503, R"({"errors":["Vault is sealed"]})"});
  server.on("GET /v1/nowhere",
            {404, R"({"errors":["no handler for route \"nowhere\". route entry not found."]})"});
  server.on(
      "GET /v1/auth/nowhere",
      {404, R"({"errors":["no handler for route \"auth/nowhere\". route entry not found."]})"});
  server.on("GET /v1/html", {404, "<p>no such page</p>", {}, "text/html"});
  server.on("GET /v1/raw",
            {400, "Client sent an HTTP request to an HTTPS server.\n", {}, "text/plain"});
  Program program(server.address());
  CHECK(contains(program.run({"read", "sealed"}).err, "leasehold operator unseal"));
  CHECK(contains(program.run({"read", "nowhere"}).err, "leasehold secrets list"));
  CHECK(contains(program.run({"read", "auth/nowhere"}).err, "leasehold auth list"));
  const auto raw = program.run({"read", "raw"});
  CHECK(contains(raw.err, "Code: 400. Raw Message:"));
  CHECK(contains(raw.err, "VAULT_ADDR=https://127.0.0.1"));
  const auto other = program.run({"read", "html"});
  CHECK(other.code == 2);
  CHECK(contains(other.err, "Code: 404. Raw Message:"));
  const auto missing = program.run({"read", "missing"});
  CHECK(missing.code == 2);
  CHECK(missing.err == "No value found at missing\n");
  program.environment["VAULT_ADDR"] = "http://127.0.0.1:1";
  const auto refused = program.run({"read", "x"});
  CHECK(refused.code == 2);
  CHECK(contains(refused.err, "is the server running"));
  CHECK(program.run({"status"}).code == 1);
  program.environment["VAULT_ADDR"] = "https://127.0.0.1:" + std::to_string(server.port());
  CHECK(contains(program.run({"read", "x"}).err, "VAULT_ADDR=http://127.0.0.1"));
}

TEST_CASE("hint: a token that does not count is told apart from one that may not") {
  VaultServer server;
  server.on("GET /v1/secret/x", {403, kNotAToken});
  server.on(
      "GET /v1/secret/y",
      {403, R"({"errors":["2 errors occurred:\n\t* permission denied\n\t* invalid token"]})"});
  server.on("GET /v1/auth/token/lookup-self", {403, kNotAToken});
  server.on("PUT /v1/auth/token/lookup", {403, R"({"errors":["bad token"]})"});
  server.on("POST /v1/sys/capabilities-self", {403, kRefusedByPolicy});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.expired";
  for (const char* path : {"secret/x", "secret/y"})
    CHECK(hint_in(program.run({"read", path}).err) ==
          "this token may be unknown, expired or revoked; see: leasehold token lookup\n"
          "      and get another with: leasehold login");
  CHECK(hint_in(program.run({"token", "lookup"}).err) ==
        "this token is unknown, expired or revoked; get another with: leasehold login");
  CHECK(hint_in(program.run({"token", "lookup", "hvs.other"}).err) ==
        "the token that was asked about is unknown, expired or revoked");
  // Not what has just been refused.
  CHECK(contains(hint_in(program.run({"token", "capabilities", "secret/x"}).err),
                 "leasehold token capabilities TOKEN PATH"));
}

TEST_CASE("hint: a login that fails is not told to log in") {
  VaultServer server;
  server.on("GET /v1/auth/token/lookup-self", {403, kNotAToken});
  server.on("PUT /v1/auth/foo/login", {403, kNotAToken});
  server.on("PUT /v1/auth/approle/login", {400, R"({"errors":["invalid role or secret ID"]})"});
  const Program program(server.address());
  const auto token = program.run({"login", "hvs.bad"});
  CHECK(token.code == 2);
  CHECK(hint_in(token.err) ==
        "this token was not accepted: it is unknown, expired or revoked, or may not look "
        "itself up");
  const auto method = program.run({"login", "-method=foo", "role=a"});
  CHECK(contains(hint_in(method.err), "no auth method is mounted at auth/foo/"));
  CHECK(contains(hint_in(method.err), "leasehold auth list"));
  CHECK(hint_in(program.run({"login", "-method=approle", "role_id=a"}).err).empty());
  const auto two = program.run({"login", "hvs.a", "hvs.b"});
  CHECK(two.code == 1);
  CHECK(two.err == "Too many arguments (expected 1, got 2)\n");
}

TEST_CASE("hint: a name that may be locked is not told that its method is missing") {
  VaultServer server;
  server.on("PUT /v1/auth/userpass/login/ann", {403, kNotAToken});
  const auto locked =
      Program(server.address()).run({"login", "-method=userpass", "username=ann", "password=x"});
  CHECK(contains(hint_in(locked.err), "leasehold read sys/locked-users"));
  CHECK_FALSE(contains(hint_in(locked.err), "is an auth method mounted"));
  server.on("PUT /v1/auth/pin/login",
            {403, kNotAToken});  // a method that this program never heard of
  const auto other = Program(server.address()).run({"login", "-method=pin", "name=ann"});
  CHECK(contains(hint_in(other.err), "leasehold read sys/locked-users"));
}

TEST_CASE("hint: without any token a ceremony names the switch of the listener") {
  VaultServer server;
  server.on("PUT /v1/sys/generate-root/attempt", {403, kNotAToken});
  server.on("GET /v1/sys/generate-root/attempt", {403, kNotAToken});
  server.on("PUT /v1/sys/rekey/init", {403, kNotAToken});
  Program program(server.address());
  for (const char* token : {"", "hvs.revoked"}) {
    program.environment["VAULT_TOKEN"] = token;
    const std::string root = hint_in(program.run({"operator", "generate-root", "-init"}).err);
    CHECK(contains(root, "disable_unauthed_generate_root_endpoints = false"));
    CHECK_FALSE(contains(root, "leasehold login"));
    CHECK(contains(hint_in(program.run({"operator", "rekey", "-init"}).err),
                   "disable_unauthed_rekey_endpoints = false"));
  }
  const auto share = program.run({"operator", "generate-root", "c2hhcmU="});
  CHECK(contains(share.err, "disable_unauthed_generate_root_endpoints = false"));
  CHECK(contains(share.err, "-nonce: whoever began it has it"));
}

TEST_CASE("hint: a rekey beside a device names its flag") {
  VaultServer server;
  server.on("PUT /v1/sys/rekey/init",
            {400, R"({"errors":["its keys are recovery keys: use sys/rekey-recovery-key"]})"});
  CHECK(hint_in(Program(server.address()).run({"operator", "rekey", "-init"}).err) ==
        "leasehold operator rekey -init -target=recovery");
}

TEST_CASE("hint: an address with a page's path names the address without it") {
  VaultServer server;
  const Program program(server.address() + "/ui");
  CHECK(contains(program.run({"status"}).err, "set VAULT_ADDR=" + server.address()));
}

TEST_CASE("hint: a secret without a mount names the mount and how to make it") {
  VaultServer server;
  server.on("GET /v1/sys/internal/ui/mounts/secret/a", {403, kPreflight});
  server.on("GET /v1/sys/internal/ui/mounts/team/kv/a", {403, kPreflight});
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.root";
  const auto put = program.run({"kv", "put", "secret/a", "b=c"});
  CHECK(put.code == 2);
  CHECK(contains(put.err, "Error looking up the mount of secret/a: Error making API request."));
  CHECK(hint_in(put.err) ==
        "nothing is mounted at secret/, or this token may not use it; see: leasehold secrets list\n"
        "      and mount an engine there with: leasehold secrets enable -path=secret kv-v2");
  CHECK(contains(program.run({"kv", "get", "-mount=team/kv", "a"}).err, "-path=team/kv kv-v2"));
  const auto asked = server.seen().size();
  const auto nowhere = program.run({"kv", "list"});
  CHECK(nowhere.code == 1);
  CHECK(contains(nowhere.err, "Not enough arguments: PATH or -mount says where"));
  const auto version = program.run({"kv", "get", "-version=x", "secret/a"});
  CHECK(version.code == 1);
  CHECK(version.err == "-version needs a whole number\n");
  CHECK(server.seen().size() == asked);
}

TEST_CASE("hint: init is explained by its device, not by what its words resemble") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, R"({"type":"pkcs11","recovery_seal":true})"});
  for (const char* message :
       {"no token \"leasehold\"", "the token is not initialized", "the sealed object is refused"})
    server.on("PUT /v1/sys/init",
              {503, std::string(R"({"errors":[)") + leasehold::Json(message).dump() + "]}"});
  server.on("PUT /v1/sys/init", {500, R"({"errors":["1 error occurred:\n\t* internal error"]})"});
  const Program program(server.address());
  for (int i = 0; i < 3; ++i) CHECK(hint_in(program.run({"operator", "init"}).err).empty());
  CHECK(hint_in(program.run({"operator", "init"}).err) == "the server's log says more");
}

TEST_CASE("hint: only what passes by itself is worth another try") {
  struct Row {
    int status;
    const char* body;
    const char* hint;
  };
  constexpr Row kRows[] = {
      {503, R"({"errors":["the audit log is not running"]})", ""},
      {503, R"({"errors":["busy: too many writes are waiting"]})", "the server is busy; try again"},
      {503, "", "the server is busy; try again"},
      {429, R"({"errors":["slow down"]})", "the server is busy; try again"},
      {500, R"({"errors":["1 error occurred:\n\t* \"x\" is not an allowed role\n\n"]})", ""},
      {500, R"({"errors":["1 error occurred:\n\t* internal error\n\n"]})", "the server's log"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.body);
    VaultServer server;
    server.on("GET /v1/s", {row.status, row.body});
    Program program(server.address());
    program.environment["VAULT_MAX_RETRIES"] = "0";
    const std::string hint = hint_in(program.run({"read", "s"}).err);
    if (*row.hint == '\0')
      CHECK(hint.empty());
    else
      CHECK(contains(hint, row.hint));
  }
}

TEST_CASE("hint: warnings of a refusal are printed as such, without the envelope") {
  VaultServer server;
  server.on(
      "DELETE /v1/secret/a",
      {404, R"({"request_id":"r1","data":null,"warnings":["Invalid path; use 'kv delete'"]})"});
  const auto outcome = Program(server.address()).run({"delete", "secret/a"});
  CHECK(outcome.code == 2);
  CHECK(contains(outcome.err, "Code: 404. Warnings:\n\n* Invalid path; use 'kv delete'"));
  CHECK_FALSE(contains(outcome.err, "r1"));
}

TEST_CASE("cli: who inits again is told what to do when the first answer was lost") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, R"({"type":"shamir","initialized":true})"});
  server.on("PUT /v1/sys/init", {400, R"({"errors":["Vault is already initialized"]})"});
  Program program(server.address());
  const std::string hint = hint_in(program.run({"operator", "init"}).err);
  CHECK(contains(hint, "leasehold operator unseal"));
  CHECK(contains(hint, "empty its data directory"));
  CHECK(contains(hint, "move its audit log aside"));
}
