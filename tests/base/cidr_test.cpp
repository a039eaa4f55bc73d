#include <doctest/doctest.h>

#include "vault/base/cidr.h"

using leasehold::canonical_cidrs;
using leasehold::Cidr;
using leasehold::in_any;

TEST_CASE("cidr: a range holds the addresses below its prefix and no others") {
  CHECK(in_any({"10.0.0.0/8"}, "10.255.0.1"));
  CHECK_FALSE(in_any({"10.0.0.0/8"}, "11.0.0.1"));
  CHECK(in_any({"192.168.1.128/25"}, "192.168.1.200"));
  CHECK_FALSE(in_any({"192.168.1.128/25"}, "192.168.1.127"));
  CHECK(in_any({"0.0.0.0/0"}, "203.0.113.7"));
  CHECK(in_any({"2001:db8::/33"}, "2001:db8:7fff::1"));
  CHECK_FALSE(in_any({"2001:db8::/33"}, "2001:db8:8000::1"));
}

TEST_CASE("cidr: an address is a range of one, and one that fits suffices") {
  CHECK(in_any({"127.0.0.1"}, "127.0.0.1"));
  CHECK_FALSE(in_any({"127.0.0.1"}, "127.0.0.2"));
  CHECK(in_any({"10.0.0.0/8", "::1"}, "::1"));
}

TEST_CASE("cidr: an IPv4 address in an IPv6 socket is the IPv4 address") {
  CHECK(in_any({"10.0.0.0/8"}, "::ffff:10.1.2.3"));
  CHECK(in_any({"::ffff:10.1.2.3"}, "10.1.2.3"));
  CHECK_FALSE(in_any({"::/0"}, "10.1.2.3"));
}

TEST_CASE("cidr: what cannot be read holds nothing; an empty list holds everything") {
  CHECK(in_any({}, "anything"));
  CHECK_FALSE(in_any({"0.0.0.0/0"}, ""));
  CHECK_FALSE(in_any({"0.0.0.0/0"}, "localhost"));
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
