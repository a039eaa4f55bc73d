// Response wrapping: what is wrapped, who may open it, and that one does.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/audit/record.h"
#include "vault/core/authority/wrapped.h"

using namespace leasehold;
using core::Operation;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

core::Request asking(Operation operation, const std::string& path, const std::string& token,
                     const std::string& body = {}) {
  core::Request request;
  request.operation = operation;
  request.path = path;
  request.token = token;
  if (!body.empty()) request.body = std::move(parse_json(body)).value();
  return request;
}

Answer wrapped(TestVault& vault, Operation operation, const std::string& path,
               const std::string& token, const std::string& body = {}, Seconds ttl = Seconds{60}) {
  core::Request request = asking(operation, path, token, body);
  request.wrap_ttl = ttl;
  return vault.wait(vault.begin(std::move(request)));
}

std::string wrapping_token(const Answer& answer) {
  REQUIRE(answer.response().wrap.has_value());
  return std::string(as_text(answer.response().wrap->token.reveal()));
}

std::string in_body(const std::string& token) { return R"({"token":")" + token + R"("})"; }

Answer unwrap(TestVault& vault, const std::string& token) {
  return vault.post("sys/wrapping/unwrap", vault.root(), in_body(token));
}

constexpr char kGone[] = "wrapping token is not valid or does not exist";

}  // namespace

TEST_CASE("wrapping: no answer is kept for longer than a lease may last") {
  TestVault vault;
  const Seconds longest{768 * 3600};
  for (const Seconds asked : {longest, longest + Seconds{1}, Seconds::max()}) {
    const Answer answer =
        wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})", asked);
    CHECK(answer.response().wrap->ttl == longest);
  }
}

TEST_CASE("wrapping: a token counts as one by its mark, not by the name of its policy") {
  core::Token token;
  token.policies = {std::string(core::kWrappingPolicy)};
  const auto stored = [&token] { return *core::decode_token(core::encode_token(token).bytes()); };
  CHECK_FALSE(stored().wrapping);
  token.num_uses = 1;
  CHECK(stored().wrapping);  // of a version that did not mark them
  token.display_name = "token";
  CHECK_FALSE(stored().wrapping);
  token.display_name.clear();
  token.mount = "auth_approle_1";
  CHECK_FALSE(stored().wrapping);
  token.wrapping = true;
  CHECK(stored().wrapping);
  CHECK(core::encode_token(stored()).bytes().size() == core::encode_token(token).bytes().size());
}

TEST_CASE("wrapping: nothing is left of a wrapping token that is revoked as an orphan") {
  TestVault vault;
  const std::size_t before = vault.count(barrier::Table::token);
  const std::string token = wrapping_token(
      wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})"));
  CHECK(vault.post("auth/token/revoke-orphan", vault.root(), in_body(token)).status() == 204);
  CHECK(vault.count(barrier::Table::token) == before);
  CHECK(vault.count(barrier::Table::wrapped) == 0);
  CHECK(unwrap(vault, token).error() == kGone);
}

TEST_CASE("wrapping: what a body holds is wrapped, looked up, and opened once") {
  TestVault vault;
  const Answer answer =
      wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})");
  CHECK(answer.status() == 200);
  CHECK(answer.data().is_null());
  const core::WrapInfo& info = *answer.response().wrap;
  CHECK(info.ttl == Seconds{60});
  CHECK(info.creation_path == "sys/wrapping/wrap");
  CHECK(info.wrapped_accessor.empty());
  const std::string token = wrapping_token(answer);

  for (int i = 0; i < 2; ++i) {  // looking spends nothing
    const Answer looked = vault.post("sys/wrapping/lookup", "", in_body(token));
    CHECK(looked.data().string_at("creation_path") == "sys/wrapping/wrap");
    CHECK(looked.data().integer_at("creation_ttl") == 60);
    CHECK(vault.get("sys/wrapping/lookup", token).status() == 200);
  }
  const Answer opened = unwrap(vault, token);
  CHECK(opened.status() == 200);
  CHECK(opened.response().form == core::Response::Form::raw);
  CHECK(opened.response().content_type == "application/json");
  CHECK(opened.data().find("data")->integer_at("a") == 1);
  CHECK(!opened.data().string_at("request_id").empty());
  CHECK(unwrap(vault, token).error() == kGone);
  CHECK(vault.post("sys/wrapping/lookup", "", in_body(token)).error() == kGone);
  CHECK(vault.count(barrier::Table::wrapped) == 0);
  CHECK(vault.count(barrier::Table::token) == 1);
  CHECK(vault.verifies());
}

