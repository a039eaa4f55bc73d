// sys/config/auditing/request-headers: which headers of a request the audit log records.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/audit/record.h"
#include "vault/core/authority/audited_headers.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

constexpr const char* kPath = "sys/config/auditing/request-headers";

// As the listener makes it: with what is asked for, and a name that is not is never in it.
Answer with_headers(TestVault& vault, const std::string& token) {
  core::Request request;
  request.path = "test/notes/none";
  request.token = token;
  request.remote_address = "192.0.2.7";
  request.remote_port = 40001;
  request.certificate_serial = "4711";
  request.headers = {{"x-trace", "one"}, {"x-user", "bob"}, {"x-trace", "two"}};
  return vault.wait(vault.begin(std::move(request)));
}

// Of the newest line.
Json last_request(const TestWorld& world) {
  const auto lines = world.audit_lines();
  auto line = parse_json(lines.back());
  REQUIRE(line.ok());
  return *line->find("request");
}

std::string said(const Json& request) {
  const Json* headers = request.find("headers");
  return headers == nullptr ? "" : headers->dump();
}

std::string hashed(TestVault& vault, const std::string& value) {
  std::string text;
  vault.read([&](core::Unsealed& live, commit::ReadTxn&) {
    text = audit::hmac_text(value, live.audit_key);
    return 0;
  });
  return text;
}

}  // namespace

TEST_CASE("audited headers: they are set, shown, changed and removed, in any case of letters") {
  TestVault vault;
  const auto at = [](const char* name) { return std::string(kPath) + "/" + name; };
  CHECK(vault.get(kPath, vault.root()).data().dump() == R"({"headers":{}})");
  CHECK(vault.post(at("X-Trace"), vault.root()).status() == 204);
  CHECK(vault.post(at("x-USER"), vault.root(), R"({"hmac":true})").status() == 204);
  const Answer all = vault.get(kPath, vault.root());
  CHECK(all.data().dump() == R"({"headers":{"x-trace":{"hmac":false},"x-user":{"hmac":true}}})");
  CHECK(all.response().form == core::Response::Form::injected);
  CHECK(vault.get(at("X-User"), vault.root()).data().dump() == R"({"X-User":{"hmac":true}})");
  CHECK(vault.post(at("X-User"), vault.root(), R"({"hmac":"false"})").status() == 204);
  CHECK(vault.get(at("x-user"), vault.root()).data().dump() == R"({"x-user":{"hmac":false}})");
  CHECK(vault.remove(at("X-TRACE"), vault.root()).status() == 204);
  CHECK(vault.remove(at("X-Trace"), vault.root()).status() == 204);
  const Answer gone = vault.get(at("X-Trace"), vault.root());
  CHECK(gone.status() == 400);
  CHECK(gone.error() == "Could not find header in config");
  CHECK(vault.verifies());
}

TEST_CASE("audited headers: what is no name, too much or a credential in clear is refused") {
  TestVault vault;
  const auto set = [&](const std::string& name, const char* body = "{}") {
    return vault.post(std::string(kPath) + "/" + name, vault.root(), body).status();
  };
  CHECK(set("with space") == 400);
  CHECK(set("colon:") == 400);
  CHECK(set(std::string(129, 'a')) == 400);
  CHECK(set(std::string(128, 'a')) == 204);
  for (const char* secret : {"X-Vault-Token", "authorization", "Cookie", "Proxy-Authorization"}) {
    CHECK(set(secret) == 400);
    CHECK(set(secret, R"({"hmac":true})") == 204);
    CHECK(set(secret, R"({"hmac":false})") == 400);
  }
  for (int i = 5; i < 64; ++i) REQUIRE(set("x-" + std::to_string(i)) == 204);
  CHECK(set("x-64") == 400);
  CHECK(set("x-63", R"({"hmac":true})") == 204);  // there already
  const std::string token = vault.token(R"({"policies":["default"]})");
  CHECK(vault.get(kPath, token).status() == 403);
  vault.policy("half", R"(path "sys/config/auditing/*" { capabilities = ["create", "update"] })");
  const std::string half = vault.token(R"({"policies":["half"]})");
  CHECK(vault.post(std::string(kPath) + "/x-a", half).status() == 403);  // without sudo
}

TEST_CASE("audited headers: each request is recorded with those that were asked for") {
  TestWorld world;
  TestVault vault(world);
  with_headers(vault, vault.root());
  CHECK(said(last_request(world)).empty());
  vault.post(std::string(kPath) + "/X-Trace", vault.root());
  vault.post(std::string(kPath) + "/X-User", vault.root(), R"({"hmac":true})");
  with_headers(vault, vault.root());
  const std::string bob = hashed(vault, "bob");
  const std::string both = R"({"x-trace":["one","two"],"x-user":[")" + bob + R"("]})";
  const Json request = last_request(world);
  CHECK(said(request) == both);
  CHECK(request.string_at("remote_address") == "192.0.2.7");
  CHECK(request.integer_at("remote_port") == 40001);
  CHECK(request.string_at("client_certificate_serial_number") == "4711");
  with_headers(vault, "s.none");  // a refused one, too
  CHECK(said(last_request(world)) == both);
  vault.remove(std::string(kPath) + "/x-user", vault.root());
  with_headers(vault, vault.root());
  CHECK(said(last_request(world)) == R"({"x-trace":["one","two"]})");
}

TEST_CASE("audited headers: a listener knows them when the answer is there, and after a restart") {
  TestWorld world;
  using Names = std::vector<std::string>;
  {
    TestVault vault(world);
    CHECK(world.asked_headers.version() == 0);
    vault.post(std::string(kPath) + "/X-Trace", vault.root());
    CHECK(*world.asked_headers.names() == Names{"x-trace"});
    const auto version = world.asked_headers.version();
    vault.post("sys/mounts/other", vault.root(), R"({"type":"test"})");
    vault.get("test/notes/none", vault.root());
    CHECK(world.asked_headers.version() == version);  // another change of mounts is none of these
  }
  world.asked_headers.ask_for({});
  TestVault again(world);
  CHECK(*world.asked_headers.names() == Names{"x-trace"});
  with_headers(again, again.root());
  CHECK(said(last_request(world)) == R"({"x-trace":["one","two"]})");
}
