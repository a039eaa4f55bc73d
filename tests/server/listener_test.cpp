#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <ctime>
#include <thread>

#include "tests/server/echo_core.h"
#include "tests/support/null_log.h"

using namespace leasehold;
using namespace leasehold::testing;

namespace {

constexpr std::string_view kGet = "GET /v1/a/b HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\n\r\n";

std::string post(std::string_view path, std::string_view body) {
  return "POST /v1/" + std::string(path) +
         " HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// Within a minute, read by a parser that is not ours.
bool is_date_of_now(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return end != nullptr && *end == '\0' && std::abs(::timegm(&parts) - std::time(nullptr)) < 60;
}

}  // namespace

TEST_CASE("listener: a request is answered with Vault's headers, and the connection stays") {
  const TestServer server;
  RawClient client = server.connect();
  for (int i = 0; i < 3; ++i) {
    const Reply reply = client.ask(kGet);
    CHECK(reply.status == 200);
    CHECK(reply.header("Content-Type") == "application/json");
    CHECK(reply.header("Cache-Control") == "no-store");
    CHECK(is_date_of_now(reply.header("Date")));
    CHECK(reply.header("Strict-Transport-Security").empty());
    CHECK(reply.body.find(R"("operation":"read","path":"a/b","token":"t")") != std::string::npos);
    CHECK(reply.body.find(R"("address":"127.0.0.1")") != std::string::npos);
  }
}

TEST_CASE("listener: every answer has a date, refusals and redirects too") {
  const TestServer server;
  for (const char* request : {"POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n{",
                              "NONSENSE\r\n\r\n", "GET /v1/%00 HTTP/1.1\r\nHost: x\r\n\r\n"}) {
    const Reply reply = server.connect().ask(request);
    CHECK(reply.status == 400);
    CHECK(is_date_of_now(reply.header("Date")));
  }
  RawClient client = server.connect();
  const Reply reply = client.ask("GET //v1//a/b?x=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(reply.status == 307);
  CHECK(reply.header("Location") == "/v1/a/b?x=1");
  CHECK(is_date_of_now(reply.header("Date")));
  CHECK(client.ask(kGet).status == 200);  // on the same connection
}

TEST_CASE("listener: a request may arrive byte by byte") {
  const TestServer server;
  RawClient client = server.connect();
  const std::string request = post("a", R"({"k":"v"})");
  for (const char byte : request) client.send({&byte, 1});
  const Reply reply = client.reply();
  CHECK(reply.status == 200);
  CHECK(reply.body.find(R"("body":{"k":"v"})") != std::string::npos);
}

TEST_CASE("listener: pipelined requests are answered in their order, slow ones too") {
  TestServer server;
  RawClient client = server.connect();
  std::string all;
  for (int i = 0; i < 50; ++i) all += post("n" + std::to_string(i), "{}");
  all += "GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 50; i < 100; ++i) all += post("n" + std::to_string(i), "{}");
  client.send(all);
  for (int i = 0; i < 50; ++i)
    CHECK(client.reply().body.find("\"n" + std::to_string(i) + "\"") != std::string::npos);
  server.core.release();
  CHECK(client.reply().body.find("\"held\"") != std::string::npos);
  for (int i = 50; i < 100; ++i)
    CHECK(client.reply().body.find("\"n" + std::to_string(i) + "\"") != std::string::npos);
}

TEST_CASE("listener: 600 idle connections do not keep others waiting") {
  const TestServer server;
  std::vector<RawClient> idle;
  for (int i = 0; i < 600; ++i) idle.push_back(server.connect());
  for (RawClient& client : idle) client.send("GET /v1/");
  RawClient active = server.connect();
  for (int i = 0; i < 20; ++i) CHECK(active.ask(kGet).status == 200);
  for (RawClient& client : idle) client.send("x HTTP/1.1\r\nHost: x\r\n\r\n");
  for (RawClient& client : idle) CHECK(client.reply().status == 200);
}

TEST_CASE("listener: the verbs of Vault's clients are served") {
  const TestServer server;
  RawClient client = server.connect();
  const Reply list = client.ask("LIST /v1/a/b HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(list.body.find(R"("operation":"list","path":"a/b/")") != std::string::npos);
  const Reply put = client.ask("PUT /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(put.body.find(R"("operation":"update")") != std::string::npos);
  client.send("HEAD /v1/sys/health HTTP/1.1\r\nHost: x\r\n\r\n");
  const Reply head = client.reply(true);
  CHECK(head.status == 200);
  CHECK(head.header("Content-Length") != "0");
  CHECK(client.ask("BREW /v1/a HTTP/1.1\r\nHost: x\r\n\r\n").body == "{\"errors\":[]}\n");
  const Reply old = client.ask("GET /v1/a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(old.header("Connection") == "keep-alive");
  CHECK(client.ask("GET /v1/a HTTP/1.0\r\n\r\n").header("Connection") == "close");
  CHECK(client.ended());
}

TEST_CASE("listener: a body on GET is not the next request") {
  const TestServer server;
  RawClient client = server.connect();
  const std::string inner = "GET /v1/smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
  client.send("GET /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(inner.size()) +
              "\r\n\r\n" + inner + std::string(kGet));
  CHECK(client.reply().body.find(R"("path":"a")") != std::string::npos);
  CHECK(client.reply().body.find(R"("path":"a/b")") != std::string::npos);
}

TEST_CASE("listener: after a refusal nothing more is read from the connection") {
  const TestServer server;
  for (const std::string_view head :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n",
        "Content-Length: 4\r\nContent-Length: 4\r\n", " folded: x\r\n", "Space : x\r\n"}) {
    CAPTURE(head);
    RawClient client = server.connect();
    client.send("POST /v1/a HTTP/1.1\r\nHost: x\r\n" + std::string(head) + "\r\n0\r\n\r\n" +
                std::string(kGet));
    const Reply refused = client.reply();
    CHECK(refused.status >= 400);
    CHECK(refused.header("Connection") == "close");
    CHECK(client.ended());
  }
}

TEST_CASE("listener: a client that waits for 100 Continue is told to go on, or why not") {
  ServerOptions options;
  options.settings.http.body_bytes = 1024;
  const TestServer server(options);
  RawClient client = server.connect();
  const std::string head = "POST /v1/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n";
  client.send(head + "Content-Length: 7\r\n\r\n");
  CHECK(client.reply(true).status == 100);
  CHECK(client.ask(R"({"k":1})").status == 200);
  client.send(head + "Content-Length: 9999\r\n\r\n");
  CHECK(client.reply().status == 413);
}

TEST_CASE("listener: clients that come, ask and go at any moment leave nothing behind") {
  TestServer server;
  std::atomic<bool> done{false};
  std::thread core([&] {
    while (!done) {
      if (!server.core.release_one()) std::this_thread::yield();
    }
  });
  std::vector<std::thread> clients;
  for (unsigned seed = 0; seed < 3; ++seed)
    clients.emplace_back([&server, seed] {
      for (unsigned i = 0; i < 150; ++i) {
        RawClient client = server.connect();
        const unsigned choice = (i * 7 + seed * 3) % 8;
        for (unsigned n = 0; n <= choice % 4; ++n)
          client.send(n % 2 == 0 ? "GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n" : kGet);
        if (choice == 5) client.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
        if (choice == 6) client.send("POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Le");
        if (choice == 7) client.finish_sending();
        if (choice % 2 == 0) client.reply();
        if (choice % 3 == 0) client.reset();
      }
    });
  for (std::thread& client : clients) client.join();
  server.listener->stop_intake();
  server.listener->join();
  done = true;
  core.join();
  CHECK_FALSE(server.core.release_one());
  CHECK(server.listener->connections() == 0);
}

TEST_CASE("listener: a large answer reaches a slow reader whole") {
  const TestServer server;
  RawClient client = server.connect();
  client.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  const Reply reply = client.reply();
  CHECK(reply.status == 200);
  CHECK(reply.body.size() > (4u << 20));
  CHECK(client.ask(kGet).status == 200);
}

TEST_CASE("listener: a body of many segments arrives whole, and one over the limit is refused") {
  ServerOptions options;
  options.settings.http.body_bytes = 1u << 20;
  const TestServer server(options);
  RawClient client = server.connect();
  const std::string text(900'000, 'v');
  const Reply reply = client.ask(post("a", "{\"k\":\"" + text + "\"}"));
  CHECK(reply.status == 200);
  CHECK(reply.body.find(text) != std::string::npos);
  const Reply refused = client.ask(post("a", "{\"k\":\"" + text + text + "\"}"));
  CHECK(refused.status == 413);
  CHECK(refused.body == "{\"errors\":[\"http: request body too large\"]}\n");
  CHECK(refused.header("Connection") == "close");
}

TEST_CASE("listener: what comes too slowly is ended") {
  ServerOptions options;
  options.settings.read_header_timeout = Millis(60);
  options.settings.read_timeout = Millis(60);
  options.settings.idle_timeout = Millis(60);
  const TestServer server(options);
  RawClient client = server.connect();
  SUBCASE("no byte at all") { CHECK(client.ended()); }
  SUBCASE("a head that does not end") {
    client.send("GET /v1/a HTTP/1.1\r\nHo");
    CHECK(client.reply().status == 408);
    CHECK(client.ended());
  }
  SUBCASE("a body that does not end") {
    client.send("POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    CHECK(client.reply().status == 408);
    CHECK(client.ended());
  }
  SUBCASE("an idle connection") {
    CHECK(client.ask(kGet).status == 200);
    CHECK(client.ended());
  }
}

TEST_CASE("listener: a head that trickles in does not win time with each byte") {
  ServerOptions options;
  options.settings.read_header_timeout = Millis(400);
  options.settings.http.head_bytes = 1u << 30;  // only time ends it
  const TestServer server(options);
  RawClient client = server.connect();
  SystemClock clock;
  const Instant end = add(clock.instant(), std::chrono::milliseconds(200));
  client.send("GET /v1/a HTTP/1.1\r\nHost: x\r\nX: ");
  std::string one = "y";
  while (clock.instant() < end) client.send(one);
  CHECK(client.reply().status == 408);
}

TEST_CASE("listener: a reader that stops reading is given up, and its answer handed back") {
  ServerOptions options;
  options.settings.write_timeout = Millis(60);
  TestServer server(options);
  RawClient client = server.connect();
  client.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_undelivered(1));
  CHECK(server.core.undelivered_leases() == std::vector<std::string>{"big/lease"});
}

TEST_CASE("listener: at the cap the connection idle longest gives way") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 3;
  const TestServer server(options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(server.connect());
    CHECK(clients.back().ask(kGet).status == 200);
  }
  RawClient fourth = server.connect();
  CHECK(fourth.ask(kGet).status == 200);
  CHECK(clients[0].ended());
  CHECK(clients[1].ask(kGet).status == 200);
}

TEST_CASE("listener: at the cap without an idle one the newcomer is told to come back") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 1;
  TestServer server(options);
  RawClient first = server.connect();
  first.send("GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_held(1));
  RawClient second = server.connect();
  const Reply reply = second.reply();
  CHECK(reply.status == 503);
  CHECK(reply.header("Retry-After") == "1");
  CHECK(is_date_of_now(reply.header("Date")));
  server.core.release();
  CHECK(first.reply().status == 200);
}

TEST_CASE("listener: a request carries the headers that are asked for, and no others") {
  TestServer server;
  const std::string ask =
      "GET /v1/a HTTP/1.1\r\nHost: x\r\nX-Trace: one\r\nx-user:  bob \r\nX-TRACE:two\r\n"
      "X-Tracer: no\r\nX-Empty:\r\n\r\n";
  const auto carried = [&](RawClient& client) {
    const Json answer = *parse_json(client.ask(ask).body);
    return answer.find("data")->find("headers")->dump();
  };
  RawClient client = server.connect();
  CHECK(carried(client) == "[]");
  server.core.asked.ask_for({"x-empty", "x-trace", "host"});
  CHECK(carried(client) == R"(["host=x","x-trace=one","x-trace=two","x-empty="])");
  RawClient another = server.connect();
  CHECK(carried(another) == R"(["host=x","x-trace=one","x-trace=two","x-empty="])");
  // A trailer is none.
  const std::string post =
      "POST /v1/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\n{}\r\n0\r\nX-Trace: four\r\n\r\n";
  CHECK(parse_json(client.ask(post).body)->find("data")->find("headers")->dump() ==
        R"(["host=x"])");
  server.core.asked.ask_for({});
  CHECK(carried(client) == "[]");
}

TEST_CASE("listener: with too many requests in flight the next is refused, not queued") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.in_flight_per_thread = 1;
  TestServer server(options);
  RawClient first = server.connect(), second = server.connect();
  first.send("GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_held(1));
  const Reply refused = second.ask(kGet);
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK(refused.body.find("busy: too many requests are in flight already") != std::string::npos);
  server.core.release();
  CHECK(first.reply().status == 200);
  CHECK(second.ask(kGet).status == 200);
}

TEST_CASE(
    "listener: without a free descriptor a connection is dropped, and later ones are served") {
  const TestServer server;
  RawClient first =
      server.connect();  // stays: a descriptor freed meanwhile would let the next one in
  CHECK(first.ask(kGet).status == 200);
  RawClient dropped{RawClient::Later{}};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  const rlimit none_free{static_cast<rlim_t>(lowest_free), before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none_free) == 0);
  dropped.connect(server.address());
  CHECK(dropped.ended());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(first.ask(kGet).status == 200);
  CHECK(server.connect().ask(kGet).status == 200);
}

TEST_CASE("listener: while no descriptor can be had at all, a waiting connection costs nothing") {
  const TestServer server;
  RawClient first = server.connect();
  CHECK(first.ask(kGet).status == 200);
  RawClient waiting{RawClient::Later{}};
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{3, before.rlim_max};  // not even the spare one that is given up
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  waiting.connect(server.address());
  const std::clock_t begun = std::clock();
  pollfd answered{waiting.fd(), POLLIN, 0};
  CHECK(::poll(&answered, 1, 1000) == 0);  // nothing comes: it is neither served nor dropped
  const double busy = static_cast<double>(std::clock() - begun) / CLOCKS_PER_SEC;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(busy < 0.3);
  CHECK(first.ask(kGet).status == 200);
  CHECK(waiting.ask(kGet).status == 200);
  CHECK(server.connect().ask(kGet).status == 200);
}

TEST_CASE("listener: at the cap who has asked nothing gives way before an idle one") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 3;
  const TestServer server(options);
  RawClient idle = server.connect();
  CHECK(idle.ask(kGet).status == 200);
  RawClient silent = server.connect(), slow = server.connect();
  slow.send("GET /v1/a HTTP/1.1\r\nHo");
  RawClient fourth = server.connect(), fifth = server.connect();
  CHECK(silent.ended());
  CHECK(slow.ended());
  CHECK(fourth.ask(kGet).status == 200);
  CHECK(fifth.ask(kGet).status == 200);
  CHECK(idle.ask(kGet).status == 200);
}

TEST_CASE("listener: at a cap full of idle connections newcomers do not push each other out") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 9;
  const TestServer server(options);
  std::vector<RawClient> idle;
  for (int i = 0; i < 8; ++i) {
    idle.push_back(server.connect());
    CHECK(idle.back().ask(kGet).status == 200);
  }
  RawClient first = server.connect(), second = server.connect();
  CHECK(second.ask(kGet).status == 200);
  CHECK(first.ask(kGet).status == 200);
  CHECK(idle[0].ended());
}

TEST_CASE("listener: unfinished bodies and unread answers keep no newcomer out") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 2;
  const TestServer server(options);
  RawClient body = server.connect(), reader = server.connect();
  body.send("POST /v1/a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
  reader.send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
  char byte = 0;
  REQUIRE(::read(reader.fd(), &byte, 1) == 1);
  RawClient third = server.connect();
  CHECK(third.ask(kGet).status == 200);
  CHECK(body.ended());
}

TEST_CASE("listener: readers that do not read keep so much of it, then the slowest gives way") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 64;
  options.limits.buffered_bytes_per_thread = 24u << 20;
  TestServer server(options);
  std::vector<RawClient> readers;
  for (int i = 0; i < 6; ++i) {
    readers.push_back(server.connect());
    readers.back().send("GET /v1/big HTTP/1.1\r\nHost: x\r\n\r\n");
    char byte = 0;  // of the head: its answer is made
    REQUIRE(::recv(readers.back().fd(), &byte, 1, MSG_PEEK) == 1);
  }
  REQUIRE(server.core.wait_for_undelivered(3));
  CHECK(readers.front().reply().status == 0);
  CHECK(readers.back().reply().status == 200);
}

