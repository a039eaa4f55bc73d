// What the program sends, keeps and refuses.

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

constexpr char kSelf[] =
    R"({"data":{"id":"hvs.root","accessor":"acc","policies":["root"],"ttl":0,"meta":null}})";

}  // namespace

TEST_CASE("cli: flags take one dash or two, a value with or without =, anywhere") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  const Program program;
  const std::string address = server.address();
  const std::vector<std::vector<std::string>> forms = {
      {"read", "-address=" + address, "-field=k", "s"},
      {"read", "--address", address, "--field", "k", "s"},
      {"read", "s", "-field", "k", "-address", address},
      {"-address", address, "read", "-field=k", "s"},
  };
  for (const auto& form : forms) CHECK(program.run(form).out == "v");
}

TEST_CASE("cli: data comes from pairs, files and standard input") {
  VaultServer server;
  server.on("PUT /v1/s", {204, ""});
  const Program program(server.address());
  const std::string file = program.home().write("value.txt", "from file\n");
  const std::string json = program.home().write("data.json", R"({"n":1,"deep":{"a":[true]}})");
  const auto outcome = program.run(
      {"write", "s", "a=b=c", "f=@" + file, "at=\\@x", "in=-", "list=1", "list=2", "@" + json},
      "piped");
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "Success! Data written to: s\n");
  CHECK(server.last().method == "PUT");
  CHECK(server.last().body ==
        R"({"a":"b=c","at":"@x","deep":{"a":[true]},"f":"from file\n","in":"piped",)"
        R"("list":["1","2"],"n":1})");
  CHECK(program.run({"write", "s", "-"}, R"({"k":"v"})").code == 0);
  CHECK(server.last().body == R"({"k":"v"})");
  CHECK(program.run({"write", "-f", "s"}).code == 0);
  const auto secret = program.run({"write", "s", "hunter2"});
  CHECK(secret.code == 1);
  CHECK_FALSE(contains(secret.err, "hunter2"));
}

TEST_CASE("cli: LEASEHOLD_x wins over BAO_x, that over VAULT_x, a flag over all") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Program program("http://127.0.0.1:1");
  program.environment["BAO_ADDR"] = server.address();
  program.environment["VAULT_TOKEN"] = "vault";
  program.environment["BAO_TOKEN"] = "bao";
  program.environment["LEASEHOLD_TOKEN"] = "leasehold";
  program.environment["VAULT_NAMESPACE"] = "outer";
  CHECK(program.run({"read", "s"}).code == 0);
  CHECK(server.last().header("x-vault-token") == "leasehold");
  CHECK(server.last().header("x-vault-namespace") == "outer");
  CHECK(program.run({"read", "-ns=inner", "-header=X-Extra=1", "s"}).code == 0);
  CHECK(server.last().header("x-vault-namespace") == "inner");
  CHECK(server.last().header("x-extra") == "1");
  program.environment["VAULT_FORMAT"] = "json";
  CHECK(program.run({"read", "s"}).out[0] == '{');
}

TEST_CASE("cli: MFA and details can be asked for by the environment") {
  VaultServer server;
  server.on("GET /v1/sys/mounts", {200, R"({"data":{"a/":{"type":"kv","uuid":"u-1"}}})"});
  Program program(server.address());
  program.environment["VAULT_MFA"] = "one:123,two";
  program.environment["VAULT_DETAILED"] = "1";
  CHECK(contains(program.run({"secrets", "list"}).out, "u-1"));
  const auto seen = server.last().headers;
  CHECK(seen.count("x-vault-mfa") == 2);
  CHECK(seen.find("x-vault-mfa")->second == "one:123");
  CHECK_FALSE(contains(program.run({"secrets", "list", "-detailed=false"}).out, "u-1"));
  CHECK(program.run({"secrets", "list", "-mfa=three"}).code == 0);
  CHECK(server.last().headers.count("x-vault-mfa") == 1);
  program.environment["VAULT_DETAILED"] = "perhaps";
  const auto refused = program.run({"secrets", "list"});
  CHECK(refused.code == 1);
  CHECK(refused.err == "VAULT_DETAILED must be true or false\n");
}

