#pragma once
// Network ranges: "10.0.0.0/8", "2001:db8::/32", or one address (RFC 4632, RFC 4291). An IPv4
// address in an IPv6 socket ("::ffff:10.0.0.1") is taken as the IPv4 address it stands for.
// Values; thread-safe.

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"

namespace leasehold {

struct IpAddress {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};  // the first four when it is no IPv6 address
  static std::optional<IpAddress> parse(std::string_view text);
  // Of 4 bytes, or of 16: an IPv4 address in an IPv6 one is the IPv4 address, here and in parse().
  static IpAddress from(std::span<const std::uint8_t> bytes);
  std::string text() const;
};

class Cidr {
 public:
  // Nothing when `text` is neither a range nor an address. Bits behind the prefix are cleared.
  static std::optional<Cidr> parse(std::string_view text);
  bool contains(const IpAddress& address) const;
  bool contains(const Cidr& range) const;  // the whole of it
  // The canonical text; a single address without its prefix length.
  std::string text() const;

 private:
  IpAddress network_;
  unsigned bits_ = 0;
};

// Whether `address`, as a listener names it, lies in one of the ranges. A range or an address that
// cannot be read holds none. Of an empty list:
//   is_in_any   for whom to trust: it names nobody
//   is_allowed  for what bounds a token or a login: it bounds nothing
bool is_in_any(const std::vector<std::string>& ranges, std::string_view address);
bool is_allowed(const std::vector<std::string>& bound, std::string_view address);

// Whom to count an address as: of IPv6 its network of 64 bits, which whoever has one address has.
// What is no address is taken as it is.
std::string client_network(std::string_view address);

// The first that is no range; empty: each is one.
std::string not_a_range(const std::vector<std::string>& ranges);
// Each in canonical form. Code::invalid names the first that is no range.
Result<std::vector<std::string>> canonical_cidrs(const std::vector<std::string>& ranges);

}  // namespace leasehold
