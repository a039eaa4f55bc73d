// cubbyhole/: what a token keeps for itself, and that it ends with the token.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

TEST_CASE("cubbyhole: a token writes, reads, lists and deletes what is its own") {
  TestVault vault;
  const std::string token = vault.token(R"({"policies":["default"]})");
  CHECK(vault.get("cubbyhole/a", token).status() == 404);
  CHECK(vault.list("cubbyhole/", token).status() == 404);
  CHECK(vault.post("cubbyhole/a", token, R"({"x":"y","n":1})").status() == 204);
  CHECK(vault.post("cubbyhole/b/c", token, R"({"z":[1,2]})").status() == 204);
  const Answer read = vault.get("cubbyhole/a", token);
  CHECK(read.status() == 200);
  CHECK(read.data().string_at("x") == "y");
  CHECK(read.data().integer_at("n") == 1);
  CHECK(read.response().lease_duration == Seconds{0});
  CHECK(vault.list("cubbyhole/", token).data().strings_at("keys") ==
        std::vector<std::string>{"a", "b/"});
  CHECK(vault.post("cubbyhole/a", token, R"({"x":"new"})").status() == 204);
  CHECK(vault.get("cubbyhole/a", token).data().find("n") == nullptr);
  CHECK(vault.post("cubbyhole/a", token, "{}").error() == core::multierror("missing data fields"));
  CHECK(vault.get("cubbyhole/", token).error() == core::multierror("missing path"));
  CHECK(vault.remove("cubbyhole/a", token).status() == 204);
  CHECK(vault.remove("cubbyhole/a", token).status() == 204);
  CHECK(vault.get("cubbyhole/a", token).status() == 404);
  // An ordinary token's `response` is a name like any other.
  CHECK(vault.post("cubbyhole/response", token, R"({"r":1})").status() == 204);
  CHECK(vault.get("cubbyhole/response", token).data().integer_at("r") == 1);
  CHECK(vault.verifies());
}

TEST_CASE("cubbyhole: no other token reaches it, neither parent nor child nor root") {
  TestVault vault;
  const std::string parent = vault.token(R"({"policies":["root"],"ttl":"1h"})");
  const std::string child = vault.token(R"({"policies":["root"],"ttl":"30m"})", parent);
  CHECK(vault.post("cubbyhole/a", parent, R"({"of":"parent"})").status() == 204);
  CHECK(vault.post("cubbyhole/a", child, R"({"of":"child"})").status() == 204);
  CHECK(vault.get("cubbyhole/a", vault.root()).status() == 404);
  CHECK(vault.get("cubbyhole/a", parent).data().string_at("of") == "parent");
  CHECK(vault.get("cubbyhole/a", child).data().string_at("of") == "child");
}

TEST_CASE("cubbyhole: a policy tells creating from updating") {
  TestVault vault;
  vault.policy("creates", R"(path "cubbyhole/*" { capabilities = ["create", "read"] })");
  const std::string token = vault.token(R"({"policies":["creates"],"no_default_policy":true})");
  CHECK(vault.post("cubbyhole/a", token, R"({"x":1})").status() == 204);
  CHECK(vault.post("cubbyhole/a", token, R"({"x":2})").status() == 403);
}

TEST_CASE("cubbyhole: it ends with its token, however that ends and however much it holds") {
  TestVault vault;
  const auto values = vault.count(barrier::Table::value);
  const auto names = vault.count(barrier::Table::name);
  const auto filled = [&](const std::string& fields) {
    const std::string token = vault.token(fields);
    for (int i = 0; i < 60; ++i)
      CHECK(vault.post("cubbyhole/d" + std::to_string(i) + "/x", token, R"({"x":1})").status() ==
            204);
    return token;
  };
  const std::string revoked = filled(R"({"ttl":"1h"})");
  const std::string orphaned = filled(R"({"ttl":"1h"})");
  const std::string expiring = filled(R"({"ttl":"2m"})");
  const std::string kept = filled(R"({"ttl":"1h"})");
  const auto all = vault.count(barrier::Table::value);
  CHECK(vault.post("auth/token/revoke-self", revoked).status() == 204);
  CHECK(vault.get("cubbyhole/d1/x", revoked).status() == 403);
  CHECK(vault.post("auth/token/revoke-orphan", vault.root(), R"({"token":")" + orphaned + R"("})")
            .status() == 204);
  vault.advance(Seconds{121});
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::cubbyhole) == 1; }));
  CHECK(vault.count(barrier::Table::value) - values == (all - values) / 4);
  CHECK(vault.get("cubbyhole/d1/x", kept).status() == 200);
  CHECK(vault.post("auth/token/revoke-self", kept).status() == 204);
  CHECK(vault.as_time_passes([&] {
    return vault.count(barrier::Table::cubbyhole) == 0 &&
           vault.count(barrier::Table::value) == values &&
           vault.count(barrier::Table::name) == names && vault.count(barrier::Table::job) == 0;
  }));
  CHECK(vault.verifies());
}

TEST_CASE("cubbyhole: of a wrapping token it is the answer, once, and nothing else") {
  TestVault vault;
  const auto fresh = [&] {
    core::Request request;
    request.operation = core::Operation::update;
    request.path = "sys/wrapping/wrap";
    request.token = vault.root();
    request.body = Json::object();
    request.body.set("a", "b");
    request.wrap_ttl = Seconds{60};
    const Answer answer = vault.wait(vault.begin(std::move(request)));
    return std::string(as_text(answer.response().wrap->token.reveal()));
  };
  const std::string token = fresh();
  const Answer read = vault.get("cubbyhole/response", token);
  CHECK(read.status() == 200);
  const auto envelope = parse_json(read.data().string_at("response"));
  REQUIRE(envelope.ok());
  CHECK(envelope->find("data")->string_at("a") == "b");
  CHECK(read.response().warnings.size() == 1);
  CHECK(vault.get("cubbyhole/response", token).status() == 403);
  CHECK(vault.count(barrier::Table::wrapped) == 0);

  CHECK(vault.post("cubbyhole/response", fresh(), R"({"x":1})").status() == 403);
  CHECK(vault.get("cubbyhole/other", fresh()).status() == 403);
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::wrapped) == 0; }));
  CHECK(vault.count(barrier::Table::cubbyhole) == 0);
}