TEST_CASE("cli: login keeps the token for its owner only, the next command sends it") {
  VaultServer server;
  server.on("GET /v1/auth/token/lookup-self", {200, kSelf});
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  const Program program(server.address());
  const auto outcome = program.run({"login", "hvs.root"});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "Success! You are now authenticated."));
  CHECK(contains(outcome.out, "token_duration       ∞"));
  CHECK(contains(outcome.out, "policies             [\"root\"]"));
  CHECK(server.last().header("x-vault-token") == "hvs.root");
  const std::string file = program.home().path() + "/.vault-token";
  CHECK(text_of(file) == "hvs.root");
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
  CHECK(program.run({"read", "s"}).code == 0);
  CHECK(server.last().header("x-vault-token") == "hvs.root");
  CHECK(program.run({"print", "token"}).out == "hvs.root\n");
}

TEST_CASE("cli: login can leave no trace and read from a pipe") {
  VaultServer server;
  server.on("GET /v1/auth/token/lookup-self", {200, kSelf});
  const Program program(server.address());
  CHECK(program.run({"login", "-token-only", "-no-store", "-"}, "hvs.piped\n").out == "hvs.piped");
  CHECK(program.run({"login", "-no-store"}, "hvs.typed\n").code == 0);
  CHECK(server.last().header("x-vault-token") == "hvs.typed");
  CHECK(text_of(program.home().path() + "/.vault-token").empty());
  CHECK(program.run({"login", "-non-interactive"}).code == 1);
}

TEST_CASE("cli: login by another method writes to its mount") {
  VaultServer server;
  server.on("PUT /v1/auth/userpass/login/alice",
            {200, R"({"auth":{"client_token":"hvs.a","policies":["default"]}})"});
  const Program program(server.address());
  const auto outcome =
      program.run({"login", "-method=userpass", "username=alice"}, "the password\n");
  CHECK(outcome.code == 0);
  CHECK(server.last().body == R"({"password":"the password"})");
  CHECK(text_of(program.home().path() + "/.vault-token") == "hvs.a");
}

TEST_CASE("cli: unseal takes the key as an argument or from a pipe") {
  VaultServer server;
  server.on("PUT /v1/sys/unseal",
            {200, R"({"type":"shamir","sealed":true,"t":2,"n":3,"progress":1})"});
  const Program program(server.address());
  const auto given = program.run({"operator", "unseal", "abc"});
  CHECK(given.code == 0);
  CHECK(contains(given.out, "Unseal Progress    1/2"));
  CHECK(server.last().body == R"({"key":"abc"})");
  CHECK(program.run({"operator", "unseal"}, "typed\n").code == 0);
  CHECK(server.last().body == R"({"key":"typed"})");
  CHECK(program.run({"operator", "unseal", "-reset"}).code == 0);
  CHECK(server.last().body == R"({"reset":true})");
}

