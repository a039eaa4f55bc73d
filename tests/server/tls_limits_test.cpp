// What a stranger may take of the others by TLS alone: time, turns and memory.

#include <poll.h>

#include <algorithm>

#include "api/server/hello_watch.h"
#include "tests/server/tls_fixture.h"

using namespace leasehold;
using namespace leasehold::testing;

TEST_CASE_FIXTURE(TlsFixture, "tls: a handshake that does not end is ended") {
  options.limits.handshake = Millis(60);
  const TestServer server(options);
  RawClient silent = server.connect();
  CHECK(silent.ended());
  RawClient halfway = server.connect();
  halfway.send("\x16\x03\x01");
  CHECK(halfway.ended());
  CHECK(served(TlsClient(server.address(), client.context).ask(kGet)));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: who only renews keys is ended, who also asks is served") {
  const TestServer server(options);
  TlsClient honest(server.address(), client.context);
  for (int i = 0; i < 200; ++i) {
    honest.send(renewals(honest.ssl(), 10));
    CHECK(served(honest.ask(kGet)));
  }
  TlsClient endless(server.address(), client.context);
  CHECK(served(endless.ask(kGet)));
  endless.send(renewals(endless.ssl(), 5000));
  CHECK(endless.ask(kGet).empty());
}

TEST_CASE_FIXTURE(TlsFixture, "tls: what a connection sends beside its data is read in turns") {
  options.limits.threads = 1;
  TestServer server(options);
  TlsClient blocker(server.address(), client.context);
  TlsClient clients[] = {{server.address(), client.context}, {server.address(), client.context}};
  std::string floods[2];
  for (int one = 0; one < 2; ++one) {
    SSL* const ssl = clients[one].ssl();
    CHECK(served(clients[one].ask(kGet)));
    for (int i = 0; i < 4; ++i) {  // 60 KiB, each record after the one before
      floods[one] += renewals(ssl, 550);
      floods[one] += written(ssl, kGet);
    }
  }
  blocker.write("GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_block());
  for (int one = 0; one < 2; ++one) clients[one].send(floods[one]);
  server.core.unblock();
  int first[2], last[2];
  for (int one = 0; one < 2; ++one) {
    std::string answers;
    constexpr std::string_view kId = "\"request_id\"";
    for (std::size_t seen = 0; seen < 4;) {
      const std::string more = clients[one].answer();
      REQUIRE_FALSE(more.empty());
      for (auto at = more.find(kId); at != more.npos; at = more.find(kId, at + 1)) ++seen;
      answers += more;
    }
    first[one] = order_of(answers);
    last[one] = order_of(std::string_view(answers).substr(answers.rfind(kId)));
  }
  CHECK(first[0] < last[1]);
  CHECK(first[1] < last[0]);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: handshakes wait for those who are connected") {
  options.limits.threads = 1;
  TestServer server(options);
  const std::string hello = client_hello(client.context);
  TlsClient blocker(server.address(), client.context), busy(server.address(), client.context);
  CHECK(served(busy.ask(kGet)));
  const std::string_view block = "GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n";
  blocker.write(block);
  REQUIRE(server.core.wait_for_block());
  std::vector<RawClient> flood;
  for (int i = 0; i < 12; ++i) {
    flood.push_back(server.connect());
    flood.back().send(hello);
  }
  std::string requests;  // more than one turn takes
  for (int i = 0; i < 64; ++i) requests += kGet;
  busy.write(requests + std::string(block));
  server.core.unblock();
  REQUIRE(server.core.wait_for_block());
  const auto heard = [&] {
    return std::count_if(flood.begin(), flood.end(), [](const RawClient& one) {
      pollfd waits{one.fd(), POLLIN, 0};
      return ::poll(&waits, 1, 0) == 1;
    });
  };
  CHECK(heard() <= 8);
  server.core.unblock();
  CHECK(eventually([&] { return heard() == 12; }));
}

namespace {

// A record with what is in it; its version says nothing.
std::string record(char type, std::string_view inside) {
  const char header[] = {type, 3, 3, static_cast<char>(inside.size() >> 8),
                         static_cast<char>(inside.size())};
  return std::string(header, sizeof header).append(inside);
}
constexpr char kChange = 20, kHandshake = 22, kData = 23;

// The header of a message of this size.
std::string hello_of(std::size_t size) {
  const char header[] = {1, static_cast<char>(size >> 16), static_cast<char>(size >> 8),
                         static_cast<char>(size)};
  return {header, sizeof header};
}
std::string in_small_records(std::string_view bytes) {
  std::string all;
  for (const char byte : bytes) all += record(kHandshake, {&byte, 1});
  return all;
}

constexpr std::size_t kMax = server::HelloWatch::kMessageMax;

bool passes(std::string_view bytes, std::size_t at_once) {
  server::HelloWatch watch;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(at_once, bytes.size())))
    if (!watch.passes(bytes.substr(0, at_once))) return false;
  return true;
}

