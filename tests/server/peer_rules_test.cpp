#include "api/server/peer_rules.h"

#include <doctest/doctest.h>

#include "api/server/cipher_suites.h"
#include "tests/server/echo_core.h"

using namespace leasehold;
using namespace leasehold::server;
using namespace leasehold::testing;

namespace {

constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kGet = "GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n";

// A header of version 2 with these bytes behind the fixed part.
std::string version_2(char command, char family, std::string_view rest) {
  std::string out(kSignature2);
  out += {command, family, static_cast<char>(rest.size() >> 8), static_cast<char>(rest.size())};
  return out.append(rest);
}
const std::string kV4("\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x34\x01\xbb", 12);  // 192.0.2.7:4660

ProxyHeader kind_of(std::string_view bytes) {
  ProxySays says;
  return read_proxy_header(bytes, says);
}
std::string peer_in(std::string_view bytes) {
  ProxySays says;
  REQUIRE(read_proxy_header(bytes, says) == ProxyHeader::present);
  return says.peer.address + " " + std::to_string(says.peer.port);
}

ServerOptions behind_proxy(ProxyProtocol behavior, std::vector<std::string> ranges) {
  ServerOptions options;
  options.settings.peers.proxy = behavior;
  options.settings.peers.proxies = std::move(ranges);
  return options;
}

bool says_address(const Reply& reply, const std::string& address) {
  return reply.body.find("\"address\":\"" + address + "\"") != std::string::npos;
}

}  // namespace

TEST_CASE("proxy protocol: both versions name the client") {
  CHECK(peer_in("PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\nGET") == "192.0.2.7 56324");
  CHECK(peer_in("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n") == "2001:db8::1 1");
  CHECK(peer_in("PROXY UNKNOWN whatever it says\r\n") == " 0");
  CHECK(peer_in(version_2('\x21', '\x11', kV4)) == "192.0.2.7 4660");
  CHECK(peer_in(version_2('\x21', '\x11', kV4 + "\x04\x00\x03xyz")) == "192.0.2.7 4660");
  CHECK(peer_in(version_2('\x20', '\x00', "")) == " 0");
  CHECK(peer_in(version_2('\x21', '\x21',
                          std::string("\x20\x01\x0d\xb8", 4) + std::string(27, '\0') + "\x01" +
                              std::string("\x00\x50\x00\x50", 4))) == "2001:db8:: 80");
}

TEST_CASE("proxy protocol: an IPv4 client is named as one, however the proxy writes it") {
  const std::string mapped = std::string(10, '\0') + "\xff\xff";
  CHECK(peer_in("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n") == "192.0.2.7 1");
  CHECK(peer_in(version_2('\x21', '\x21',
                          mapped + kV4.substr(0, 4) + mapped + kV4.substr(4, 4) + kV4.substr(8))) ==
        "192.0.2.7 4660");
  PeerRules rules;
  rules.forwarded = true;
  rules.forwarders = {"127.0.0.1"};
  for (const std::string_view hop : {"::ffff:192.0.2.7", "[::ffff:c000:207]:80", "192.0.2.7"}) {
    Peer peer{"127.0.0.1"};
    std::string why;
    REQUIRE(forwarded_peer(rules, std::span(&hop, 1), peer, why));
    CHECK(peer.address == "192.0.2.7");
  }
}

