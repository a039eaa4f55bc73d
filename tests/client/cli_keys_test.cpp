// operator rekey, operator generate-root: what is asked, and what is printed once.

#include <doctest/doctest.h>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

using leasehold::testing::Program;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

constexpr const char* kStatus =
    R"({"nonce":"n-1","started":true,"t":2,"n":3,"progress":0,"required":2,)"
    R"("pgp_fingerprints":null,"backup":false,"verification_required":true})";

}  // namespace

TEST_CASE("rekey: begun, each key names the operation, the new ones are printed once") {
  VaultServer server;
  server.on("PUT /v1/sys/rekey/init", {200, kStatus});
  server.on("GET /v1/sys/rekey/init", {200, kStatus});
  server.on("PUT /v1/sys/rekey/update",
            {200, R"({"nonce":"n-1","complete":true,"keys":["aa","bb"],"keys_base64":["qg==",)"
                  R"("uw=="],"verification_required":true,"verification_nonce":"v-1"})"});
  const Program program(server.address());
  const auto begun = program.run({"operator", "rekey", "-init", "-verify", "-n=3", "-t", "2"});
  CHECK(begun.code == 0);
  CHECK(server.last().body ==
        R"({"require_verification":true,"secret_shares":3,"secret_threshold":2})");
  CHECK(contains(begun.out, "Rekey Progress           0/2"));
  const auto done = program.run({"operator", "rekey", "a-key"});
  CHECK(done.code == 0);
  CHECK(server.last().body == R"({"key":"a-key","nonce":"n-1"})");
  CHECK(contains(done.out, "Key 1: qg==\nKey 2: uw==\n\nOperation nonce: n-1\n"));
  CHECK(contains(done.out, "leasehold operator rekey -verify -nonce=v-1"));
  CHECK(program.run({"operator", "rekey", "-init", "-pgp-keys=a"}).code == 1);
  CHECK(program.run({"operator", "rekey", "-target=x", "-status"}).code == 1);
}

TEST_CASE("rekey: recovery keys have their own path, and the verification its own nonce") {
  VaultServer server;
  server.on("PUT /v1/sys/rekey-recovery-key/verify", {200, R"({"nonce":"v-1","complete":true})"});
  server.on("DELETE /v1/sys/rekey-recovery-key/init", {204, ""});
  const Program program(server.address());
  const auto done =
      program.run({"operator", "rekey", "-target=recovery", "-verify", "-nonce=v-1", "a-new-key"});
  CHECK(done.code == 0);
  CHECK(server.last().body == R"({"key":"a-new-key","nonce":"v-1"})");
  CHECK(contains(done.out, "Success! Rekey verification successful."));
  CHECK(program.run({"operator", "rekey", "-target=recovery", "-cancel"}).code == 0);
}

TEST_CASE("generate-root: a password of the server's length, an encoded token, its decoding") {
  VaultServer server;
  server.on("GET /v1/sys/generate-root/attempt", {200, R"({"nonce":"g-1","otp_length":28})"});
  server.on("PUT /v1/sys/generate-root/update",
            {200, R"({"nonce":"g-1","started":true,"progress":1,"required":1,"complete":true,)"
                  R"("encoded_token":"CwwaSQ","encoded_root_token":"CwwaSQ","otp":""})"});
  const Program program(server.address());
  const auto otp = program.run({"operator", "generate-root", "-generate-otp"});
  CHECK(otp.code == 0);
  CHECK(otp.out.size() == 28);
  CHECK(program.run({"operator", "generate-root", "-generate-otp"}).out != otp.out);
  const auto done = program.run({"operator", "generate-root", "-nonce=g-1", "a-key"});
  CHECK(server.last().body == R"({"key":"a-key","nonce":"g-1"})");
  CHECK(contains(done.out, "Encoded Token    CwwaSQ"));
  const auto token = program.run({"operator", "generate-root", "-decode=CwwaSQ", "-otp=czip"});
  CHECK(token.out == "hvs9");
  CHECK(program.run({"operator", "generate-root", "-decode=CwwaSQ", "-otp=short"}).code == 1);
  CHECK(contains(program.run({"operator", "generate-root", "-decode=", "-otp="}).err,
                 "-decode takes"));
}