TEST_CASE("cli: each group reaches the paths that Vault's own program does") {
  struct Row {
    std::vector<std::string> words;
    const char* request;
    const char* body;
    const char* out;
  };
  const std::vector<Row> rows = {
      {{"operator", "seal"}, "PUT /v1/sys/seal", "", "Success! Vault is sealed.\n"},
      {{"delete", "secret/a"},
       "DELETE /v1/secret/a",
       "",
       "Success! Data deleted (if it existed) at: secret/a\n"},
      {{"policy", "write", "Dev", "-"},
       "PUT /v1/sys/policies/acl/dev",
       R"({"policy":"path"})",
       "Success! Uploaded policy: dev\n"},
      {{"policy", "delete", "dev"},
       "DELETE /v1/sys/policies/acl/dev",
       "",
       "Success! Deleted policy: dev\n"},
      {{"secrets", "enable", "-path=secret", "-version=2", "kv"},
       "POST /v1/sys/mounts/secret",
       R"({"config":{},"description":"","external_entropy_access":false,"local":false,"options":{"version":"2"},"seal_wrap":false,"type":"kv"})",
       "Success! Enabled the kv secrets engine at: secret/\n"},
      {{"secrets", "disable", "secret/"},
       "DELETE /v1/sys/mounts/secret",
       "",
       "Success! Disabled the secrets engine (if it existed) at: secret/\n"},
      {{"secrets", "tune", "-max-lease-ttl=1h", "db"},
       "POST /v1/sys/mounts/db/tune",
       R"({"max_lease_ttl":"1h"})",
       "Success! Tuned the secrets engine at: db/\n"},
      {{"auth", "enable", "approle"},
       "POST /v1/sys/auth/approle",
       R"({"config":{},"description":"","external_entropy_access":false,"local":false,"seal_wrap":false,"type":"approle"})",
       "Success! Enabled the approle auth method at: approle/\n"},
      {{"audit", "enable", "-path=log", "file", "file_path=/a"},
       "PUT /v1/sys/audit/log",
       R"({"description":"","local":false,"options":{"file_path":"/a"},"type":"file"})",
       "Success! Enabled the file audit device at: log/\n"},
      {{"audit", "disable", "log/"},
       "DELETE /v1/sys/audit/log",
       "",
       "Success! Disabled audit device (if it was enabled) at: log/\n"},
      {{"lease", "revoke", "-sync", "db/creds/x/1"},
       "PUT /v1/sys/leases/revoke",
       R"({"lease_id":"db/creds/x/1","sync":true})",
       "Success! Revoked lease: db/creds/x/1\n"},
      {{"lease", "revoke", "-prefix", "db/creds"},
       "PUT /v1/sys/leases/revoke-prefix/db/creds",
       R"({"sync":false})",
       "All revocation operations queued successfully!\n"},
      {{"lease", "revoke", "-force", "-prefix", "db"},
       "PUT /v1/sys/leases/revoke-force/db",
       R"({"sync":false})",
       "Success! Ordered the revocation of all leases with prefix: db\nWhat is not seen gone "
       "within some "
       "10 seconds is forgotten then, with a receipt.\n"},
      {{"token", "revoke", "hvs.a"},
       "PUT /v1/auth/token/revoke",
       R"({"token":"hvs.a"})",
       "Success! Revoked token (if it existed)\n"},
      {{"token", "revoke", "-accessor", "acc"},
       "PUT /v1/auth/token/revoke-accessor",
       R"({"accessor":"acc"})",
       "Success! Revoked token (if it existed)\n"},
      {{"token", "revoke", "-self"},
       "PUT /v1/auth/token/revoke-self",
       "",
       "Success! Revoked token (if it existed)\n"},
      {{"token", "revoke", "-mode=path", "auth/userpass/"},
       "PUT /v1/sys/leases/revoke-prefix/auth/userpass",
       "",
       "Success! Revoked token (if it existed)\n"},
      {{"patch", "secret/metadata/a", "max_versions=5"},
       "PATCH /v1/secret/metadata/a",
       R"({"max_versions":"5"})",
       "Success! Data written to: secret/metadata/a\n"},
      {{"token", "revoke", "-mode=orphan", "hvs.a"},
       "PUT /v1/auth/token/revoke-orphan",
       R"({"token":"hvs.a"})",
       "Success! Revoked token (if it existed)\n"},
  };
  VaultServer server;
  for (const Row& row : rows) server.on(row.request, {204, ""});
  const Program program(server.address());
  for (const Row& row : rows) {
    CAPTURE(row.request);
    const auto outcome = program.run(row.words, "path");
    CHECK(outcome.code == 0);
    CHECK(outcome.out == row.out);
    const auto seen = server.last();
    CHECK(seen.method + " " + seen.target == row.request);
    CHECK(seen.body == row.body);
  }
}

TEST_CASE("cli: capabilities are one line, sorted") {
  VaultServer server;
  server.on("POST /v1/sys/capabilities-self", {200, R"({"data":{"secret/a":["read","list"]}})"});
  const Program program(server.address());
  CHECK(program.run({"token", "capabilities", "secret/a"}).out == "list, read\n");
  CHECK(server.last().body == R"({"paths":["secret/a"]})");
}

TEST_CASE("cli: capabilities of an accessor") {
  VaultServer server;
  server.on("POST /v1/sys/capabilities-accessor", {200, R"({"data":{"secret/a":["read"]}})"});
  const Program program(server.address());
  CHECK(program.run({"token", "capabilities", "-accessor", "acc", "secret/a"}).out == "read\n");
  CHECK(server.last().body == R"({"accessor":"acc","paths":["secret/a"]})");
  CHECK(program.run({"token", "capabilities", "-accessor", "secret/a"}).code == 1);
}

TEST_CASE("cli: a renewal that is given less than it asks for fails where that is asked for") {
  VaultServer server;
  server.on("PUT /v1/auth/token/renew-self", {200, R"({"auth":{"lease_duration":3600}})"});
  const Program program(server.address());
  const auto code = [&](const char* increment) {
    return program.run({"token", "renew", "-fail-if-not-fulfilled", increment}).code;
  };
  CHECK(code("-increment=1h") == 0);
  CHECK(code("-increment=61m") == 1);
  CHECK(program.run({"token", "renew", "-increment=2h"}).code == 0);
}