TEST_CASE("wrapping: a wrapping token opens itself, and is no other token") {
  TestVault vault;
  const auto fresh = [&] {
    return wrapping_token(
        wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})"));
  };
  const std::string token = fresh();
  CHECK(vault.post("sys/wrapping/unwrap", token).status() == 200);
  CHECK(vault.post("sys/wrapping/unwrap", token).status() == 400);
  CHECK(vault.post("sys/wrapping/unwrap", token).error() == kGone);

  CHECK(vault.post("sys/wrapping/unwrap", "").error() == kGone);
  CHECK(vault.post("sys/wrapping/unwrap", "hvs.nosuch").error() == kGone);
  CHECK(vault.post("sys/wrapping/unwrap", vault.root()).error() == kGone);
  CHECK(unwrap(vault, vault.root()).error() == kGone);

  const std::string strayed =
      fresh();  // where it may not go it is spent, and what it opens is gone
  CHECK(vault.get("test/notes/a", strayed).status() == 403);
  CHECK(unwrap(vault, strayed).error() == kGone);
  CHECK(vault.count(barrier::Table::wrapped) == 0);

  const std::string kept = fresh();
  CHECK(vault.post("auth/token/renew", vault.root(), in_body(kept)).status() == 400);
  CHECK(vault.post("auth/token/revoke", vault.root(), in_body(kept)).status() == 204);
  CHECK(unwrap(vault, kept).error() == kGone);
  CHECK(vault.count(barrier::Table::wrapped) == 0);
}

TEST_CASE("wrapping: a token that opens nothing is told as that, whoever asks") {
  TestVault vault;
  vault.policy("none", R"(path "sys/wrapping/unwrap" { capabilities = ["deny"] }
                          path "sys/wrapping/rewrap" { capabilities = ["deny"] })");
  const std::string other = vault.token(R"({"policies":["none"]})");
  const std::string token = wrapping_token(
      wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})"));
  for (const std::string path : {"unwrap", "rewrap", "lookup"})
    for (const std::string& asker : {std::string(), std::string("hvs.nosuch"), other}) {
      CAPTURE(path);
      CAPTURE(asker);
      for (const std::string& bad : {std::string("hvs.nosuch"), vault.root()}) {
        const Answer refused = vault.post("sys/wrapping/" + path, asker, in_body(bad));
        CHECK(refused.status() == 400);
        CHECK(refused.error() == kGone);
      }
      if (path != "lookup")
        CHECK(vault.post("sys/wrapping/" + path, asker, in_body(token)).status() == 403);
    }
  CHECK(unwrap(vault, token).status() == 200);  // nobody above has spent it
}

TEST_CASE("wrapping: reads, credentials and tokens leave wrapped, errors and nothing do not") {
  TestVault vault;
  CHECK(wrapped(vault, Operation::update, "test/notes/a", vault.root(), R"({"x":"y"})").status() ==
        204);
  CHECK(wrapped(vault, Operation::read, "test/notes/none", vault.root()).status() == 404);
  const Answer note = wrapped(vault, Operation::read, "test/notes/a", vault.root());
  CHECK(note.data().is_null());
  CHECK(unwrap(vault, wrapping_token(note)).data().find("data")->string_at("x") == "y");
  const Answer names = wrapped(vault, Operation::list, "test/notes/", vault.root());
  CHECK(names.response().wrap.has_value());

  vault.role();
  const Answer creds = wrapped(vault, Operation::read, "test/creds/ro", vault.root());
  CHECK(creds.response().lease_id.empty());
  const Json inside = unwrap(vault, wrapping_token(creds)).data();
  CHECK(inside.find("data")->string_at("password") == "the-password");
  CHECK(inside.string_at("lease_id").starts_with("test/creds/ro/"));
  CHECK(vault.count(barrier::Table::lease) == 1);

  const Answer made = wrapped(vault, Operation::update, "auth/token/create", vault.root(),
                              R"({"policies":["default"]})");
  CHECK_FALSE(made.response().auth.has_value());
  const std::string accessor = made.response().wrap->wrapped_accessor;
  const Json login = unwrap(vault, wrapping_token(made)).data();
  CHECK(login.find("auth")->string_at("accessor") == accessor);
  const std::string token = login.find("auth")->string_at("client_token");
  CHECK(vault.get("auth/token/lookup-self", token).status() == 200);
}

