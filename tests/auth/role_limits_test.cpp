// Rate limits by the role, or user, that logs in.
#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"

using namespace leasehold;
using testing::AuthVault;

namespace {

constexpr const char* kLimit = R"({"rate":1,"interval":"1h","path":"auth/)";

}  // namespace

TEST_CASE("role limits: a limit for a user counts his logins alone") {
  AuthVault vault;
  for (const char* user : {"bob", "eve"})
    CHECK(vault.write(std::string("auth/userpass/users/") + user, R"({"password":"a"})").status() ==
          204);
  CHECK(vault.write("sys/quotas/rate-limit/bob", std::string(kLimit) + R"(userpass","role":"bob"})")
            .status() == 204);
  CHECK(vault.read("sys/quotas/rate-limit/bob").data().string_at("role") == "bob");
  CHECK(vault.log_in("bob", "a").status() == 200);
  CHECK(vault.log_in("bob", "a").status() == 429);
  CHECK(vault.log_in("BOB", "a").status() == 429);
  CHECK(vault.log_in("bob", "a", "10.0.0.7").status() == 200);
  for (int i = 0; i < 3; ++i) CHECK(vault.log_in("eve", "a").status() == 200);
}

TEST_CASE("role limits: a limit for a role of approle counts by its name") {
  AuthVault vault;
  for (const char* role : {"app", "other"})
    CHECK(vault.write(std::string("auth/approle/role/") + role).status() == 204);
  CHECK(vault.write("sys/quotas/rate-limit/app", std::string(kLimit) + R"(approle","role":"app"})")
            .status() == 204);
  CHECK(vault.role_login(vault.role_id("app"), vault.secret_id("app")).status() == 200);
  CHECK(vault.role_login(vault.role_id("app"), vault.secret_id("app")).status() == 429);
  for (int i = 0; i < 3; ++i)
    CHECK(vault.role_login(vault.role_id("other"), vault.secret_id("other")).status() == 200);
  CHECK(vault.role_login("nobody", "nothing").status() == 400);
}
