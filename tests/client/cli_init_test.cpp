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

// A vault with a TPM, which makes one recovery key; `slots` is what seal-status tells after init.
void device_seals(VaultServer& server, const std::string& slots) {
  const std::string seal = R"({"type":"tpm","recovery_seal":true)";
  server.on("GET /v1/sys/seal-status", {200, seal + "}"});
  server.on("GET /v1/sys/seal-status", {200, seal + slots + "}"});
  server.on("PUT /v1/sys/init", {200, R"({"keys":[],"keys_base64":[],"recovery_keys":["aa"],)"
                                      R"("recovery_keys_base64":["qg=="],"root_token":"hvs.r"})"});
}

}  // namespace

TEST_CASE("init: keys and token are printed once, in Vault's words") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, R"({"type":"shamir","recovery_seal":false})"});
  server.on("PUT /v1/sys/init",
            {200, R"({"keys":["aa","bb"],"keys_base64":["qg==","uw=="],"root_token":"hvs.r"})"});
  const auto text = Program(server.address()).run({"operator", "init", "-n", "2", "-t=2"});
  CHECK(text.code == 0);
  CHECK(
      contains(text.out, "Unseal Key 1: qg==\nUnseal Key 2: uw==\n\nInitial Root Token: hvs.r\n"));
  CHECK(contains(text.out, "Every start needs 2 of them; with fewer the data is lost for good."));
  CHECK(server.last().body == R"({"secret_shares":2,"secret_threshold":2})");
  const auto json = Program(server.address()).run({"operator", "init", "-format=json"});
  CHECK(contains(json.out, "\"unseal_keys_b64\": ["));
  CHECK(contains(json.out, "\"root_token\": \"hvs.r\""));
  CHECK(server.last().body == R"({"secret_shares":5,"secret_threshold":3})");
  const auto pgp = Program(server.address()).run({"operator", "init", "-pgp-keys=a"});
  CHECK(pgp.code == 1);
  CHECK(contains(pgp.err, "-pgp-keys is not supported"));
}

TEST_CASE("init: a seal device has recovery keys instead of unseal keys") {
  VaultServer server;
  device_seals(server, "");
  const Program program(server.address());
  const auto text = program.run({"operator", "init", "-recovery-shares=1"});
  CHECK(contains(text.out, "Recovery Key 1: qg==\n"));
  CHECK(server.seen()[1].body == R"({"recovery_shares":1,"recovery_threshold":1})");
  const auto json = program.run({"operator", "init", "-format=json", "-recovery-shares=1"});
  CHECK(contains(json.out, "\"unseal_keys_hex\": [],"));
  CHECK(contains(json.out, "\"unseal_shares\": 1,\n  \"unseal_threshold\": 1"));
}

TEST_CASE("init: shares of the other kind are asked for, and the server's refusal is shown") {
  struct Row {
    const char *seal, *flag, *refusal, *body, *hint;
  };
  constexpr Row kRows[] = {
      {R"({"type":"shamir","recovery_seal":false})", "-recovery-shares=3",
       "parameters recovery_shares,recovery_threshold not applicable to seal type shamir",
       R"({"recovery_shares":3,"recovery_threshold":3,"secret_shares":5,"secret_threshold":3})",
       "use\n      -key-shares and -key-threshold"},
      {R"({"type":"tpm","recovery_seal":true})", "-key-shares=1",
       "parameters secret_shares,secret_threshold not applicable to seal type tpm",
       R"({"recovery_shares":5,"recovery_threshold":3,"secret_shares":1,"secret_threshold":1})",
       "use -recovery-shares and -recovery-threshold"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.flag);
    VaultServer server;
    server.on("GET /v1/sys/seal-status", {200, row.seal});
    server.on("PUT /v1/sys/init", {400, std::string(R"({"errors":[")") + row.refusal + R"("]})"});
    const auto refused = Program(server.address()).run({"operator", "init", row.flag});
    CHECK(refused.code == 2);
    CHECK(contains(refused.err, row.refusal));
    CHECK(contains(refused.err, row.hint));
    CHECK(server.last().body == row.body);
  }
}

TEST_CASE("init: what recovery keys are for is said as the server knows it") {
  struct Row {
    const char* slots;
    const char* says;
    const char* is_silent_of;
  };
  constexpr Row kRows[] = {
      {R"(,"access":"tpm OR 1 share","slots":[{"kind":"tpm","may_unseal":true},)"
       R"({"kind":"shamir","may_unseal":true}])",
       "1 of them open the vault when the device is gone.", "lost"},
      {R"(,"slots":[{"kind":"tpm","may_unseal":true},{"kind":"shamir","may_unseal":false}])",
       "1 of them approve operations and cannot open the vault", "when the device is gone"},
      {"", "kept\nnowhere.\n", " of them "},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.slots);
    VaultServer server;
    device_seals(server, row.slots);
    const auto text = Program(server.address()).run({"operator", "init", "-recovery-shares=1"}).out;
    CHECK(contains(text, "its seal device has opened it; after a restart it\ndoes so again."));
    CHECK(contains(text, "Give each of these 1 recovery keys to a different person"));
    CHECK(contains(text, row.says));
    CHECK_FALSE(contains(text, row.is_silent_of));
  }
}

TEST_CASE("init: where no recovery keys were made, none are spoken of") {
  VaultServer server;
  server.on("GET /v1/sys/seal-status", {200, R"({"type":"tpm","recovery_seal":true})"});
  server.on("GET /v1/sys/seal-status", {200, R"({"type":"tpm","recovery_seal":true,"access":"tpm",)"
                                             R"("slots":[{"kind":"tpm","may_unseal":true}]})"});
  server.on("PUT /v1/sys/init", {200, R"({"keys":[],"keys_base64":[],"root_token":"hvs.r"})"});
  const auto text = Program(server.address()).run({"operator", "init"}).out;
  CHECK(contains(text, "What opens it: tpm."));
  CHECK(contains(text, "There are no recovery keys: without a device"));
  CHECK_FALSE(contains(text, "Give each"));
  const auto json = Program(server.address()).run({"operator", "init", "-format=json"}).out;
  CHECK(contains(json, "\"recovery_keys_shares\": 0,\n  \"recovery_keys_threshold\": 0"));
}

TEST_CASE("init: -status answers by exit code") {
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