TEST_CASE("cli: kv put wraps the data for version 2 and not for version 1") {
  VaultServer server;
  server.on("GET /v1/sys/internal/ui/mounts/v2/a",
            {200, R"({"data":{"path":"v2/","options":{"version":"2"}}})"});
  server.on("GET /v1/sys/internal/ui/mounts/v1/a",
            {200, R"({"data":{"path":"v1/","options":null}})"});
  server.on("PUT /v1/v2/data/a", {200, R"({"data":{"version":1}})"});
  server.on("PUT /v1/v1/a", {204, ""});
  const Program program(server.address());
  CHECK(program.run({"kv", "put", "-cas=0", "v2/a", "k=v"}).code == 0);
  CHECK(server.last().body == R"({"data":{"k":"v"},"options":{"cas":0}})");
  CHECK(program.run({"kv", "put", "-mount=v2", "a", "k=v"}).code == 0);
  CHECK(program.run({"kv", "put", "v1/a", "k=v"}).out == "Success! Data written to: v1/a\n");
  CHECK(server.last().body == R"({"k":"v"})");
}

TEST_CASE("cli: unwrap spends the wrapping token itself when there is no other") {
  VaultServer server;
  server.on("PUT /v1/sys/wrapping/unwrap", {200, R"({"data":{"k":"v"}})"});
  Program program(server.address());
  CHECK(program.run({"unwrap", "-field=k", "hvs.w"}).out == "v");
  CHECK(server.last().header("x-vault-token") == "hvs.w");
  CHECK(server.last().body.empty());
  program.environment["VAULT_TOKEN"] = "hvs.me";
  CHECK(program.run({"unwrap", "-field=k", "hvs.w"}).out == "v");
  CHECK(server.last().header("x-vault-token") == "hvs.me");
  CHECK(server.last().body == R"({"token":"hvs.w"})");
}

TEST_CASE("cli: -output-curl-string prints and sends nothing") {
  VaultServer server;
  const Program program(server.address());
  const auto outcome = program.run({"write", "-output-curl-string", "s", "k=v"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out == "curl -X PUT -H 'X-Vault-Request: true' -d '{\"k\":\"v\"}' '" +
                           server.address() + "/v1/s'\n");
  CHECK(server.seen().empty());
}

TEST_CASE("cli: -output-curl-string does not print what was typed without echo") {
  VaultServer server;
  const Program program(server.address());
  struct Row {
    std::vector<std::string> words;
    const char* body;
  };
  const std::vector<Row> rows = {
      {{"login", "-method=userpass", "username=a"}, R"({"password":"[hidden]"})"},
      {{"operator", "unseal"}, R"({"key":"[hidden]"})"},
      {{"operator", "unseal", "-"}, R"({"key":"[hidden]"})"},
      {{"operator", "rekey", "-nonce=n"}, R"({"key":"[hidden]","nonce":"n"})"},
      {{"operator", "rekey", "-verify", "-nonce=n"}, R"({"key":"[hidden]","nonce":"n"})"},
      {{"operator", "generate-root", "-nonce=n"}, R"({"key":"[hidden]","nonce":"n"})"},
  };
  for (const Row& row : rows) {
    for (const char* flag : {"-output-curl-string", "-output-policy"}) {
      auto words = row.words;
      words.push_back(flag);
      CAPTURE(row.body);
      const auto outcome = program.run(words, "typed-hidden\n");
      CHECK(outcome.code == 0);
      CHECK(!contains(outcome.out + outcome.err, "typed-hidden"));
      if (words.back() == "-output-curl-string") CHECK(contains(outcome.out, row.body));
    }
  }
  CHECK(server.seen().empty());
  const auto token = program.run({"login", "-output-curl-string"}, "hvs.hidden\n");
  CHECK(token.code == 0);
  CHECK(!contains(token.out + token.err, "hvs.hidden"));
}

TEST_CASE("cli: -output-curl-string does not print what was piped in") {
  const Program program("http://127.0.0.1:1");
  struct Row {
    std::vector<std::string> words;
    const char* input;
    const char* body;
  };
  const Row rows[] = {
      {{"write", "a/b", "p=-", "q=r"}, "piped-in", R"({"p":"[hidden]","q":"r"})"},
      {{"write", "a/b", "-"}, R"({"p":"piped-in"})", R"({"p":"[hidden]"})"},
      {{"policy", "write", "a", "-"}, "piped-in", R"({"policy":"[hidden]"})"},
      {{"write", "a/b", "p=seen"}, "piped-in", R"({"p":"seen"})"},
  };
  for (const Row& row : rows) {
    auto words = row.words;
    words.push_back("-output-curl-string");
    const auto outcome = program.run(words, row.input);
    CAPTURE(outcome.out + outcome.err);
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, row.body));
    CHECK(!contains(outcome.out + outcome.err, "piped-in"));
  }
}

