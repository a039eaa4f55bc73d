// Logins whose tokens are batch tokens: by the role or user, or by the mount.
#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::AuthVault;

namespace {

constexpr std::chrono::milliseconds kStep(500);

struct Logins : AuthVault {
  Logins() { user("{}"); }
  void user(const std::string& more) {
    Json fields = std::move(parse_json(more)).value();
    fields.set("password", "right");
    REQUIRE(write("auth/userpass/users/bob", fields.dump()).status() == 204);
  }
  void tune(const std::string& type) {
    REQUIRE(write("sys/auth/userpass/tune", R"({"token_type":")" + type + "\"}").status() == 204);
  }
  Answer bob() { return log_in("bob", "right"); }
};

}  // namespace

TEST_CASE_FIXTURE(Logins, "batch logins: the mount says which type, or leaves it to the role") {
  struct Case {
    const char *mount, *role, *type;
  };
  for (const Case& one : {Case{"default-service", "default", "service"},
                          {"default-service", "batch", "batch"},
                          {"default-service", "default-batch", "batch"},
                          {"default-batch", "default", "batch"},
                          {"default-batch", "service", "service"},
                          {"default-batch", "default-service", "service"},
                          {"service", "batch", "service"},
                          {"service", "default", "service"},
                          {"batch", "service", "batch"},
                          {"batch", "default", "batch"}}) {
    CAPTURE(one.mount);
    CAPTURE(one.role);
    tune(one.mount);
    user(R"({"token_type":")" + std::string(one.role) + "\"}");
    const Answer login = bob();
    REQUIRE(login.status() == 200);
    CHECK(login.response().auth->token_type == one.type);
    CHECK(login.token().starts_with(std::string(one.type) == "batch" ? "hvb." : "hvs."));
  }
  CHECK(read("sys/auth/userpass/tune").data().string_at("token_type") == "batch");
}

TEST_CASE_FIXTURE(Logins, "batch logins: a token is what its user is granted") {
  user(R"({"token_type":"batch","token_policies":"reads","token_ttl":"10m",
           "token_bound_cidrs":"127.0.0.1"})");
  const Answer login = bob();
  REQUIRE(login.status() == 200);
  CHECK_FALSE(login.response().auth->renewable);
  CHECK(login.response().auth->lease_duration == Seconds{600});
  CHECK(login.response().auth->orphan);
  CHECK_FALSE(login.response().auth->entity_id.empty());
  const Answer here = from("127.0.0.1", "sys/capabilities-self", R"({"path":"a"})", login.token());
  CHECK(here.status() == 200);
  const Answer away = from("10.0.0.1", "sys/capabilities-self", R"({"path":"a"})", login.token());
  CHECK(away.status() == 403);
}

TEST_CASE_FIXTURE(Logins, "batch logins: uses that a batch token cannot count are refused") {
  user(R"({"token_num_uses":3})");
  CHECK(bob().response().auth->num_uses == 3);
  tune("batch");
  CHECK(bob().status() == 400);
  CHECK(bob().error().find("no limited number of uses") != std::string::npos);
  tune("service");
  CHECK(bob().status() == 200);
}

TEST_CASE_FIXTURE(Logins, "batch logins: a token ends with its auth method, and so do its leases") {
  (*this)->policy("reads", R"(path "test/*" { capabilities = ["read"] })");
  (*this)->role(R"({"ttl":"10m"})");
  user(R"({"token_type":"batch","token_policies":"reads"})");
  const std::string token = bob().token();
  const std::string other = (*this)
                                ->post("auth/token/create-orphan", (*this)->root(),
                                       R"({"type":"batch","policies":["reads"]})")
                                .token();
  REQUIRE((*this)->get("test/creds/ro", token).status() == 200);
  REQUIRE((*this)->get("test/creds/ro", other).status() == 200);
  SUBCASE("that is disabled") {
    const auto removal = (*this)->begin("DELETE", "sys/auth/userpass", (*this)->root());
    REQUIRE((*this)->as_time_passes([&] { return (*this)->answered(removal); }, kStep));
  }
  SUBCASE("that is moved") {
    const auto move = (*this)->begin("POST", "sys/remount", (*this)->root(),
                                     R"({"from":"auth/userpass","to":"auth/people"})");
    REQUIRE((*this)->as_time_passes([&] { return (*this)->answered(move); }, kStep));
  }
  CHECK_FALSE(is_alive(token));
  CHECK(is_alive(other));
  CHECK((*this)->as_time_passes([&] { return (*this)->server()->accounts().size() == 1; }, kStep));
}