TEST_CASE("listener: of unfinished bodies the oldest large one gives way, never a small one") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 16;
  options.limits.buffered_bytes_per_thread = 1u << 20;
  const TestServer server(options);
  const std::string large =
      "POST /v1/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\nContent-Length: 2000000\r\n\r\n" +
      std::string(700'000, ' ');
  RawClient small = server.connect(), first = server.connect(), second = server.connect(),
            third = server.connect();
  const std::string request = post("a", R"({"k":"v"})");
  small.send(std::string_view(request).substr(0, request.size() - 5));
  first.send(large);
  second.send(large);
  const Reply refused = first.reply();
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  third.send(large);
  CHECK(second.reply().status == 503);
  CHECK(small.ask(std::string_view(request).substr(request.size() - 5)).status == 200);
}

TEST_CASE("listener: the body of a request in flight counts until the answer, as what it became") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.connections = 16;
  options.limits.buffered_bytes_per_thread = 1u << 20;
  TestServer server(options);
  const std::string large = R"({"k":")" + std::string(700'000, 'v') + "\"}";
  std::string zeros = R"({"k":[0)";
  for (int i = 0; i < 20'000; ++i) zeros += ",0";
  CHECK(server.connect().ask(post("a", zeros + "]}")).status == 503);
  RawClient waiting = server.connect();
  waiting.send(post("held", large));
  REQUIRE(server.core.wait_for_held(1));
  const Reply refused = server.connect().ask(post("a", large));
  CHECK(refused.status == 503);
  CHECK(refused.header("Retry-After") == "1");
  CHECK(server.connect().ask(post("a", R"({"k":"v"})")).status == 200);
  server.core.release();
  CHECK(waiting.reply().status == 200);
  CHECK(server.connect().ask(post("a", large)).status == 200);
}

