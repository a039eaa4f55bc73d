// What the program prints, byte for byte, for answers as a Vault gives them.

#include <doctest/doctest.h>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

constexpr char kLeased[] =
    R"({"request_id":"r1","lease_id":"database/creds/ro/abc","renewable":true,)"
    R"("lease_duration":3600,"data":{"username":"v-ro","password":"p<w","max_ttl":7200,)"
    R"("tags":["a","b"],"map":{"x":1,"y":null}},"wrap_info":null,"warnings":null,"auth":null})";

constexpr char kToken[] =
    R"({"request_id":"r2","lease_id":"","renewable":false,"lease_duration":0,"data":null,)"
    R"("wrap_info":null,"warnings":["Policy \"x\" does not exist"],"auth":{"client_token":"hvs.t",)"
    R"("accessor":"acc","policies":["default","dev"],"token_policies":["default","dev"],)"
    R"("metadata":{"username":"bob"},"lease_duration":2764800,"renewable":true,"entity_id":"",)"
    R"("token_type":"service","orphan":true,"mfa_requirement":null,"num_uses":0}})";

constexpr char kWrapped[] =
    R"({"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":null,)"
    R"("wrap_info":{"token":"hvs.w","accessor":"wa","ttl":60,)"
    R"("creation_time":"2026-01-01T00:00:00.1Z","creation_path":"secret/a","wrapped_accessor":"x"},)"
    R"("warnings":null,"auth":null})";

constexpr char kSealed[] =
    R"({"type":"shamir","initialized":true,"sealed":true,"t":3,"n":5,"progress":1,"nonce":"n-1",)"
    R"("version":"1.17.0","migration":false,"recovery_seal":false,"storage_type":"lmdb"})";

constexpr char kUnsealed[] =
    R"({"type":"shamir","initialized":true,"sealed":false,"t":1,"n":1,"progress":0,"nonce":"",)"
    R"("version":"1.17.0","build_date":"2026-01-01","migration":false,"recovery_seal":false,)"
    R"("storage_type":"lmdb","cluster_name":"c","cluster_id":"id"})";

}  // namespace

