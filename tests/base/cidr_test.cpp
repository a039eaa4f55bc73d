#include <doctest/doctest.h>

#include "vault/base/cidr.h"

using leasehold::canonical_cidrs;
using leasehold::Cidr;
using leasehold::IpAddress;
using leasehold::is_allowed;
using leasehold::is_in_any;

TEST_CASE("cidr: a range holds the addresses below its prefix and no others") {
  CHECK(is_in_any({"10.0.0.0/8"}, "10.255.0.1"));
  CHECK_FALSE(is_in_any({"10.0.0.0/8"}, "11.0.0.1"));
  CHECK(is_in_any({"192.168.1.128/25"}, "192.168.1.200"));
  CHECK_FALSE(is_in_any({"192.168.1.128/25"}, "192.168.1.127"));
  CHECK(is_in_any({"0.0.0.0/0"}, "203.0.113.7"));
  CHECK(is_in_any({"2001:db8::/33"}, "2001:db8:7fff::1"));
  CHECK_FALSE(is_in_any({"2001:db8::/33"}, "2001:db8:8000::1"));
}

TEST_CASE("cidr: an address is a range of one, and one that fits suffices") {
  CHECK(is_in_any({"127.0.0.1"}, "127.0.0.1"));
  CHECK_FALSE(is_in_any({"127.0.0.1"}, "127.0.0.2"));
  CHECK(is_in_any({"10.0.0.0/8", "::1"}, "::1"));
}

TEST_CASE("cidr: an IPv4 address in an IPv6 socket is the IPv4 address") {
  CHECK(is_in_any({"10.0.0.0/8"}, "::ffff:10.1.2.3"));
  CHECK(is_in_any({"::ffff:10.1.2.3"}, "10.1.2.3"));
  CHECK_FALSE(is_in_any({"::/0"}, "10.1.2.3"));
  CHECK(IpAddress::parse("::ffff:10.1.2.3")->text() == "10.1.2.3");
  CHECK_FALSE(IpAddress::parse(std::string_view("10.1.2.3\0.4", 10)).has_value());
}

TEST_CASE("cidr: an empty list names nobody whom to trust, and bounds nothing") {
  for (const char* address : {"10.0.0.1", "::1", "@", ""}) {
    CHECK_FALSE(is_in_any({}, address));
    CHECK(is_allowed({}, address));
    CHECK_FALSE(is_allowed({"192.0.2.1"}, address));
  }
  CHECK(is_allowed({"192.0.2.1"}, "192.0.2.1"));
}

TEST_CASE("cidr: what cannot be read holds nothing") {
  CHECK_FALSE(is_in_any({"0.0.0.0/0"}, ""));
  CHECK_FALSE(is_in_any({"0.0.0.0/0"}, "localhost"));
  for (const char* wrong : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ",
                            "10.0.0/8", "::1/129", "10.0.0.1/8/8", "x"})
    CHECK_FALSE(Cidr::parse(wrong).has_value());
}

TEST_CASE("cidr: the text is canonical") {
  const auto texts = canonical_cidrs({"10.1.2.3/8", "127.0.0.1/32", "2001:DB8:0::1/64", "::1"});
  REQUIRE(texts.ok());
  CHECK(*texts == std::vector<std::string>{"10.0.0.0/8", "127.0.0.1", "2001:db8::/64", "::1"});
  CHECK_FALSE(canonical_cidrs({"10.0.0.0/8", "nonsense"}).ok());
}

TEST_CASE("cidr: a range holds another one only as a whole") {
  const auto wide = Cidr::parse("10.0.0.0/8"), narrow = Cidr::parse("10.1.0.0/16");
  CHECK(wide->contains(*narrow));
  CHECK(wide->contains(*wide));
  CHECK_FALSE(narrow->contains(*wide));
  CHECK_FALSE(Cidr::parse("11.0.0.0/8")->contains(*narrow));
}

TEST_CASE("cidr: an IPv6 client is its network of 64 bits, any other is its address") {
  CHECK(leasehold::client_network("192.0.2.1") == "192.0.2.1");
  CHECK(leasehold::client_network("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(leasehold::client_network("2001:db8:0:1:ffff::9") == "2001:db8:0:1::/64");
  CHECK(leasehold::client_network("2001:db8:0:1::") == "2001:db8:0:1::/64");
  CHECK(leasehold::client_network("2001:db8:0:2::9") == "2001:db8:0:2::/64");
  CHECK(leasehold::client_network("").empty());
  CHECK(leasehold::client_network("not:an:address") == "not:an:address");
}