TEST_CASE("listener: a client that pipelines waits its turn like others") {
  ServerOptions options;
  options.limits.threads = 1;
  TestServer server(options);
  RawClient greedy = server.connect(), modest = server.connect();
  CHECK(modest.ask(kGet).status == 200);
  std::string all = "GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 500; ++i) all += kGet;
  greedy.send(all);
  REQUIRE(server.core.wait_for_block());
  modest.send(kGet);
  server.core.unblock();
  CHECK(order_of(modest.reply().body) < 100);
  for (int i = 0; i < 501; ++i) CHECK(greedy.reply().status == 200);
}

TEST_CASE("listener: who sends no body does not wait until all bodies are parsed") {
  ServerOptions options;
  options.limits.threads = 1;
  TestServer server(options);
  RawClient blocker = server.connect(), modest = server.connect();
  std::vector<RawClient> bodies;
  for (int i = 0; i < 8; ++i) bodies.push_back(server.connect());
  for (RawClient& client : bodies) CHECK(client.ask(kGet).status == 200);
  CHECK(modest.ask(kGet).status == 200);
  blocker.send("GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_block());
  const std::string body = R"({"k":")" + std::string(50'000, 'v') + "\"}";
  for (RawClient& client : bodies) client.send(post("a", body));
  modest.send(kGet);
  server.core.unblock();
  CHECK(order_of(modest.reply().body) < 9 + 1 + 8);
  for (RawClient& client : bodies) CHECK(client.reply().status == 200);
}

