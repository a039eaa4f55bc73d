// What the routes of sys/ answer in the words that clients of Vault compare: each a request of
// theirs and the status and text it gets.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

struct Asked {
  const char *method, *path, *body;
  int status;
  const char* error;  // null: whatever it is
};

void check_all(TestVault& vault, std::initializer_list<Asked> all) {
  for (const Asked& one : all) {
    CAPTURE(one.method);
    CAPTURE(one.path);
    CAPTURE(one.body);
    const Answer answer = vault.request(one.method, one.path, vault.root(), one.body);
    CHECK(answer.status() == one.status);
    if (one.error != nullptr) CHECK(answer.error() == one.error);
  }
}

}  // namespace

TEST_CASE("answers: a policy is shown with all that it has, \"root\" too") {
  TestVault vault;
  vault.policy("p", R"(path "a" { capabilities = ["read"] })");
  for (const char* path : {"sys/policy/root", "sys/policies/acl/root", "sys/policies/acl/p"}) {
    CAPTURE(path);
    const Json shown = vault.get(path, vault.root()).data();
    REQUIRE(shown.find("version") != nullptr);
    CHECK(shown.integer_at("version") == (std::string_view(path).ends_with("root") ? 0 : 1));
    for (const char* flag : {"cas_required", "allow_slashes_in_identity_templates",
                             "allow_wildcards_in_identity_templates"}) {
      REQUIRE(shown.find(flag) != nullptr);
      CHECK_FALSE(shown.bool_at(flag));
    }
  }
  CHECK(vault.get("sys/policy/root", vault.root()).data().find("rules")->text().empty());
}

TEST_CASE("answers: the older name of a policy's text belongs to the older path") {
  TestVault vault;
  check_all(vault,
            {{"POST", "sys/policies/acl/p", R"({"rules":"path \"a\" {}"})", 400,
              "'policy' parameter not supplied or empty"},
             {"POST", "sys/policies/acl/p", R"({"policy":"path \"a\" {}","cas_required":false})",
              204, nullptr},
             {"POST", "sys/policies/acl/p", R"({"policy":"path \"a\" {}","cas_required":true})",
              400, "cas_required of a policy is not supported by this version"}});
  const Answer older =
      vault.post("sys/policy/q", vault.root(), R"({"policy":"","rules":"path \"a\" {}"})");
  REQUIRE(older.status() == 200);
  CHECK(older.response().warnings ==
        std::vector<std::string>{"'rules' is deprecated, please use 'policy' instead"});
}
