// What should end and is not there: the answer that Vault gives, and beside it that nothing was
// done.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/nothing_done.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

bool says_nothing_done(const Answer& answer) {
  for (const auto* all : {&answer.response().warnings, &answer.response().quiet_warnings})
    for (const std::string& warning : *all)
      if (warning.starts_with(kNothingDone) || warning == kNoSuchAccessor) return true;
  return false;
}

std::string issue(TestVault& vault) {
  vault.role(R"({"ttl":"1h","max_ttl":"4h"})");
  return vault.get("test/creds/ro", vault.root()).response().lease_id;
}

struct Ending {
  std::string method, path, body;
  int status;
};

}  // namespace

TEST_CASE("nothing done: what ends nothing says so, in an answer that is the same otherwise") {
  TestVault vault;
  const std::string lease = issue(vault);
  const std::string id = R"({"lease_id":")" + lease, asynchronous = R"({"sync":false})";
  const Ending endings[] = {
      {"PUT", "sys/leases/revoke", id + R"(x"})", 204},
      {"PUT", "sys/leases/revoke", R"({"lease_id":"test/creds/ro"})", 204},
      {"PUT", "sys/leases/revoke", R"({"lease_id":"test/creds/ro","sync":false})", 202},
      {"PUT", "sys/leases/revoke", R"({"lease_id":"auth/token/create/h00"})", 204},
      {"PUT", "sys/leases/revoke-prefix/tset/creds/ro", "", 204},
      {"PUT", "sys/leases/revoke-prefix/tset/creds/ro", asynchronous, 202},
      {"PUT", "sys/leases/revoke-prefix/test/cred", asynchronous, 202},
      {"PUT", "sys/leases/revoke-force/tset", asynchronous, 202},
      {"PUT", "sys/leases/revoke-prefix/auth/userpass/login/alice", "", 204},
      {"PUT", "auth/token/revoke", R"({"token":"hvs.none"})", 204},
      {"PUT", "auth/token/revoke-accessor", R"({"accessor":"none"})", 200},
      {"DELETE", "sys/mounts/tset", "", 204},
      {"DELETE", "sys/auth/userpas", "", 204},
      {"DELETE", "sys/policies/acl/none", "", 204},
      {"DELETE", "sys/policy/none", "", 204},
      {"DELETE", "sys/audit/none", "", 204},
  };
  for (const Ending& one : endings) {
    CAPTURE(one.path);
    CAPTURE(one.body);
    const Answer answer = vault.request(one.method, one.path, vault.root(), one.body);
    CHECK(answer.status() == one.status);
    CHECK(says_nothing_done(answer));
  }
  CHECK(vault.post("sys/leases/lookup", vault.root(), id + "\"}").status() == 200);
}

TEST_CASE("nothing done: what ends something does not say so") {
  TestVault vault;
  const auto ends = [&](const char* method, const std::string& path, const std::string& body = {}) {
    const Answer answer = vault.request(method, path, vault.root(), body);
    CAPTURE(path);
    CAPTURE(body);
    CHECK(answer.status() < 300);
    CHECK_FALSE(says_nothing_done(answer));
  };
  ends("PUT", "sys/leases/revoke", R"({"lease_id":")" + issue(vault) + "\"}");
  issue(vault);
  ends("PUT", "sys/leases/revoke-prefix/test/creds/ro");
  issue(vault);
  ends("PUT", "sys/leases/revoke-prefix/test/creds/ro", R"({"sync":false})");
  // Its job would also take what is issued while it runs.
  CHECK(TestVault::eventually(
      [&] { return vault.list("sys/jobs", vault.root()).data().strings_at("keys").empty(); }));
  ends("PUT", "sys/leases/revoke-force/" + issue(vault), R"({"sync":false})");
  ends("PUT", "auth/token/revoke", R"({"token":")" + vault.token("{}") + "\"}");
  vault.token("{}");
  ends("PUT", "sys/leases/revoke-prefix/auth/token/create");
  vault.policy("p", "path \"x\" {}");
  ends("DELETE", "sys/policies/acl/p");
  ends("DELETE", "sys/mounts/test");
}

TEST_CASE("nothing done: a lease that is being ended already is no mistake") {
  TestVault vault;
  const std::string lease = issue(vault);
  vault.server()->down(true);
  const std::string body = R"({"lease_id":")" + lease + R"(","sync":false})";
  for (int i = 0; i < 2; ++i)
    CHECK_FALSE(says_nothing_done(vault.post("sys/leases/revoke", vault.root(), body)));
  CHECK_FALSE(says_nothing_done(
      vault.post("sys/leases/revoke-prefix/test", vault.root(), R"({"sync":false})")));
}