TEST_CASE("listener: a body is parsed before those that came later, however many they are") {
  ServerOptions options;
  options.limits.threads = 1;
  TestServer server(options);
  RawClient blocker = server.connect(), patient = server.connect();
  CHECK(patient.ask(kGet).status == 200);
  const std::string body = R"({"k":")" + std::string(50'000, 'v') + "\"}";
  constexpr int kGreedy = 8, kAsks = 200;
  std::atomic<int> begun{0};
  const auto be_greedy = [&server, &body, &begun] {
    RawClient client = server.connect();
    client.send(post("a", body) + post("a", body));
    for (int i = 0; i < kAsks; ++i) {
      if (client.reply().status != 200) return;
      if (i == 0) ++begun;
      client.send(post("a", body));
    }
  };
  std::vector<std::thread> greedy;
  for (int i = 0; i < kGreedy; ++i) greedy.emplace_back(be_greedy);
  CHECK(eventually([&] { return begun == kGreedy; }));
  const int before = order_of(patient.ask(kGet).body);
  // More than are answered in a turn, so that the body is come to between turns.
  std::string all;
  for (int i = 0; i < 16; ++i) all += kGet;
  patient.send(all + post("a", body));
  for (int i = 0; i < 16; ++i) CHECK(patient.reply().status == 200);
  CHECK(order_of(patient.reply().body) < before + 16 * kGreedy);
  for (std::thread& thread : greedy) thread.join();
}

