// Tokens of an auth method that is removed, or moves: dead with the commit that does it, whatever
// is still to be swept.

#include <doctest/doctest.h>

#include "tests/auth/auth_vault.h"
#include "vault/core/road/unsealed.h"

using namespace leasehold;
using testing::Answer;
using testing::AuthVault;

namespace {

struct RemovedVault : AuthVault {
  RemovedVault() {
    (*this)->policy("child", R"(path "auth/token/create" { capabilities = ["update"] }
                                path "test/counters/*" { capabilities = ["update"] })");
    write("auth/userpass/users/bob", R"({"password":"hunter2","token_policies":"child"})");
    token = log_in("bob", "hunter2").token();
    REQUIRE(is_alive(token));
  }
  // The record of the mount alone, without the job that ends its tokens.
  void change(const char* field, const Json& value) {
    (*this)->read([&](core::Unsealed& live, commit::ReadTxn& look) {
      const auto compiled = live.mounts.at(look);
      Json record = (*compiled)->mounts.at("auth/userpass/")->record;
      record.set(field, value);
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, batch);
      REQUIRE(core::Mounts::put_mount(txn, record).ok());
      REQUIRE(live.committer.commit(batch).status().ok());
      return true;
    });
  }
  std::string token;
};

}  // namespace

TEST_CASE_FIXTURE(RemovedVault, "login: a token is dead when its auth method is removed or moves") {
  const std::string child = (*this)->token("{}", token);
  const std::string other = (*this)->token(R"({"ttl":"1h"})");
  const std::string accessor =
      (*this)->get("auth/token/lookup-self", token).data().string_at("accessor");
  SUBCASE("removed") { change("tainted", true); }
  SUBCASE("moved") { change("path", "auth/elsewhere/"); }
  CHECK((*this)->get("auth/token/lookup-self", token).status() == 403);
  CHECK_FALSE(is_alive(child));
  CHECK(is_alive(other));
  CHECK(write("auth/token/lookup-accessor", R"({"accessor":")" + accessor + "\"}").status() == 400);
  CHECK(write("auth/token/lookup", R"({"token":")" + token + "\"}").status() == 403);
}

TEST_CASE_FIXTURE(RemovedVault, "login: what a token began does not land behind its auth method") {
  REQUIRE((*this)->post("test/counters/n", token).status() == 200);
  const int before = (*this)->world().servers.counted();
  (*this)->world().servers.meanwhile([this] { change("tainted", true); });
  CHECK((*this)->post("test/counters/n", token).status() == 403);
  CHECK((*this)->world().servers.counted() == before + 1);  // it ran, and not again
}

TEST_CASE_FIXTURE(RemovedVault,
                  "login: tokens of a method that moved come from its new path alone") {
  REQUIRE(write("sys/remount", R"({"from":"auth/userpass","to":"auth/elsewhere"})").status() ==
          200);
  CHECK_FALSE(is_alive(token));
  const Answer again = from("127.0.0.1", "auth/elsewhere/login/bob", R"({"password":"hunter2"})");
  REQUIRE(again.status() == 200);
  CHECK(is_alive(again.token()));
  CHECK(renew(again.token()) == 200);
}

TEST_CASE_FIXTURE(RemovedVault, "login: what networks a token is bound to is bounded") {
  std::string ranges = "127.0.0.1/32";
  for (int i = 0; i < 800; ++i)
    ranges += ",10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24";
  const std::string many = R"({"token_bound_cidrs":")" + ranges;
  CHECK(write("auth/approle/role/r", many + "\"}").status() == 204);
  CHECK(write("auth/approle/role/s", many + "," + ranges + "\"}").status() == 400);
}
