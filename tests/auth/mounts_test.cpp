// What sys/mounts, sys/auth and sys/internal/ui/mounts say of an auth method, and to whom.

#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::AuthVault;

TEST_CASE("mounts: below sys/mounts an auth method is read and tuned without sudo, and no more") {
  AuthVault vault;
  vault->policy("plain",
                R"(path "sys/*" { capabilities = ["create", "read", "update", "delete"] }
                   path "auth/userpass/*" { capabilities = ["read"] })");
  const std::string plain = vault->token(R"({"policies":["plain"]})");
  for (const std::string name : {"token", "userpass"}) {
    CAPTURE(name);
    CHECK(vault->get("sys/auth/" + name, plain).status() == 403);
    const Answer shown = vault->get("sys/mounts/auth/" + name, plain);
    CHECK(shown.status() == 200);
    CHECK(shown.response().form == core::Response::Form::injected);
    CHECK(shown.data() == vault.read("sys/auth/" + name).data());
    CHECK(shown.data().string_at("type") == name);
    CHECK(vault->get("sys/internal/ui/mounts/auth/" + name, plain).data().string_at("accessor") ==
          shown.data().string_at("accessor"));
    CHECK(vault->get("sys/mounts/auth/" + name + "/tune", plain).status() == 200);
    CHECK(vault->post("sys/mounts/auth/" + name + "/tune", plain, R"({"description":"d"})")
              .status() == 204);
    CHECK(vault->remove("sys/mounts/auth/" + name, plain).error() ==
          "cannot unmount \"auth/" + name + "/\"");
  }
  CHECK(vault->get("sys/mounts/auth/none", plain).error() == "No auth engine at none/");
  CHECK(vault->post("sys/mounts/auth/more", plain, R"({"type":"userpass"})").status() == 400);
  CHECK(vault->post("sys/mounts/auth/more", plain, R"({"type":"kv"})").status() == 400);
}