TEST_CASE("listener: who hangs up while its body waits to be parsed is forgotten") {
  ServerOptions options;
  options.limits.threads = 1;
  TestServer server(options);
  RawClient blocker = server.connect();
  std::vector<RawClient> bodies;
  for (int i = 0; i < 8; ++i) bodies.push_back(server.connect());
  for (RawClient& client : bodies) CHECK(client.ask(kGet).status == 200);
  blocker.send("GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_block());
  const std::string body = R"({"k":")" + std::string(50'000, 'v') + "\"}";
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    bodies[i].send(post("a", body));
    if (i % 2 == 1) bodies[i].reset();
  }
  server.core.unblock();
  for (std::size_t i = 0; i < bodies.size(); i += 2) CHECK(bodies[i].reply().status == 200);
  CHECK(eventually([&] { return server.listener->connections() == 5; }));
}

TEST_CASE("listener: bytes kept for unfinished bodies are bounded") {
  ServerOptions options;
  options.limits.threads = 1;
  options.limits.buffered_bytes_per_thread = 1u << 20;
  const TestServer server(options);
  RawClient client = server.connect();
  client.send(
      "POST /v1/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\nContent-Length: 2000000\r\n\r\n" +
      std::string(1'500'000, ' '));
  CHECK(client.reply().status == 503);
}

