#include "api/client/client.h"

#include <doctest/doctest.h>

#include "tests/client/certificate.h"
#include "tests/client/raw_server.h"
#include "tests/client/vault_server.h"
#include "tests/support/temporary_folder.h"

using leasehold::Code;
using leasehold::Json;
using leasehold::Millis;
using leasehold::Seconds;
using leasehold::SecretBytes;
using leasehold::client::Call;
using leasehold::client::Client;
using leasehold::client::make_http_transport;
using leasehold::client::Settings;
using leasehold::testing::Certificate;
using leasehold::testing::RawServer;
using leasehold::testing::TemporaryFolder;
using leasehold::testing::VaultServer;

namespace {

// A client of `server` that waits for nothing and remembers how long it would have.
struct Caller {
  explicit Caller(const std::string& address) { settings.address = address; }
  auto send(const Call& call) {
    if (!client)
      client.emplace(settings, make_http_transport(settings),
                     [this](Millis time) { pauses.push_back(time); });
    return client->send(call);
  }
  Settings settings;
  std::vector<Millis> pauses;
  std::optional<Client> client;
};

}  // namespace

TEST_CASE("client: a read sends Vault's headers and gives the envelope") {
  VaultServer server;
  server.on("GET /v1/secret/a", {200, R"({"data":{"k":"v"},"lease_id":""})"});
  Caller caller(server.address());
  caller.settings.token = SecretBytes(std::string_view("hvs.abc"));
  caller.settings.name_space = "team/";
  caller.settings.wrap_ttl = "60s";
  const auto answer = caller.send({"GET", "secret/a"});
  REQUIRE_MESSAGE(answer.ok(), answer.error().message);
  CHECK(answer->ok());
  REQUIRE(answer->data() != nullptr);
  CHECK(answer->data()->string_at("k") == "v");
  const auto seen = server.last();
  CHECK(seen.header("x-vault-token") == "hvs.abc");
  CHECK(seen.header("x-vault-request") == "true");
  CHECK(seen.header("x-vault-namespace") == "team/");
  CHECK(seen.header("x-vault-wrap-ttl") == "60s");
}

TEST_CASE("client: LIST goes out as GET with list=true, names are escaped") {
  VaultServer server;
  Caller caller(server.address());
  const auto answer = caller.send({"LIST", "secret/a b?c%"});
  REQUIRE(answer.ok());
  CHECK(answer->status == 404);
  CHECK(answer->method == "GET");
  CHECK(server.last().target == "/v1/secret/a%20b%3Fc%25?list=true");
}

TEST_CASE("client: a write sends JSON") {
  VaultServer server;
  server.on("PUT /v1/secret/a", {204, ""});
  Caller caller(server.address());
  Json body = Json::object();
  body.set("k", "v");
  const auto answer = caller.send({"PUT", "secret/a", body});
  REQUIRE(answer.ok());
  CHECK(answer->status == 204);
  CHECK(server.last().body == R"({"k":"v"})");
  CHECK(server.last().header("content-type") == "application/json");
}

TEST_CASE("client: a server error is tried again twice, with longer and longer pauses") {
  VaultServer server;
  server.on("GET /v1/x", {500, R"({"errors":["busy"]})"});
  Caller caller(server.address());
  const auto answer = caller.send({"GET", "x"});
  REQUIRE(answer.ok());
  CHECK(answer->status == 500);
  CHECK(server.seen().size() == 3);
  REQUIRE(caller.pauses.size() == 2);
  CHECK(caller.pauses[1] > caller.pauses[0]);
}

TEST_CASE("client: what prepares or opens a vault is sent once, whatever the server answers") {
  for (const char* path : {"sys/init", "sys/unseal"}) {
    for (const int status : {500, 503, 429}) {
      VaultServer server;
      server.on(std::string("PUT /v1/") + path, {status, R"({"errors":["internal error"]})"});
      Caller caller(server.address());
      const auto answer = caller.send({"PUT", path, Json::object()});
      CAPTURE(path);
      REQUIRE(answer.ok());
      CHECK(answer->status == status);
      CHECK(server.seen().size() == 1);
    }
  }
  VaultServer server;
  server.on("GET /v1/sys/init", {500, R"({"errors":["internal error"]})"});
  Caller caller(server.address());
  REQUIRE(caller.send({"GET", "sys/init"}).ok());
  CHECK(server.seen().size() == 3);
}