TEST_CASE("wrapping: what is wrapped anew keeps its path and lifetime; the old token is spent") {
  TestVault vault;
  const Answer made =
      wrapped(vault, Operation::update, "auth/token/create", vault.root(), "{}", Seconds{300});
  const std::string old = wrapping_token(made);
  const Answer again = vault.post("sys/wrapping/rewrap", vault.root(), in_body(old));
  CHECK(again.status() == 200);
  const core::WrapInfo& info = *again.response().wrap;
  CHECK(info.creation_path == "auth/token/create");
  CHECK(info.ttl == Seconds{300});
  CHECK(info.wrapped_accessor == made.response().wrap->wrapped_accessor);
  CHECK(unwrap(vault, old).error() == kGone);
  CHECK(vault.post("sys/wrapping/rewrap", vault.root(), in_body(old)).error() == kGone);
  CHECK(unwrap(vault, wrapping_token(again)).data().find("auth")->is_object());
  // What is opened may be asked for wrapped.
  const Answer third =
      wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})");
  const Answer fourth = wrapped(vault, Operation::update, "sys/wrapping/unwrap", vault.root(),
                                in_body(wrapping_token(third)), Seconds{5});
  CHECK(fourth.response().wrap->ttl == Seconds{5});
  CHECK(unwrap(vault, wrapping_token(fourth)).data().find("data")->integer_at("a") == 1);
}

TEST_CASE("wrapping: of many who open one answer, one gets it") {
  TestVault vault;
  for (const bool as_token : {false, true}) {
    const std::string token = wrapping_token(
        wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})"));
    std::vector<TestVault::Waiting> asking_now;
    for (int i = 0; i < 24; ++i)
      asking_now.push_back(
          as_token ? vault.begin("POST", "sys/wrapping/unwrap", token, "{}")
                   : vault.begin("POST", i % 3 == 0 ? "sys/wrapping/rewrap" : "sys/wrapping/unwrap",
                                 vault.root(), in_body(token)));
    int opened = 0;
    for (const auto& one : asking_now) {
      const Answer answer = vault.wait(one);
      if (answer.status() == 200) ++opened;
      if (answer.status() != 200) CHECK(answer.error() == kGone);
    }
    CHECK(opened == 1);
  }
}

TEST_CASE("wrapping: what nobody opened in time is gone") {
  TestVault vault;
  const std::string token = wrapping_token(wrapped(vault, Operation::update, "sys/wrapping/wrap",
                                                   vault.root(), R"({"a":1})", Seconds{5}));
  vault.advance(Seconds{6});
  CHECK(unwrap(vault, token).error() == kGone);
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::wrapped) == 0; }));
  CHECK(vault.count(barrier::Table::token) == 1);
  CHECK(TestVault::eventually([&] { return vault.count(barrier::Table::expiry) == 0; }));
}