TEST_CASE("cli: a password in an address is refused and not repeated") {
  const auto outcome = Program("http://user:geheim@127.0.0.1:1").run({"status"});
  CHECK(outcome.code == 1);
  CHECK(!contains(outcome.out + outcome.err, "geheim"));
  CHECK(contains(outcome.err, "no user or password"));
}

TEST_CASE("cli: -output-policy prints what the command needs and sends nothing") {
  struct Row {
    std::vector<std::string> words;
    const char* path;
    const char* capabilities;
  };
  const std::vector<Row> rows = {
      {{"read", "secret/a"}, "secret/a", "\"read\""},
      {{"write", "secret/a", "k=v"}, "secret/a", "\"create\", \"update\""},
      {{"list", "secret/"}, "secret", "\"list\""},
      {{"delete", "secret/a"}, "secret/a", "\"delete\""},
      {{"auth", "enable", "approle"}, "sys/auth/approle", "\"create\", \"update\", \"sudo\""},
      {{"audit", "list"}, "sys/audit", "\"read\", \"sudo\""},
  };
  VaultServer server;
  const Program program(server.address());
  for (const Row& row : rows) {
    CAPTURE(row.path);
    auto words = row.words;
    words.push_back("-output-policy");
    const auto outcome = program.run(words);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK(outcome.out == "path \"" + std::string(row.path) + "\" {\n  capabilities = [" +
                             row.capabilities + "]\n}\n");
  }
  CHECK(server.seen().empty());
  const auto refused = program.run({"read", "-unlock-key=hvs.u", "s"});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "-unlock-key is not supported"));
  CHECK_FALSE(contains(refused.err, "hvs.u"));
}

TEST_CASE("cli: policy fmt lays a file out and keeps its comments") {
  const Program program;
  const std::string file = program.home().write("p.hcl",
                                                "# about\n\n\n\npath \"secret/*\" {\n"
                                                "capabilities=[\"read\",\n\"list\"] # both\n"
                                                "      min_wrapping_ttl   = \"1s\"\n}\n\n");
  const auto outcome = program.run({"policy", "fmt", file});
  CHECK(outcome.code == 0);
  CHECK(text_of(file) ==
        "# about\n\npath \"secret/*\" {\n  capabilities = [\"read\",\n    \"list\"] # both\n"
        "  min_wrapping_ttl = \"1s\"\n}\n");
  const std::string broken = program.home().write("broken.hcl", "path \"x\" {\n");
  const auto refused = program.run({"policy", "fmt", broken});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "failed to parse policy"));
  CHECK(text_of(broken) == "path \"x\" {\n");
}

TEST_CASE("cli: policy fmt refuses what policy write refuses, and warns as it does") {
  const Program program;
  const std::pair<const char*, const char*> kRefused[] = {
      {"path \"a\" {\ncapabilities = [\"fly\"]\n}\n", "invalid capability \"fly\" on line 2"},
      {"paths \"a\" {\n}\n", "invalid key \"paths\" on line 1"},
      {"path \"a\" {\ncontrol_group = {}\n}\n", "control_group is not supported on line 2"},
  };
  for (const auto& row : kRefused) {
    CAPTURE(row.first);
    const std::string file = program.home().write("p.hcl", row.first);
    const auto refused = program.run({"policy", "fmt", file});
    CHECK(refused.code == 1);
    CHECK(contains(refused.err, row.second));
    CHECK(text_of(file) == row.first);
  }
  const std::string file =
      program.home().write("star.hcl", "path \"a/*/b\" {\ncapabilities = [\"read\"]\n}\n");
  const auto warned = program.run({"policy", "fmt", file});
  CHECK(warned.code == 0);
  CHECK(contains(warned.err, "WARNING! path \"a/*/b\" on line 1: only a `*` at the very end"));
  CHECK(contains(text_of(file), "  capabilities"));
}