TEST_CASE("output: a leased secret is a table with the lease first") {
  VaultServer server;
  server.on("GET /v1/database/creds/ro", {200, kLeased});
  const Program program(server.address());
  const auto outcome = program.run({"read", "database/creds/ro"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.empty());
  CHECK(outcome.out ==
        "Key                Value\n"
        "---                -----\n"
        "lease_id           database/creds/ro/abc\n"
        "lease_duration     1h\n"
        "lease_renewable    true\n"
        "map                map[x:1 y:<nil>]\n"
        "max_ttl            2h\n"
        "password           p<w\n"
        "tags               [a b]\n"
        "username           v-ro\n");
}

TEST_CASE("output: what others wrote begins no row and moves no cursor") {
  VaultServer server;
  server.on("GET /v1/a",
            {200, R"({"data":{"meta":"x\npolicies    [root]\u001b[8m","two\nrows":"b\r"}})"});
  server.on("GET /v1/b", {400, R"({"errors":["no\u001b[2J\rsuch"]})"});
  const Program program(server.address());
  const auto outcome = program.run({"read", "a"});
  CHECK(outcome.out ==
        "Key            Value\n"
        "---            -----\n"
        "meta           x\n"
        "               policies    [root]\\x1b[8m\n"
        "two\\x0arows    b\\x0d\n");
  const auto failed = program.run({"read", "b"});
  CHECK(failed.err.find("no\\x1b[2J\\x0dsuch") != std::string::npos);
}

TEST_CASE("output: a long name widens no other row, nor the lines of its value") {
  const std::string name(70, 'k');
  const std::string pad(64, ' ');
  VaultServer server;
  server.on("GET /v1/a", {200, R"({"data":{"b":"x\ny",")" + name + R"(":"1\n2"}})"});
  std::string many = R"({"data":{")" + std::string(60000, 'k') + R"(":"x")";
  for (int i = 0; i < 20000; ++i) many += ",\"a" + std::to_string(i) + "\":\"\"";
  server.on("GET /v1/many", {200, many + "}}"});
  const Program program(server.address());
  const std::string to_value = pad.substr(1) + "    ";
  CHECK(program.run({"read", "a"}).out == "Key" + pad.substr(3) + "    Value\n---" + pad.substr(3) +
                                              "    -----\nb" + to_value + "x\n" + pad + "    y\n" +
                                              name + "    1\n" + pad + "    2\n");
  const auto outcome = program.run({"read", "many"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.size() < 2'000'000);
}

TEST_CASE("output: JSON is the envelope, indented by two") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"k":"v","n":12345678901234567890123},"lease_id":""})"});
  const Program program(server.address());
  const auto outcome = program.run({"read", "-format=json", "s"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "{\n  \"data\": {\n    \"k\": \"v\",\n    \"n\": 12345678901234567890123\n  },\n"
        "  \"lease_id\": \"\"\n}\n");
}

TEST_CASE("output: YAML quotes what could be mistaken") {
  VaultServer server;
  server.on("GET /v1/s", {200, R"({"data":{"a":"plain","b":"true","c":["x: y",1],"d":{}}})"});
  const Program program(server.address());
  const auto outcome = program.run({"read", "s", "-format", "yaml"});
  CHECK(outcome.out ==
        "data:\n  a: plain\n  b: \"true\"\n  c:\n    - \"x: y\"\n    - 1\n  d: {}\n");
}

TEST_CASE("output: a token's fields come first, warnings go to standard error") {
  VaultServer server;
  server.on("POST /v1/auth/token/create", {200, kToken});
  const Program program(server.address());
  const auto outcome = program.run({"token", "create", "-policy=dev", "-ttl", "1h"});
  CHECK(outcome.code == 0);
  CHECK(outcome.err.find("* Policy \"x\" does not exist") != std::string::npos);
  CHECK(outcome.out ==
        "Key                    Value\n"
        "---                    -----\n"
        "token                  hvs.t\n"
        "token_accessor         acc\n"
        "token_duration         768h\n"
        "token_renewable        true\n"
        "token_policies         [\"default\" \"dev\"]\n"
        "identity_policies      []\n"
        "policies               [\"default\" \"dev\"]\n"
        "token_meta_username    bob\n");
  CHECK(
      server.last().body ==
      R"({"no_default_policy":false,"no_parent":false,"policies":["dev"],"renewable":true,"ttl":"1h"})");
}

TEST_CASE("output: a wrapped answer shows the wrapping token") {
  VaultServer server;
  server.on("GET /v1/secret/a", {200, kWrapped});
  const Program program(server.address());
  const auto outcome = program.run({"read", "-wrap-ttl=60s", "secret/a"});
  CHECK(outcome.out ==
        "Key                              Value\n"
        "---                              -----\n"
        "wrapping_token:                  hvs.w\n"
        "wrapping_accessor:               wa\n"
        "wrapping_token_ttl:              1m\n"
        "wrapping_token_creation_time:    2026-01-01T00:00:00.1Z\n"
        "wrapping_token_creation_path:    secret/a\n"
        "wrapped_accessor:                x\n");
  CHECK(server.last().header("x-vault-wrap-ttl") == "60s");
  CHECK(program.run({"read", "-field=wrapping_token", "secret/a"}).out == "hvs.w");
}

TEST_CASE("output: one field stands alone, without a newline in a pipe") {
  VaultServer server;
  server.on("GET /v1/database/creds/ro", {200, kLeased});
  const Program program(server.address());
  CHECK(program.run({"read", "-field=password", "database/creds/ro"}).out == "p<w");
  CHECK(program.run({"read", "-field=lease_id", "database/creds/ro"}).out ==
        "database/creds/ro/abc");
  const auto absent = program.run({"read", "-field=nope", "database/creds/ro"});
  CHECK(absent.code == 1);
  CHECK(absent.out.empty());
  CHECK(absent.err == "Field \"nope\" not present in secret\n");
}

TEST_CASE("output: a list is a column of keys, or a bare array") {
  VaultServer server;
  server.on("GET /v1/secret", {200, R"({"data":{"keys":["a","b/"]}})"});
  const Program program(server.address());
  CHECK(program.run({"list", "secret/"}).out == "Keys\n----\na\nb/\n");
  CHECK(program.run({"list", "-format=json", "secret"}).out == "[\n  \"a\",\n  \"b/\"\n]\n");
  CHECK(server.last().target == "/v1/secret?list=true");
  const auto empty = program.run({"list", "other"});
  CHECK(empty.code == 2);
  CHECK(empty.err == "No value found at other\n");
  const auto json = program.run({"list", "-format=json", "other"});
  CHECK(json.code == 2);
  CHECK(json.out == "{}\n");
}

TEST_CASE("output: status says sealed by exit code 2, and how far it is") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, kSealed});
  const Program program(server.address());
  const auto outcome = program.run({"status"});
  CHECK(outcome.code == 2);
  CHECK(outcome.out ==
        "Key                Value\n"
        "---                -----\n"
        "Seal Type          shamir\n"
        "Initialized        true\n"
        "Sealed             true\n"
        "Total Shares       5\n"
        "Threshold          3\n"
        "Unseal Progress    1/3\n"
        "Unseal Nonce       n-1\n"
        "Version            1.17.0\n"
        "Storage Type       lmdb\n");
}

