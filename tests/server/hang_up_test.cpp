// Clients that close their side, or all of it, while an answer is made or on its way.

#include <unistd.h>

#include "tests/server/echo_core.h"
#include "tests/support/temporary_folder.h"

using namespace leasehold;
using namespace leasehold::testing;

namespace {

constexpr std::string_view kGet = "GET /v1/a/b HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\n\r\n";

}  // namespace

TEST_CASE("listener: a client that closes its side with the request is answered") {
  TestServer server;
  RawClient client = server.connect();
  client.send(kGet);
  client.finish_sending();
  CHECK(client.reply().status == 200);
  CHECK(client.ended());
}

TEST_CASE("listener: a client that closes its side while it waits is answered, and keeps it") {
  const TemporaryFolder folder;
  ServerOptions options;
  SUBCASE("over TCP") {}
  SUBCASE("over a unix socket") {
    options.settings.kind = server::ListenerSettings::Kind::unix_socket;
    options.settings.address = folder.path() + "/s";
  }
  for (const bool last : {false, true}) {
    CAPTURE(last);
    TestServer server(options);
    RawClient client = server.connect();
    const std::string close = last ? "Connection: close\r\n" : "";
    client.send("GET /v1/held HTTP/1.1\r\nHost: x\r\n" + close + "\r\n");
    REQUIRE(server.core.wait_for_held(1));
    if (!last) client.send(kGet);
    client.finish_sending();
    for (int i = 0; i < 20; ++i) CHECK(server.connect().ask(kGet).status == 200);
    server.core.release();
    CHECK(client.reply().status == 200);
    if (!last) CHECK(client.reply().status == 200);
    CHECK(client.ended());
    client.hang_up();
    CHECK(eventually([&] { return server.listener->connections() == 0; }));
    CHECK(server.core.undelivered_leases().empty());
  }
}

TEST_CASE("listener: an answer that nobody waits for is handed back") {
  TestServer server;
  std::string connection = "keep-alive";
  SUBCASE("of a connection that stays") {}
  SUBCASE("of one that ends with it") { connection = "close"; }
  bool reset = false;
  SUBCASE("the client closed") {}
  SUBCASE("the connection was reset") { reset = true; }
  {
    RawClient client = server.connect();
    client.send("GET /v1/held HTTP/1.1\r\nHost: x\r\nConnection: " + connection + "\r\n\r\n");
    REQUIRE(server.core.wait_for_held(1));
    if (reset) client.reset();
  }
  // The hang-up has to arrive first: another request on each thread is answered after it.
  for (int i = 0; i < 20; ++i) CHECK(server.connect().ask(kGet).status == 200);
  server.core.release();
  REQUIRE(server.core.wait_for_undelivered(1));
  CHECK(server.core.undelivered_leases() == std::vector<std::string>{"held/lease"});
}

TEST_CASE("listener: what did not arrive is handed back before the vault is sealed") {
  TestServer server;
  RawClient client = server.connect();
  client.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  SUBCASE("to a client that goes on") {}
  SUBCASE("to one that closed its side") { ::shutdown(client.fd(), SHUT_WR); }
  char some[1024];
  REQUIRE(::read(client.fd(), some, sizeof some) > 0);
  server.listener->stop_intake();
  CHECK(server.core.undelivered_leases() == std::vector<std::string>{"big/lease"});
}

TEST_CASE("listener: an answer that was sent in part is handed back when the client goes") {
  TestServer server;
  RawClient client = server.connect();
  client.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  char some[1024];
  REQUIRE(::read(client.fd(), some, sizeof some) > 0);
  client.reset();
  REQUIRE(server.core.wait_for_undelivered(1));
  CHECK(server.core.undelivered_leases() == std::vector<std::string>{"big/lease"});
}