TEST_CASE("cli: policy fmt leaves the file whole when the disk is full") {
  const Program program;
  std::string text;
  while (text.size() < 70000) text += "path \"a\" {\ncapabilities=[\"read\"]\n}\n";
  const std::string file = program.home().write("p.hcl", text);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{20000, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto refused = program.run({"policy", "fmt", file});
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "cannot write " + file));
  CHECK(text_of(file) == text);
  const auto files = [&] {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(program.home().path()))
      count += entry.path().string().starts_with(file) ? 1 : 0;
    return count;
  };
  CHECK(files() == 1);
  const std::string other_name = program.home().path() + "/linked.hcl";
  REQUIRE(::link(file.c_str(), other_name.c_str()) == 0);
  CHECK(program.run({"policy", "fmt", file}).code == 0);
  CHECK(text_of(file) != text);
  CHECK(text_of(other_name) == text_of(file));
  CHECK(files() == 1);
}

TEST_CASE("cli: audit verify refuses what is no log") {
  const Program program;
  const std::string file = program.home().write("audit.log", "not a log\n");
  CHECK(program.run({"audit", "verify", file}).code == 2);
  CHECK(program.run({"audit", "verify", program.home().path() + "/absent"}).code == 1);
  CHECK(program.run({"audit", "verify", "-head=xyz", file}).code == 1);
}

TEST_CASE("cli: a path is cleaned before it is sent, looked up and printed") {
  VaultServer server;
  server.on("GET /v1/s/a", {200, R"({"data":{"k":"v"}})"});
  server.on("DELETE /v1/s/a", {204, ""});
  server.on("GET /v1/sys/internal/ui/mounts/kv/app", {200, R"({"data":{"path":"kv/"}})"});
  server.on("GET /v1/kv/app", {200, R"({"data":{"k":"v"}})"});
  const Program program(server.address());
  for (const char* path : {"s//a", "/s/./a/", "//s/b/../a", "../s/a"}) {
    CHECK(program.run({"read", "-field=k", path}).out == "v");
    CHECK(program.run({"delete", path}).code == 0);
  }
  CHECK(program.run({"kv", "get", "-field=k", "kv//app"}).out == "v");
  CHECK(contains(program.run({"read", "-output-policy", "s/../t//u"}).out, R"(path "t/u")"));
  CHECK(contains(program.run({"read", "-output-curl-string", "s/../t//u"}).out, "/v1/t/u'"));
}

TEST_CASE("cli: an answer without an envelope reads as data") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, R"({"sealed":false,"t":3,"warnings":["w"]})"});
  const Program program(server.address());
  const auto table = program.run({"read", "sys/seal-status"});
  CHECK(table.code == 0);
  CHECK(contains(table.out, "sealed      false"));
  CHECK(program.run({"read", "-field=t", "sys/seal-status"}).out == "3");
  const auto json = program.run({"read", "-format=json", "sys/seal-status"});
  CHECK(contains(json.out, "\"data\": {"));
  CHECK(contains(json.out, "\"request_id\": \"\""));
}

TEST_CASE("cli: a field that is null is not there, and a deleted version is an answer") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"request_id":"r","data":{"k":null,"v":"x"}})"});
  server.on("GET /v1/sys/internal/ui/mounts/kv/gone",
            {200, R"({"data":{"path":"kv/","options":{"version":"2"}}})"});
  server.on("GET /v1/kv/data/gone",
            {404, R"({"request_id":"r","data":{"data":null,"metadata":{"version":1}}})"});
  const Program program(server.address());
  const auto null = program.run({"read", "-field=k", "s"});
  CHECK(null.code == 1);
  CHECK(contains(null.err, "Field \"k\" not present in secret"));
  const auto gone = program.run({"kv", "get", "kv/gone"});
  CHECK(gone.code == 0);
  CHECK(contains(gone.out, "version"));
  CHECK(program.run({"kv", "get", "-format=json", "kv/gone"}).code == 0);
  const auto field = program.run({"kv", "get", "-field=k", "kv/gone"});
  CHECK(field.code == 2);
  CHECK(contains(field.err, "No data found at kv/data/gone"));
}

TEST_CASE("cli: the format of the environment may be in any case") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Program program(server.address());
  for (const char* format : {"JSON", "Json", "YAML", "Yml", "Table", ""}) {
    program.environment["VAULT_FORMAT"] = format;
    CHECK(program.run({"read", "s"}).code == 0);
  }
  program.environment["VAULT_FORMAT"] = "XML";
  CHECK(program.run({"read", "s"}).code == 1);
}

TEST_CASE("cli: a client certificate comes with its key") {
  VaultServer server;
  Program program(server.address());
  for (const char* name : {"VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY"}) {
    program.environment[name] = "/some.pem";
    const auto outcome = program.run({"read", "s"});
    CHECK(outcome.code == 1);
    CHECK(contains(outcome.err, "both client cert and client key must be provided"));
    program.environment[name] = "";
  }
}