TEST_CASE("client: 501, a sealed vault and client errors are final") {
  VaultServer server;
  server.on("GET /v1/uninitialised", {501, "{}"});
  server.on("GET /v1/sealed", {503, R"({"errors":["Vault is sealed"]})"});
  server.on("GET /v1/denied", {403, R"({"errors":["permission denied"]})"});
  Caller caller(server.address());
  for (const char* path : {"uninitialised", "sealed", "denied"}) {
    CAPTURE(path);
    CHECK(caller.send({"GET", path}).ok());
  }
  CHECK(server.seen().size() == 3);
}

TEST_CASE("client: too many requests are repeated when the server says so") {
  VaultServer server;
  server.on("GET /v1/x", {429, R"({"errors":["slow down"]})", {{"Retry-After", "7"}}});
  server.on("GET /v1/x", {200, R"({"data":{}})"});
  Caller caller(server.address());
  const auto answer = caller.send({"GET", "x"});
  REQUIRE(answer.ok());
  CHECK(answer->status == 200);
  CHECK(caller.pauses == std::vector<Millis>{Millis{7000}});
}

TEST_CASE("client: one redirect is followed, a second is not") {
  VaultServer active;
  active.on("GET /v1/x", {200, R"({"data":{"k":"v"}})"});
  active.on("GET /v1/loop", {307, "", {{"Location", active.address() + "/v1/loop"}}});
  VaultServer standby;
  standby.on("GET /v1/x", {307, "", {{"Location", active.address() + "/v1/x?list=true"}}});
  Caller caller(standby.address());
  caller.settings.token = SecretBytes(std::string_view("t"));
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_MESSAGE(answer.ok(), answer.error().message);
  CHECK(answer->status == 200);
  CHECK(active.last().target == "/v1/x?list=true");
  CHECK(active.last().header("x-vault-token") == "t");
  Caller looping(active.address());
  const auto loop = looping.send({"GET", "loop"});
  REQUIRE(loop.ok());
  CHECK(loop->status == 307);
}

TEST_CASE("client: a redirect is followed as it was written, escapes and all") {
  for (const std::string target :
       {"/v1/secret/a%20b%25c%3Fd", "/v1/a%0d%0aX:%20y", "/v1/a%00%C3%A4?b=%26"}) {
    for (const bool relative : {false, true}) {
      CAPTURE(target);
      VaultServer server;
      const std::string host = relative ? "" : server.address();
      server.on("GET /v1/x", {307, "", {{"Location", host + target + "#part"}}});
      Caller caller(server.address());
      caller.settings.token = SecretBytes(std::string_view("t"));
      REQUIRE(caller.send({"GET", "x"}).ok());
      CHECK(server.seen().size() == 2);
      CHECK(server.last().target == target);
      CHECK(server.last().headers.count("x") == 0);
    }
  }
}

TEST_CASE("client: what cannot stand in a request's first line is never sent") {
  for (const std::string target : {"/v1/a b", "/v1/a\tb", "/v1/\xc3\xa4", "/v1/a\x7f"}) {
    CAPTURE(target);
    VaultServer server;
    server.on("GET /v1/x", {307, "", {{"Location", target}}});
    Caller caller(server.address());
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().message.find("was not sent") != std::string::npos);
    CHECK(server.seen().size() == 1);
  }
  VaultServer server;
  Caller caller(server.address() + "/prefix HTTP/1.1\r\nX: y");
  CHECK_FALSE(caller.send({"GET", "x"}).ok());
  CHECK(server.seen().empty());
}

TEST_CASE("client: a warning is shown as it was written") {
  VaultServer server;
  server.on("PUT /v1/x", {204, "", {{"Warning", "299 - \"100%25 of a%20b\""}}});
  Caller caller(server.address());
  const auto answer = caller.send({"PUT", "x"});
  REQUIRE(answer.ok());
  CHECK(answer->quiet_warnings == std::vector<std::string>{"100%25 of a%20b"});
}

