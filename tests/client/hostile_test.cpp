// Servers and proxies that keep the command line from an answer: for a bounded time, in bounded
// memory; and what a proxy answers is told from what the vault does.

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "api/client/dial.h"
#include "api/client/tls.h"
#include "tests/client/certificate.h"
#include "tests/client/program.h"
#include "tests/client/raw_server.h"
#include "tests/client/tunnel.h"
#include "tests/client/vault_server.h"

using leasehold::Code;
using leasehold::Descriptor;
using leasehold::Seconds;
using leasehold::client::begin_tls;
using leasehold::client::Deadline;
using leasehold::client::make_tls_context;
using leasehold::testing::Certificate;
using leasehold::testing::Outcome;
using leasehold::testing::Program;
using leasehold::testing::RawServer;
using leasehold::testing::Tunnel;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Asks a vault at `address`; a proxy leads there when one is named.
Outcome ask(const std::string& address, const std::string& proxy = {}) {
  Program program(address);
  program.environment["VAULT_TOKEN"] = "hvs.secret";
  program.environment["VAULT_CLIENT_TIMEOUT"] = "1s";
  if (!proxy.empty()) program.environment["VAULT_PROXY_ADDR"] = "http://" + proxy;
  return program.run({"read", "s"});
}

constexpr char kVault[] = "https://vault.test:8200";

// A handshake's record, as a server begins one: 16 KiB are announced.
std::string record_head() { return {"\x16\x03\x03\x40\x00", 5}; }

// A clock that goes on by a second whenever it is asked.
class Hasty final : public leasehold::Clock {
 public:
  leasehold::WallTime now() override { return {}; }
  leasehold::Instant instant() override { return {seconds_++ * 1'000'000'000}; }

 private:
  std::int64_t seconds_ = 0;
};

}  // namespace

TEST_CASE("hostile: whoever spreads the bytes of a connection is cut off in time") {
  struct Row {
    const char* what;
    std::string first, more;
    int pause_millis;
  };
  const Row kRows[] = {
      {"a head in drops", "HTTP/1.1 200 OK\r\nX-Slow: ", "a", 100},
      {"a handshake in drops", record_head(), "\x02", 100},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.what);
    const RawServer server(row.first, row.more, row.pause_millis);
    const bool is_head = contains(row.first, "HTTP");
    const auto run =
        is_head ? ask(kVault, server.authority()) : ask("https://" + server.authority());
    CHECK(run.code == 2);
    CHECK(contains(run.err, is_head ? "no whole answer within 1 s" : "did not end in time"));
    CHECK(contains(run.err, "VAULT_CLIENT_TIMEOUT"));
  }
}

TEST_CASE("hostile: a handshake that never pauses is cut off in time") {
  // "Hello requests" (RFC 5246, section 7.4.1.1): OpenSSL passes over them without coming back.
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
  const Descriptor client(ends[0]), server(ends[1]);
  const std::string requests = record_head() + std::string(16384, 0);
  for (int i = 0; i < 4; ++i)
    REQUIRE(::send(server.get(), requests.data(), requests.size(), 0) == ssize_t(requests.size()));
  Hasty clock;
  Deadline deadline(clock, Seconds(4));
  const auto context = make_tls_context({}, "vault.test");
  REQUIRE(context.ok());
  const auto session = begin_tls(*context, "vault.test", client.get(), "vault.test", deadline);
  CHECK(session.is(Code::deadline));
  int unread = 0;
  CHECK(::ioctl(client.get(), FIONREAD, &unread) == 0);
  CHECK(unread > 0);
}

TEST_CASE("hostile: a head that is too large is given up, of a server and of a proxy") {
  struct Row {
    std::string first, more;
    const char* says;
  };
  const std::string many(4096, 'a');
  const Row kRows[] = {
      {"HTTP/1.1 200 " + std::string(60'000, 'a') + "\r\n\r\n", {}, "the first line of the answer"},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ", many, "the first line of the answer"},
      {"HTTP/1.1 200 OK\r\n", "X-A: " + many + "\r\n", "the head of the answer"},
      {"HTTP/1.1 200 OK\r\nX-A: ", many, "the head of the answer"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.first.substr(0, 100));
    const RawServer server(row.first, row.more);
    CHECK(contains(ask("http://" + server.authority()).err, row.says));
    CHECK(contains(ask(kVault, server.authority()).err, row.says));
  }
}

TEST_CASE("hostile: what a proxy answers is not taken for the vault's answer") {
  struct Row {
    const char *answers, *says, *hint;
  };
  constexpr Row kRows[] = {
      {"HTTP/1.1 407 P\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "the proxy answered 407",
       "hint: give a name and a password that it takes: VAULT_PROXY_ADDR="},
      {"HTTP/1.1 407 P\r\nProxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n",
       "the proxy answered 407", "hint: give a name and a password that it takes"},
      {"HTTP/1.1 403 F\r\nContent-Length: 2\r\n\r\n{}", "the proxy answered 403",
       "hint: ask who runs the proxy"},
      {"HTTP/1.1 502 B\r\nConnection: close\r\n\r\n", "the proxy answered 502",
       "hint: ask who runs the proxy"},
      {"SSH-2.0-OpenSSH\r\n\r\n", "the proxy answered not in HTTP", "hint: ask who runs the proxy"},
      {"HTTP/1.1 200 OK\r\n\r\nno TLS", "tls: the handshake", "pass TLS on unread"},
  };
  for (const Row& row : kRows) {
    CAPTURE(std::string(row.says));
    const RawServer proxy(row.answers);
    const auto run = ask(kVault, proxy.authority());
    CHECK(run.code == 2);
    CHECK(contains(run.err, std::string("through the proxy http://") + proxy.authority()));
    CHECK(contains(run.err, row.says));
    CHECK_MESSAGE(contains(run.err, row.hint), run.err);
    CHECK_FALSE(contains(run.err, "VAULT_ADDR=http://"));
    if (!contains(row.says, "407")) continue;
    const auto plain = ask("http://vault.test:8200", proxy.authority());
    CHECK(contains(plain.err, row.says));
    CHECK(contains(plain.err, row.hint));
  }
  CHECK(
      contains(ask(kVault, "127.0.0.1:1").err, "hint: is this the address of a proxy that runs?"));
}

TEST_CASE("hostile: a server without TLS behind no proxy gets the hint that it may have none") {
  const RawServer server("HTTP/1.1 400 B\r\nConnection: close\r\n\r\n");
  CHECK(contains(ask("https://" + server.authority()).err, "set VAULT_ADDR=http://"));
}

TEST_CASE("hostile: another name than the address's is asked for through a proxy, too") {
  const Certificate certificate;
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Tunnel tunnel(server.port());
  Program program("https://elsewhere.test:8200");
  program.environment["VAULT_HTTP_PROXY"] = "http://" + tunnel.address();
  program.environment["VAULT_TLS_SERVER_NAME"] = "vault.test";
  CHECK(program.run({"read", "-ca-cert=" + certificate.file(), "-field=k", "s"}).out == "v");
  CHECK(contains(tunnel.request(), "CONNECT elsewhere.test:8200"));
}

TEST_CASE("hostile: one silent address leaves time for the others") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Descriptor one(ends[0]), other(ends[1]);
  leasehold::SystemClock clock;
  const Deadline deadline(clock, Seconds(3));
  CHECK_FALSE(deadline.is_ready(one.get(), POLLIN, 30));
  CHECK_FALSE(deadline.passed());
}