TEST_CASE("wrapping: policies say how long an answer is wrapped, and that it is") {
  TestVault vault;
  vault.policy("wraps", R"(path "test/notes/*" {
    capabilities = ["read"]
    min_wrapping_ttl = "10s"
    max_wrapping_ttl = "90s"
  })");
  vault.post("test/notes/a", vault.root(), R"({"x":1})");
  const std::string token = vault.token(R"({"policies":["wraps"]})");
  CHECK(vault.get("test/notes/a", token).status() == 403);
  for (const int seconds : {9, 91})
    CHECK(wrapped(vault, Operation::read, "test/notes/a", token, {}, Seconds{seconds}).status() ==
          403);
  for (const int seconds : {10, 90})
    CHECK(wrapped(vault, Operation::read, "test/notes/a", token, {}, Seconds{seconds}).status() ==
          200);
}

TEST_CASE("wrapping: the endpoint wraps only where that is asked for") {
  TestVault vault;
  const Answer answer = vault.post("sys/wrapping/wrap", vault.root(), R"({"z":1})");
  CHECK(answer.status() == 400);
  CHECK(answer.error() == "endpoint requires response wrapping to be used");
}

TEST_CASE("wrapping: neither the store nor its keys open an answer") {
  TestVault vault;
  const std::string token = wrapping_token(wrapped(vault, Operation::update, "sys/wrapping/wrap",
                                                   vault.root(), R"({"a":"plain-text"})"));
  vault.read([&](core::Unsealed& live, commit::ReadTxn& txn) {
    const auto id = live.tokens.id_of(token);
    const auto record = txn.get(core::wrapped_key(id));
    REQUIRE(record.ok());
    REQUIRE(record->has_value());
    const std::string opened_by_barrier(as_text((*record)->value.reveal()));
    CHECK(opened_by_barrier.find("plain-text") == std::string::npos);
    CHECK(opened_by_barrier.find(token) == std::string::npos);
    const auto stored = live.tokens.load(txn, id);
    commit::Changes changes;
    commit::WriteTxn write(txn.snapshot(), live.barrier, barrier::kCoreSpace, changes);
    CHECK_FALSE(core::opened(write, **stored, token + "x").ok());
    return 0;
  });
}

TEST_CASE("wrapping: an answer that did not arrive takes with it what lies inside") {
  TestVault vault;
  vault.role();
  const Answer creds = wrapped(vault, Operation::read, "test/creds/ro", vault.root());
  const Answer made = wrapped(vault, Operation::update, "auth/token/create", vault.root(), "{}");
  for (const Answer* answer : {&creds, &made})
    vault.core().undelivered(core::issued_by(answer->response()));
  CHECK(vault.as_time_passes([&] {
    return vault.server()->accounts().empty() && vault.count(barrier::Table::token) == 1 &&
           vault.count(barrier::Table::wrapped) == 0;
  }));
  // Nor does what was opened and did not arrive live on.
  const Answer later = wrapped(vault, Operation::update, "auth/token/create", vault.root(), "{}");
  const Answer opened = unwrap(vault, wrapping_token(later));
  vault.core().undelivered(core::issued_by(opened.response()));
  CHECK(vault.as_time_passes([&] { return vault.count(barrier::Table::token) == 1; }));
}

TEST_CASE("wrapping: the log shows who wrapped and who opened, and no token") {
  TestWorld world;
  TestVault vault(world);
  vault.role();
  const Answer creds = wrapped(vault, Operation::read, "test/creds/ro", vault.root());
  const std::string token = wrapping_token(creds);
  CHECK(unwrap(vault, token).status() == 200);
  const std::string log = world.audit_text();
  CHECK(log.find(token) == std::string::npos);
  CHECK(log.find("the-password") == std::string::npos);
  CHECK(log.find(creds.response().wrap->accessor) == std::string::npos);
  const auto hmac = [&](const std::string& text) {
    return vault.read([&](core::Unsealed& live, commit::ReadTxn&) {
      return audit::hmac_text(text, live.audit_key);
    });
  };
  int wrapping = 0, opening = 0;
  for (const std::string& line : world.audit_lines()) {
    const auto record = parse_json(line);
    REQUIRE(record.ok());
    const Json* response = record->find("response");
    const Json* info = response != nullptr ? response->find("wrap_info") : nullptr;
    if (info != nullptr && info->string_at("token") == hmac(token)) {
      ++wrapping;
      CHECK(info->integer_at("ttl") == 60);
      CHECK(info->string_at("creation_path") == "test/creds/ro");
      CHECK(response->find("secret")->string_at("lease_id").starts_with("test/creds/ro/"));
      CHECK(response->find("data") == nullptr);
    }
    const Json* request = record->find("request");
    if (response != nullptr && request != nullptr &&
        request->string_at("path") == "sys/wrapping/unwrap") {
      ++opening;
      CHECK(request->find("data")->string_at("token") == hmac(token));
    }
  }
  CHECK(wrapping == 1);
  CHECK(opening == 1);
}

TEST_CASE("wrapping: a vault that was sealed or ended keeps what was wrapped") {
  TestWorld world;
  std::string token;
  {
    TestVault vault(world);
    token = wrapping_token(
        wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(), R"({"a":1})"));
  }
  TestVault again(world);
  CHECK(unwrap(again, token).data().find("data")->integer_at("a") == 1);
}

TEST_CASE("wrapping: what does not fit is refused, and nothing of it stays") {
  TestVault vault;
  std::string text(1'040'000, 'x');
  const Answer answer = wrapped(vault, Operation::update, "sys/wrapping/wrap", vault.root(),
                                R"({"a":")" + text + R"("})");
  CHECK(answer.status() == 400);
  CHECK(answer.error() == "this answer is too large to be wrapped");
  CHECK(vault.count(barrier::Table::token) == 1);
}