// A client that offers a group which the server does not take is asked for a second hello.
void be_asked_for_another_hello(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  REQUIRE(SSL_CTX_set1_groups_list(context, "X448:P-256") == 1);
}

}  // namespace

TEST_CASE("hello watch: a message that announces too much is seen, however it is cut") {
  const std::string fits = record(kHandshake, hello_of(kMax)) +
                           record(kHandshake, std::string(kMax, '\xff')) + record(kChange, "\1") +
                           record(kData, std::string(99, '\1'));
  for (const std::size_t at_once : {1, 2, 5, 7, 100'000}) {
    CAPTURE(at_once);
    const auto sees = [&](const std::string& bytes) { return !passes(bytes, at_once); };
    CHECK_FALSE(sees(fits));
    CHECK_FALSE(sees(record(kData, hello_of(kMax + 1))));
    CHECK(sees(record(kHandshake, hello_of(kMax + 1))));
    CHECK(sees(record(kHandshake, hello_of(131'396))));
    CHECK(sees(in_small_records(hello_of(kMax + 1))));
    CHECK(sees(fits + record(kHandshake, hello_of(kMax + 1))));
    CHECK(sees(fits + in_small_records(hello_of(2)) + record(kHandshake, "") +
               record(kHandshake, "ab" + hello_of(kMax + 1))));
  }
}

TEST_CASE_FIXTURE(TlsFixture, "tls: who announces a hello of 128 KiB is gone before it is made") {
  options.limits.handshake = Seconds{600};
  const TestServer server(options);
  RawClient stranger = server.connect();
  SUBCASE("in one record") { stranger.send(record(kHandshake, hello_of(131'396) + "\3")); }
  SUBCASE("byte by byte") { stranger.send(in_small_records(hello_of(131'396))); }
  SUBCASE("in the second one") {
    be_asked_for_another_hello(client.context);
    stranger.send(client_hello(client.context));
    char answer[4096];
    REQUIRE(::read(stranger.fd(), answer, sizeof answer) > 0);
    stranger.send(record(kChange, "\1") + record(kHandshake, hello_of(131'396)));
  }
  SUBCASE("in the second one, which is not waited for") {
    be_asked_for_another_hello(client.context);
    stranger.send(client_hello(client.context) + record(kHandshake, hello_of(131'396)));
  }
  CHECK(stranger.ended());
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a long hello, and a second one, are heard") {
  const TestServer server(options);
  SUBCASE("of each version") {
    std::string protocols;
    for (int i = 0; i < 1200; ++i) protocols += std::string("\x0b") + "http/1.1-no";
    SSL_CTX_set_alpn_protos(client.context,
                            reinterpret_cast<const unsigned char*>(protocols.data()),
                            static_cast<unsigned>(protocols.size()));
    CHECK(client_hello(client.context).size() > 14'000);
    SUBCASE("1.2") { SSL_CTX_set_max_proto_version(client.context, TLS1_2_VERSION); }
    SUBCASE("1.3") {}
  }
  SUBCASE("a second one") { be_asked_for_another_hello(client.context); }
  for (int i = 0; i < 20; ++i) CHECK(served(TlsClient(server.address(), client.context).ask(kGet)));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: many handshakes that do not end give way to who needs memory") {
  options.limits.threads = 1;
  options.limits.connections = 32;
  options.limits.handshake = Seconds{600};
  options.limits.buffered_bytes_per_thread = 2u << 20;
  const TestServer server(options);
  TlsClient honest(server.address(), client.context);
  CHECK(served(honest.ask(kGet)));
  const std::string hello = client_hello(client.context);
  std::vector<RawClient> strangers;
  for (int i = 0; i < 30; ++i) {
    strangers.push_back(server.connect());
    strangers.back().send(std::string_view(hello).substr(0, hello.size() - 1));
  }
  for (int i = 0; i < 3; ++i) CHECK(served(honest.ask(kGet)));  // so they are there
  const std::string body = R"({"k":")" + std::string(1u << 20, 'v') + "\"}";
  CHECK(
      served(honest.ask("POST /v1/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\n"
                        "Content-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n" + body)));
  CHECK(strangers.front().ended());
  pollfd last{strangers.back().fd(), POLLIN, 0};
  CHECK(::poll(&last, 1, 0) == 0);
}
