#include "vault/base/cidr.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace leasehold {

namespace {

constexpr std::size_t kTextMax = INET6_ADDRSTRLEN;
constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

unsigned width(const IpAddress& address) { return address.v6 ? 128 : 32; }

std::optional<unsigned> number(std::string_view text) {
  unsigned value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || end.ec != std::errc() || end.ptr != text.data() + text.size()) return {};
  return value;
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  if (text.empty() || text.size() > kTextMax || text.find('\0') != text.npos) return std::nullopt;
  const std::string terminated(text);
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1)
    return from(std::span(bytes).first<4>());
  if (inet_pton(AF_INET6, terminated.c_str(), bytes.data()) == 1) return from(bytes);
  return std::nullopt;
}

IpAddress IpAddress::from(std::span<const std::uint8_t> bytes) {
  IpAddress address;
  if (bytes.size() == address.bytes.size() &&
      std::equal(kMapped.begin(), kMapped.end(), bytes.begin()))
    bytes = bytes.subspan(kMapped.size());
  address.v6 = bytes.size() == address.bytes.size();
  VAULT_ASSERT(address.v6 || bytes.size() == 4);
  std::copy(bytes.begin(), bytes.end(), address.bytes.begin());
  return address;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Cidr range;
  range.network_ = *address;
  range.bits_ = width(*address);
  if (slash != std::string_view::npos) {
    const auto bits = number(text.substr(slash + 1));
    if (!bits || *bits > range.bits_) return std::nullopt;
    range.bits_ = *bits;
  }
  for (unsigned bit = range.bits_; bit < width(range.network_); ++bit)
    range.network_.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return range;
}

bool Cidr::contains(const IpAddress& address) const {
  if (address.v6 != network_.v6) return false;
  const unsigned whole = bits_ / 8, rest = bits_ % 8;
  if (!std::equal(network_.bytes.begin(), network_.bytes.begin() + whole, address.bytes.begin()))
    return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff00u >> rest);
  return (network_.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

bool Cidr::contains(const Cidr& range) const {
  return range.bits_ >= bits_ && contains(range.network_);
}

std::string Cidr::text() const {
  std::string out = network_.text();
  if (bits_ != width(network_)) out += "/" + std::to_string(bits_);
  return out;
}

bool is_in_any(const std::vector<std::string>& ranges, std::string_view address) {
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return false;
  return std::any_of(ranges.begin(), ranges.end(), [&](const std::string& range) {
    const auto cidr = Cidr::parse(range);
    return cidr && cidr->contains(*parsed);
  });
}

std::string client_network(std::string_view address) {
  std::string text(address);
  if (address.find(':') == address.npos) return text;
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return text;
  return parsed->v6 ? Cidr::parse(text + "/64")->text() : parsed->text();
}

std::string not_a_range(const std::vector<std::string>& ranges) {
  for (const std::string& range : ranges)
    if (!Cidr::parse(range)) return range;
  return {};
}

bool is_allowed(const std::vector<std::string>& bound, std::string_view address) {
  return bound.empty() || is_in_any(bound, address);
}

Result<std::vector<std::string>> canonical_cidrs(const std::vector<std::string>& ranges) {
  std::vector<std::string> out;
  for (const std::string& range : ranges) {
    const auto cidr = Cidr::parse(range);
    if (!cidr)
      return failure(Code::invalid, "not a network such as 10.0.0.0/8 or an address, the " +
                                        std::to_string(out.size() + 1) + ". of the list");
    out.push_back(cidr->text());
  }
  return out;
}

}  // namespace leasehold
