// Batch tokens: they are their own record, and nothing is written for them.
#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/commit/head.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

std::string body(const std::string& name, const std::string& value) {
  Json fields = Json::object();
  fields.set(name, value);
  return fields.dump();
}

struct Batches {
  TestVault& vault;
  Answer make(const std::string& by = {}, const std::string& more = {}) {
    return vault.post("auth/token/create", by.empty() ? vault.root() : by,
                      R"({"type":"batch","policies":["reads"],"ttl":"1h")" + more + "}");
  }
  std::string batch(const std::string& by = {}) { return make(by).token(); }
  bool is_dead(const std::string& token) {
    const Answer answer = vault.get("auth/token/lookup-self", token);
    return answer.status() == 403 && answer.error() == "permission denied";
  }
  void allow() {
    vault.policy("reads", R"(path "test/*" { capabilities = ["create","read","update","list"] })");
  }
};

struct BatchVault : TestVault, Batches {
  BatchVault() : Batches{static_cast<TestVault&>(*this)} { allow(); }
  std::uint64_t commits() {
    return read([](core::Unsealed& live, commit::ReadTxn& txn) {
      return (*commit::read_head(txn.snapshot(), live.barrier))->group;
    });
  }
};

constexpr std::chrono::milliseconds kStep(500);

}  // namespace

TEST_CASE_FIXTURE(BatchVault, "batch tokens: one is what was asked for") {
  const Answer made = make({}, R"(,"meta":{"a":"b"},"display_name":"job")");
  REQUIRE(made.status() == 200);
  const auto& auth = *made.response().auth;
  CHECK(made.token().starts_with("hvb."));
  CHECK(made.token().size() < 512);
  CHECK(auth.accessor.empty());
  CHECK(auth.token_type == "batch");
  CHECK_FALSE(auth.renewable);
  CHECK_FALSE(auth.orphan);
  CHECK(auth.lease_duration == Seconds{3600});
  const Json data = get("auth/token/lookup-self", made.token()).data();
  CHECK(data.string_at("id") == made.token());
  CHECK(data.string_at("type") == "batch");
  CHECK(data.string_at("accessor").empty());
  CHECK(data.string_at("display_name") == "token-job");
  CHECK(data.strings_at("policies") == std::vector<std::string>{"default", "reads"});
  CHECK(data.find("meta")->string_at("a") == "b");
  CHECK(data.integer_at("creation_ttl") == 3600);
  CHECK_FALSE(data.bool_at("renewable"));
  CHECK(post("auth/token/lookup", root(), body("token", made.token())).data().string_at("type") ==
        "batch");
  CHECK(post("test/notes/a", made.token(), R"({"x":1})").status() == 204);
  CHECK(get("sys/mounts", made.token()).status() == 403);
  const Answer may =
      post("sys/capabilities-self", made.token(), R"({"paths":["test/notes/a","sys/mounts"]})");
  CHECK(may.data().strings_at("sys/mounts") == std::vector<std::string>{"deny"});
  CHECK(may.data().strings_at("test/notes/a").size() == 4);
  CHECK(world().audit_text().find(R"("token_type":"batch")") != std::string::npos);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: nothing is written for one, nor when it is used") {
  const auto before = commits();
  const auto tokens = count(barrier::Table::token), ends = count(barrier::Table::expiry);
  for (int i = 0; i < 5; ++i) CHECK(get("auth/token/lookup-self", batch()).status() == 200);
  CHECK(commits() == before);
  CHECK(count(barrier::Table::token) == tokens);
  CHECK(count(barrier::Table::expiry) == ends);
  CHECK(count(barrier::Table::child) == 0);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: what needs a record is refused") {
  policy("all", R"(path "*" { capabilities = ["create","read","update","delete","list","sudo"] })");
  const std::string token =
      post("auth/token/create", root(), R"({"type":"batch","policies":["all"]})").token();
  const std::string named = body("token", token);
  CHECK(post("auth/token/renew-self", token).error() == "batch tokens cannot be renewed");
  CHECK(post("auth/token/renew", root(), named).error() == "batch tokens cannot be renewed");
  for (const char* path : {"auth/token/revoke", "auth/token/revoke-orphan"}) {
    const Answer refused = post(path, root(), named);
    CHECK(refused.status() == 400);
    CHECK(refused.error() == "batch tokens cannot be revoked");
  }
  CHECK(post("auth/token/revoke-self", token).error() == "batch tokens cannot be revoked");
  for (const char* path : {"auth/token/create", "auth/token/create-orphan"})
    CHECK(post(path, token, R"({"policies":["all"]})").error() ==
          "batch tokens cannot create more tokens");
  const std::string hole = "cubbyhole operations are only supported by \"service\" type tokens";
  CHECK(post("cubbyhole/a", token, R"({"x":1})").error() == hole);
  CHECK(get("cubbyhole/a", token).error() == hole);
  CHECK(get("cubbyhole/response", token).error() == hole);
  CHECK(list("cubbyhole/", token).error() == hole);
  CHECK(remove("cubbyhole/a", token).error() == hole);
  CHECK(post("auth/token/lookup-accessor", root(), body("accessor", "")).status() == 400);
  CHECK(get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: what one cannot have is refused") {
  for (const char* field :
       {R"("num_uses":1)", R"("period":"1h")", R"("explicit_max_ttl":"1h")", R"("id":"mine")"}) {
    CAPTURE(field);
    const Answer refused =
        post("auth/token/create", root(), std::string(R"({"type":"batch",)") + field + "}");
    CHECK(refused.status() == 400);
    const std::string name = std::string(field).substr(1, std::string(field).find(':') - 2);
    CHECK(refused.error() == "batch tokens cannot have \"" + name + "\" set");
  }
  CHECK(post("auth/token/create", root(), R"({"type":"batch"})").error() ==
        "batch tokens cannot be root tokens");
  const Answer large = make({}, R"(,"meta":{"a":")" + std::string(4000, 'x') + "\"}");
  CHECK(large.status() == 400);
  CHECK(large.error().find("at most 4096 bytes") != std::string::npos);
  const Answer fits = make({}, R"(,"meta":{"a":")" + std::string(2000, 'x') + "\"}");
  CHECK(get("auth/token/lookup-self", fits.token()).status() == 200);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: one that was changed anywhere is none") {
  const std::string token = batch();
  for (std::size_t at = 0; at < token.size(); ++at) {
    std::string other = token;
    other[at] = other[at] == 'A' ? 'B' : 'A';
    if (!is_dead(other)) FAIL_CHECK("changed at " << at);
  }
  for (const std::string& other :
       {token.substr(0, token.size() - 1), token + "A", token + "=", std::string("hvb."),
        "hvb." + std::string(5000, 'A'), "hvb." + std::string(100, 'A'), token.substr(4)})
    CHECK(is_dead(other));
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: one ends by its time and with its parent") {
  const std::string parent = vault.token(R"({"policies":["root"],"ttl":"2h"})");
  const std::string timed = batch(), child = batch(parent);
  const Answer orphan =
      post("auth/token/create-orphan", parent, R"({"type":"batch","policies":["reads"]})");
  CHECK(get("auth/token/lookup-self", child).status() == 200);
  CHECK(post("auth/token/revoke", root(), body("token", parent)).status() == 204);
  CHECK(is_dead(child));
  CHECK(orphan.response().auth->orphan);
  CHECK(get("auth/token/lookup-self", orphan.token()).data().bool_at("orphan"));
  CHECK_FALSE(is_dead(timed));
  advance(Seconds{3600});
  CHECK(is_dead(timed));
}

TEST_CASE("batch tokens: they are good after a restart, and after a rotation of keys") {
  TestWorld world;
  std::string before, after;
  {
    TestVault vault(world);
    Batches batches{vault};
    batches.allow();
    before = batches.batch();
    CHECK(vault.post("sys/rotate", vault.root()).status() < 300);
    after = batches.batch();
    CHECK(before.substr(0, 11) != after.substr(0, 11));  // format and term
    CHECK_FALSE(batches.is_dead(before));
  }
  TestVault vault(world);
  for (const std::string& token : {before, after})
    CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: a lease ends with its token at the latest") {
  role(R"({"ttl":"3h","max_ttl":"9h"})");
  advance(std::chrono::milliseconds(300));
  const Answer creds = get("test/creds/ro", batch());
  REQUIRE(creds.status() == 200);
  CHECK(creds.response().lease_duration == Seconds{3600});
  advance(Seconds{600});
  const std::string lease = body("lease_id", creds.response().lease_id);
  const Answer renewed = post("sys/leases/renew", root(), lease);
  REQUIRE(renewed.status() == 200);
  CHECK(renewed.response().lease_duration == Seconds{3000});
  CHECK(server()->accounts().size() == 1);
  advance(Seconds{3000});
  CHECK(as_time_passes([&] { return server()->accounts().empty(); }, kStep));
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: a lease ends when the token's parent is revoked") {
  role(R"({"ttl":"10m"})");
  const std::string parent = vault.token(R"({"policies":["root"],"ttl":"2h"})");
  CHECK(get("test/creds/ro", batch(parent)).status() == 200);
  const Answer orphan =
      post("auth/token/create-orphan", parent, R"({"type":"batch","policies":["reads"]})");
  const Answer kept = get("test/creds/ro", orphan.token());
  CHECK(server()->accounts().size() == 2);
  CHECK(post("auth/token/revoke", root(), body("token", parent)).status() == 204);
  CHECK(as_time_passes([&] { return server()->accounts().size() == 1; }, kStep));
  const std::string lease = body("lease_id", kept.response().lease_id);
  CHECK(post("sys/leases/renew", root(), lease).status() == 200);
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: a role makes them") {
  CHECK(post("auth/token/roles/cb", root(),
             R"({"token_type":"batch","orphan":true,"renewable":false,"allowed_policies":"reads"})")
            .status() == 204);
  const Answer made = post("auth/token/create/cb", root(), R"({"type":"service"})");
  REQUIRE(made.status() == 200);
  CHECK(made.response().auth->token_type == "batch");
  CHECK(made.response().auth->orphan);
  CHECK(get("auth/token/lookup-self", made.token()).data().string_at("role") == "cb");
  CHECK(post("auth/token/roles/db", root(), R"({"token_type":"default-batch"})").status() == 204);
  const auto type_of = [&](const char* fields) {
    return post("auth/token/create/db", root(), fields).response().auth->token_type;
  };
  CHECK(type_of(R"({"policies":["reads"]})") == "batch");
  CHECK(type_of(R"({"policies":["reads"],"type":"service"})") == "service");
  CHECK(post("auth/token/roles/db", root(), R"({"token_num_uses":1})").status() == 204);
  CHECK(post("auth/token/create/db", root(), R"({"policies":["reads"]})").error() ==
        "batch tokens cannot have \"num_uses\" set");
}

TEST_CASE_FIXTURE(BatchVault, "batch tokens: one that is wrapped is opened once") {
  core::Request request;
  request.operation = core::Operation::update;
  request.path = "auth/token/create";
  request.token = root();
  request.wrap_ttl = Seconds{60};
  request.body = std::move(parse_json(R"({"type":"batch","policies":["reads"]})")).value();
  const Answer wrapped = wait(begin(std::move(request)));
  REQUIRE(wrapped.response().wrap);
  const std::string wrapping(as_text(wrapped.response().wrap->token.reveal()));
  const Answer opened = post("sys/wrapping/unwrap", wrapping);
  REQUIRE(opened.status() == 200);
  CHECK(std::string(as_text(opened.response().data.reveal())).find("hvb.") != std::string::npos);
  CHECK(post("sys/wrapping/unwrap", wrapping).status() == 400);
}
