// operator init: what is asked, what is printed once, and what it says to do with it.

#include <doctest/doctest.h>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("cli: init prints keys and token, and asks for recovery keys when a device seals") {
  VaultServer shamir;
  shamir.on("GET /v1/sys/seal-status", {200, R"({"type":"shamir","recovery_seal":false})"});
  shamir.on("PUT /v1/sys/init",
            {200, R"({"keys":["aa","bb"],"keys_base64":["qg==","uw=="],"root_token":"hvs.r"})"});
  const auto text = Program(shamir.address()).run({"operator", "init", "-n", "2", "-t=2"});
  CHECK(text.code == 0);
  CHECK(
      contains(text.out, "Unseal Key 1: qg==\nUnseal Key 2: uw==\n\nInitial Root Token: hvs.r\n"));
  CHECK(shamir.last().body == R"({"secret_shares":2,"secret_threshold":2})");
  const auto json = Program(shamir.address()).run({"operator", "init", "-format=json"});
  CHECK(contains(json.out, "\"unseal_keys_b64\": ["));
  CHECK(contains(json.out, "\"root_token\": \"hvs.r\""));
  CHECK(shamir.last().body == R"({"secret_shares":5,"secret_threshold":3})");

  VaultServer device;
  device.on("GET /v1/sys/seal-status", {200, R"({"type":"tpm","recovery_seal":true})"});
  device.on(
      "PUT /v1/sys/init",
      {200,
       R"({"keys":[],"keys_base64":[],"recovery_keys":["aa"],"recovery_keys_base64":["qg=="],"root_token":"hvs.r"})"});
  const auto recovery = Program(device.address()).run({"operator", "init", "-recovery-shares=1"});
  CHECK(contains(recovery.out, "Recovery Key 1: qg==\n"));
  CHECK(device.last().body == R"({"recovery_shares":1,"recovery_threshold":1})");
  const auto machine =
      Program(device.address()).run({"operator", "init", "-format=json", "-recovery-shares=1"});
  CHECK(contains(machine.out, "\"unseal_keys_hex\": [],"));
  CHECK(contains(machine.out, "\"unseal_shares\": 1,\n  \"unseal_threshold\": 1"));
  CHECK(Program(device.address()).run({"operator", "init", "-n=1"}).code == 1);
  const auto pgp = Program(device.address()).run({"operator", "init", "-pgp-keys=a"});
  CHECK(pgp.code == 1);
  CHECK(contains(pgp.err, "-pgp-keys is not supported"));
}

TEST_CASE("cli: init -status answers by exit code") {
  VaultServer server;
  server.on("GET /v1/sys/init", {200, R"({"initialized":true})"});
  server.on("GET /v1/sys/init", {200, R"({"initialized":false})"});
  const Program program(server.address());
  CHECK(program.run({"operator", "init", "-status"}).code == 0);
  const auto no = program.run({"operator", "init", "-status"});
  CHECK(no.code == 2);
  CHECK(no.out == "Vault is not initialized\n");
  const auto json = program.run({"operator", "init", "-status", "-format=json"});
  CHECK(json.code == 2);
  CHECK(json.out == "{\n  \"Initialized\": false\n}\n");
}