TEST_CASE("output: status has a row for each slot that is not well, and none for the others") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status",
            {200, R"({"type":"tpm","access":"tpm OR pkcs11 OR 2 of 3 shares","initialized":true,)"
                  R"("sealed":true,"t":2,"n":3,"progress":0,"nonce":"","recovery_seal":true,)"
                  R"("degraded":true,"slots":[)"
                  R"({"kind":"tpm","state":"absent","message":"no TPM at /dev/tpmrm0"},)"
                  R"({"kind":"pkcs11","state":"auth","message":""},)"
                  R"({"kind":"static","state":"unknown","message":""},)"
                  R"({"kind":"shamir","state":"ok","message":""}]})"});
  CHECK(Program(server.address()).run({"status"}).out ==
        "Key                      Value\n"
        "---                      -----\n"
        "Seal Type                tpm\n"
        "Access                   tpm OR pkcs11 OR 2 of 3 shares\n"
        "Degraded                 true\n"
        "Slot tpm                 absent: no TPM at /dev/tpmrm0\n"
        "Slot pkcs11              auth\n"
        "Initialized              true\n"
        "Sealed                   true\n"
        "Total Recovery Shares    3\n"
        "Threshold                2\n"
        "Unseal Progress          0/2\n"
        "Unseal Nonce             n/a\n");
}

TEST_CASE("output: status of an open vault names the cluster and asks for the leader") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, kUnsealed});
  server.on("GET /v1/sys/leader", {200, R"({"ha_enabled":false,"is_self":false})"});
  const Program program(server.address());
  const auto outcome = program.run({"status"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "Key             Value\n"
        "---             -----\n"
        "Seal Type       shamir\n"
        "Initialized     true\n"
        "Sealed          false\n"
        "Total Shares    1\n"
        "Threshold       1\n"
        "Version         1.17.0\n"
        "Build Date      2026-01-01\n"
        "Storage Type    lmdb\n"
        "Cluster Name    c\n"
        "Cluster ID      id\n"
        "HA Enabled      false\n");
  const auto json = program.run({"status", "-format=json"});
  CHECK(json.out.find("\"ha_enabled\": false") != std::string::npos);
}

TEST_CASE("output: kv get of version 2 shows path, metadata and data") {
  VaultServer server;
  server.on("GET /v1/sys/internal/ui/mounts/secret/app",
            {200, R"({"data":{"path":"secret/","type":"kv","options":{"version":"2"}}})"});
  server.on("GET /v1/secret/data/app",
            {200, R"({"data":{"data":{"a":"b"},"metadata":{"created_time":"2026-01-01T00:00:00Z",)"
                  R"("custom_metadata":null,"deletion_time":"","destroyed":false,"version":1}}})"});
  const Program program(server.address());
  const auto outcome = program.run({"kv", "get", "secret/app"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "= Secret Path =\n"
        "secret/data/app\n"
        "\n"
        "======= Metadata =======\n"
        "Key                Value\n"
        "---                -----\n"
        "created_time       2026-01-01T00:00:00Z\n"
        "custom_metadata    <nil>\n"
        "deletion_time      n/a\n"
        "destroyed          false\n"
        "version            1\n"
        "\n"
        "== Data ==\n"
        "Key    Value\n"
        "---    -----\n"
        "a      b\n");
  CHECK(program.run({"kv", "get", "-field=a", "secret/app"}).out == "b");
}
