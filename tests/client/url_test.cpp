#include "api/client/url.h"

#include <doctest/doctest.h>

using leasehold::client::escape_query;
using leasehold::client::parse_url;
using leasehold::client::Url;

TEST_CASE("url: an address is scheme, host, port and prefix") {
  const auto url = parse_url("https://vault.example:8201/prefix/");
  REQUIRE(url.ok());
  CHECK(url->scheme == Url::Scheme::https);
  CHECK(url->host == "vault.example");
  CHECK(url->port == 8201);
  CHECK(url->path == "/prefix");
  CHECK(url->origin() == "https://vault.example:8201");
}

TEST_CASE("url: a scheme and a host are the same in any case") {
  CHECK(parse_url("HTTPS://Vault.Example/Path")->origin() == "https://vault.example:443");
  CHECK(parse_url("https://h/Path")->path == "/Path");
  CHECK(parse_url("https://[FE80::1]")->host == "fe80::1");
  CHECK(parse_url("Http://h")->port == 80);
  CHECK(parse_url("UNIX:///run/S")->host == "/run/S");
}

TEST_CASE("url: ports have defaults, IPv6 stands in brackets, a socket is a path") {
  CHECK(parse_url("http://h")->port == 80);
  CHECK(parse_url("https://h")->port == 443);
  const auto ipv6 = parse_url("http://[::1]:8200");
  REQUIRE(ipv6.ok());
  CHECK(ipv6->host == "::1");
  CHECK(ipv6->authority() == "[::1]:8200");
  const auto socket = parse_url("unix:///run/s");
  REQUIRE(socket.ok());
  CHECK(socket->host == "/run/s");
}

TEST_CASE("url: what is no address is refused with an example") {
  for (const char* text :
       {"", "127.0.0.1:8200", "ftp://h", "http://", "http://h:0", "http://h:x", "http://h:99999",
        "unix://run/s", "http://[::1", "http://h\rX: y", "http://a b", "http://[::1\r]",
        "http://user@h", "http://h?x", "http://h\xc3\xa4"}) {
    CAPTURE(text);
    const auto url = parse_url(text);
    REQUIRE_FALSE(url.ok());
    CHECK(url.error().message.find("https://HOST:PORT") != std::string::npos);
  }
}

TEST_CASE("url: names and values of a query are escaped") {
  CHECK(escape_query({}).empty());
  CHECK(escape_query({{"a", "b&c"}, {"d", "e f"}}) == "?a=b%26c&d=e%20f");
}