TEST_CASE("client: TLS is verified against the given authority") {
  const Certificate certificate;
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/x", {200, R"({"data":{"k":"v"}})"});
  SUBCASE("unknown authority") {
    Caller caller(server.address());
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == Code::denied);
    CHECK(server.seen().empty());
  }
  SUBCASE("given authority") {
    Caller caller(server.address());
    caller.settings.ca_cert = certificate.file();
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_MESSAGE(answer.ok(), answer.error().message);
    CHECK(answer->ok());
  }
  SUBCASE("a name of its own") {
    Caller caller(server.address());
    caller.settings.ca_cert = certificate.file();
    caller.settings.tls_server_name = "vault.test";
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_MESSAGE(answer.ok(), answer.error().message);
    CHECK(answer->ok());
  }
  SUBCASE("another name") {
    Caller caller(server.address());
    caller.settings.ca_cert = certificate.file();
    caller.settings.tls_server_name = "other.test";
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == Code::denied);
  }
  SUBCASE("not verified") {
    Caller caller(server.address());
    caller.settings.tls_skip_verify = true;
    CHECK(caller.send({"GET", "x"}).ok());
  }
}

TEST_CASE("client: an answer that comes in drops ends with the time limit") {
  const RawServer server("HTTP/1.1 200 OK\r\nX-Slow: ", "a", 100);
  Caller caller("http://" + server.authority());
  caller.settings.timeout = Seconds(1);
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == Code::deadline);
  CHECK(answer.error().message.find("VAULT_CLIENT_TIMEOUT") != std::string::npos);
}

TEST_CASE("client: of a certificate only the names it was given for TLS count") {
  for (const char* names : {"DNS:other.test", "DNS:*", "email:a@vault.test"}) {
    CAPTURE(names);
    const Certificate certificate("127.0.0.1", names);
    VaultServer server(certificate.file(), certificate.key());
    server.on("GET /v1/x", {200, R"({"data":{"k":"v"}})"});
    Caller caller(server.address());
    caller.settings.ca_cert = certificate.file();
    const auto answer = caller.send({"GET", "x"});
    REQUIRE_FALSE(answer.ok());
    CHECK(answer.error().code == Code::denied);
    CHECK(server.seen().empty());
  }
}

TEST_CASE("client: a redirect from TLS to plain HTTP is refused") {
  const Certificate certificate;
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/x", {307, "", {{"Location", "http://127.0.0.1:1/v1/x"}}});
  Caller caller(server.address());
  caller.settings.ca_cert = certificate.file();
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().message.find("give up encryption") != std::string::npos);
}

TEST_CASE("client: a unix socket is an address") {
  const TemporaryFolder folder;
  VaultServer server(folder.path() + "/s");
  server.on("GET /v1/x", {200, R"({"data":{"k":"v"}})"});
  Caller caller(server.address());
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_MESSAGE(answer.ok(), answer.error().message);
  CHECK(answer->ok());
}

TEST_CASE("client: nobody at the address is told apart from a refusal") {
  std::string address;
  {
    VaultServer server;
    address = server.address();
  }
  Caller caller(address);
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == Code::unavailable);
  CHECK(answer.error().message.find("connection refused") != std::string::npos);
}

TEST_CASE("client: a token with a line break is never sent") {
  VaultServer server;
  Caller caller(server.address());
  caller.settings.token = SecretBytes(std::string_view("hvs.a\r\nX-Evil: 1"));
  const auto answer = caller.send({"GET", "x"});
  REQUIRE_FALSE(answer.ok());
  CHECK(answer.error().code == Code::invalid);
  CHECK(answer.error().message.find("hvs.a") == std::string::npos);
  CHECK(server.seen().empty());
}

TEST_CASE("client: curl shows the call without the token") {
  Settings settings;
  settings.address = "http://127.0.0.1:8200";
  settings.token = SecretBytes(std::string_view("hvs.secret"));
  const Client client(settings, make_http_transport(settings));
  Json body = Json::object();
  body.set("k", "it's");
  const auto line = client.curl({"PUT", "secret/a", body});
  REQUIRE(line.ok());
  CHECK(*line ==
        "curl -X PUT -H \"X-Vault-Token: $(leasehold print token)\" -H 'X-Vault-Request: true' -d "
        "'{\"k\":\"it'\\''s\"}' 'http://127.0.0.1:8200/v1/secret/a'");
}