TEST_CASE("proxy protocol: what is cut is waited for, what is wrong is refused") {
  const std::string line = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
  for (std::size_t size = 1; size < line.size(); ++size)
    CHECK(kind_of(line.substr(0, size)) == ProxyHeader::incomplete);
  const std::string binary = version_2('\x21', '\x11', kV4);
  for (std::size_t size = 1; size < binary.size(); ++size)
    CHECK(kind_of(binary.substr(0, size)) == ProxyHeader::incomplete);
  for (const char* wrong :
       {"PROXY TCP4 192.0.2.7 10.0.0.1 56324\r\n", "PROXY TCP4 999.0.2.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 65536 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 -0 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 +2\r\n",
        "PROXY TCP4 1.2.3.4 1.2.3.4 1 -0\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
        "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY \r\n"})
    CHECK(kind_of(wrong) == ProxyHeader::malformed);
  CHECK(kind_of("PROXY TCP4 " + std::string(200, '1')) == ProxyHeader::malformed);
  CHECK(kind_of(version_2('\x11', '\x11', kV4)) == ProxyHeader::malformed);
  CHECK(kind_of(version_2('\x21', '\x12', kV4)) == ProxyHeader::malformed);
  CHECK(kind_of(version_2('\x21', '\x11', kV4.substr(1))) == ProxyHeader::malformed);
  CHECK(kind_of(version_2('\x21', '\x11', std::string(60'000, 'x'))) == ProxyHeader::malformed);
  for (const std::string_view other :
       {kGet, std::string_view("\x16\x03\x01", 3), std::string_view("PUT /v1/a HTTP/1.1\r\n")})
    CHECK(kind_of(other) == ProxyHeader::absent);
}

TEST_CASE("proxy protocol: the listener believes whom it was told to, and passes the rest on") {
  const std::string header = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
  {
    const TestServer server(behind_proxy(ProxyProtocol::allow_authorized, {"127.0.0.0/8"}));
    CHECK(says_address(server.connect().ask(header + std::string(kGet)), "192.0.2.7"));
    CHECK(says_address(server.connect().ask(kGet), "127.0.0.1"));
    RawClient slow = server.connect();
    for (const char byte : header) slow.send({&byte, 1});
    CHECK(says_address(slow.ask(kGet), "192.0.2.7"));
    CHECK(says_address(slow.ask(kGet), "192.0.2.7"));
    RawClient wrong = server.connect();
    wrong.send("PROXY TCP4 nowhere\r\n");
    CHECK(wrong.ended());
    RawClient cut = server.connect();
    cut.send("PROXY TCP4");
    cut.finish_sending();
    CHECK(cut.ended());
  }
  {
    const TestServer server(behind_proxy(ProxyProtocol::allow_authorized, {"10.0.0.0/8"}));
    CHECK(says_address(server.connect().ask(header + std::string(kGet)), "127.0.0.1"));
  }
  {
    const TestServer server(behind_proxy(ProxyProtocol::deny_unauthorized, {"10.0.0.0/8"}));
    RawClient client = server.connect();
    client.send(kGet);
    CHECK(client.ended());
  }
  {
    const TestServer server(behind_proxy(ProxyProtocol::allow_authorized, {}));
    CHECK(says_address(server.connect().ask(header + std::string(kGet)), "127.0.0.1"));
  }
  const TestServer plain;
  CHECK(plain.connect().ask(header + std::string(kGet)).status == 400);
}

TEST_CASE("listener: what it allows strangers holds whoever a proxy names as the client") {
  const std::string header = "PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n";
  for (const bool open : {true, false}) {
    const std::string expected = std::string("\"open_rekey\":") + (open ? "true" : "false");
    ServerOptions options = behind_proxy(ProxyProtocol::use_always, {});
    options.settings.traits.unauthenticated_rekey = open;
    CHECK(TestServer(options).connect().ask(header + std::string(kGet)).body.find(expected) !=
          std::string::npos);
    options.settings.peers.proxy = ProxyProtocol::none;
    options.settings.peers.forwarded = true;
    options.settings.peers.forwarders = {"127.0.0.0/8"};
    const Reply reply = TestServer(options).connect().ask(
        "GET /v1/a HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n");
    CHECK(says_address(reply, "192.0.2.7"));
    CHECK(reply.body.find(expected) != std::string::npos);
  }
}

TEST_CASE("x-forwarded-for: the hop that a believed proxy names is the client") {
  ServerOptions options;
  PeerRules& rules = options.settings.peers;
  rules.forwarded = true;
  rules.forwarders = {"127.0.0.0/8"};
  const auto ask = [&](const std::string& headers) {
    const TestServer server(options);
    return server.connect().ask("GET /v1/a HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
  };
  CHECK(says_address(ask("X-Forwarded-For: 192.0.2.7\r\n"), "192.0.2.7"));
  CHECK(says_address(ask("X-Forwarded-For: 6.6.6.6, 192.0.2.7\r\n"), "192.0.2.7"));
  CHECK(says_address(ask("X-Forwarded-For: 6.6.6.6\r\nx-forwarded-for: [2001:db8::1]:443\r\n"),
                     "2001:db8::1"));
  CHECK(ask("").status == 400);
  for (const char* wrong :
       {"X-Forwarded-For: \r\n", "X-Forwarded-For: evil\r\n", "X-Forwarded-For: 192.0.2.7,\r\n",
        "X-Forwarded-For: 1.2.3.4:x\r\n", "X-Forwarded-For: 1.2.3.4:-0\r\n"})
    CHECK(ask(wrong).status == 400);
  rules.hop_skips = 1;
  CHECK(says_address(ask("X-Forwarded-For: 192.0.2.7, 10.0.0.9\r\n"), "192.0.2.7"));
  CHECK(ask("X-Forwarded-For: 192.0.2.7\r\n").body.find("would skip before earliest chain link") !=
        std::string::npos);
  rules.hop_skips = 0;
  rules.reject_not_present = false;
  CHECK(says_address(ask(""), "127.0.0.1"));
  rules.forwarders = {"10.0.0.0/8"};
  CHECK(ask("X-Forwarded-For: 192.0.2.7\r\n").status == 400);
  rules.reject_not_authorized = false;
  CHECK(says_address(ask("X-Forwarded-For: 192.0.2.7\r\n"), "127.0.0.1"));
  rules.forwarded = false;
  CHECK(says_address(ask("X-Forwarded-For: 192.0.2.7\r\n"), "127.0.0.1"));
}

TEST_CASE("cipher suites: the names of Vault's files, and nothing weak among what is offered") {
  const auto suites =
      parse_cipher_suites({"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_WITH_AES_128_CBC_SHA",
                           "TLS_AES_256_GCM_SHA384"});
  REQUIRE(suites.ok());
  CHECK(suites->below_1_3 == "ECDHE-RSA-AES256-GCM-SHA384");
  CHECK(suites->of_1_3 == "TLS_AES_256_GCM_SHA384");
  CHECK(suites->left_out == std::vector<std::string>{"TLS_RSA_WITH_AES_128_CBC_SHA"});
  CHECK(parse_cipher_suites({"TLS_AES_256_GCM_SHA385"}).error().message ==
        "unsupported cipher \"TLS_AES_256_GCM_SHA385\"; did you mean \"TLS_AES_256_GCM_SHA384\"?");
  CHECK_FALSE(parse_cipher_suites({"TLS_RSA_WITH_RC4_128_SHA"}).ok());
  CHECK(parse_cipher_suites({})->below_1_3.empty());
}