TEST_CASE(
    "listener: shutting down answers what is in flight, closes the rest and takes nothing new") {
  TestServer server;
  RawClient busy = server.connect(), idle = server.connect();
  CHECK(idle.ask(kGet).status == 200);
  busy.send("GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_held(1));
  server.listener->stop_intake();
  CHECK(idle.ended());
  server.core.release();
  const Reply last = busy.reply();
  CHECK(last.status == 200);
  CHECK(last.header("Connection") == "close");
  server.listener->join();
  CHECK(server.listener->connections() == 0);
}

TEST_CASE("listener: a port that another process has is refused with advice") {
  const TestServer server;
  ServerOptions options;
  options.settings.address = server.address();
  EchoCore core;
  SystemClock clock;
  NullLog log;
  const auto second = server::Listener::open({options.settings}, options.limits, core, clock, log);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().message.find("address is in use") != std::string::npos);
}

TEST_CASE("listener: a unix socket has its mode, replaces a dead one and goes with the listener") {
  char folder[] = "/tmp/leasehold-listener-XXXXXX";
  REQUIRE(::mkdtemp(folder) != nullptr);
  const std::string path = std::string(folder) + "/api.sock";
  ServerOptions options;
  options.settings.kind = server::ListenerSettings::Kind::unix_socket;
  options.settings.address = path;
  options.settings.socket.mode = 0660;
  const bool as_root = ::geteuid() == 0;  // else only its own group can be given
  options.settings.socket.group = as_root ? 4711 : ::getegid();
  struct stat file {};
  {
    const TestServer server(options);
    REQUIRE(::stat(path.c_str(), &file) == 0);
    CHECK((file.st_mode & 0777) == 0660);
    CHECK(file.st_gid == options.settings.socket.group);
    CHECK(file.st_uid == ::geteuid());
    CHECK(server.connect().ask(kGet).status == 200);
    EchoCore core;
    SystemClock clock;
    NullLog log;
    const auto second =
        server::Listener::open({options.settings}, options.limits, core, clock, log);
    CHECK_FALSE(second.ok());
    REQUIRE(::link(path.c_str(), (path + ".kept").c_str()) == 0);
  }
  CHECK(::stat(path.c_str(), &file) != 0);
  REQUIRE(::rename((path + ".kept").c_str(), path.c_str()) == 0);  // as after a crash
  {
    const TestServer server(options);
    CHECK(server.connect().ask(kGet).status == 200);
  }
  ::rmdir(folder);
}
