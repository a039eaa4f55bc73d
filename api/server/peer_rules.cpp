#include "api/server/peer_rules.h"

#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "vault/base/trimmed.h"

namespace leasehold::server {
namespace {

constexpr std::string_view kVersion1 = "PROXY ";
constexpr std::string_view kVersion2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kLine1Max = 107;  // with its end
constexpr std::size_t kFixed2 = 16;

bool begins_alike(std::string_view bytes, std::string_view signature) {
  const std::size_t size = std::min(bytes.size(), signature.size());
  return bytes.substr(0, size) == signature.substr(0, size);
}

std::optional<int> port_of(std::string_view text) {
  std::uint16_t port = 0;  // unsigned: no "-0"
  const auto end = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = end.ec == std::errc() && end.ptr == text.data() + text.size();
  if (!whole || (text.size() > 1 && text[0] == '0')) return {};
  return port;
}

// The canonical text, so that the same address is the same in policies and in the log.
std::optional<std::string> address_of(std::string_view text, int family) {
  const bool v6 = text.find(':') != text.npos;
  const auto address = IpAddress::parse(text);
  if (!address || v6 != (family == AF_INET6)) return {};
  return address->text();
}

std::string_view take_word(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

// "PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n"
ProxyHeader version_1(std::string_view bytes, ProxySays& says) {
  const std::size_t end = bytes.substr(0, kLine1Max).find("\r\n");
  if (end == std::string_view::npos)
    return bytes.size() >= kLine1Max ? ProxyHeader::malformed : ProxyHeader::incomplete;
  says.size = end + 2;
  std::string_view line = bytes.substr(kVersion1.size(), end - kVersion1.size());
  const std::string_view family = take_word(line);
  if (family == "UNKNOWN") return ProxyHeader::present;
  if (family != "TCP4" && family != "TCP6") return ProxyHeader::malformed;
  const int kind = family == "TCP4" ? AF_INET : AF_INET6;
  const auto from = address_of(take_word(line), kind);
  const auto to = address_of(take_word(line), kind);
  const auto from_port = port_of(take_word(line));
  const auto to_port = port_of(line);
  if (!from || !to || !from_port || !to_port) return ProxyHeader::malformed;
  says.peer = {*from, *from_port};
  return ProxyHeader::present;
}

std::size_t number(std::string_view bytes, std::size_t at) {
  return static_cast<unsigned char>(bytes[at]) * std::size_t{256} +
         static_cast<unsigned char>(bytes[at + 1]);
}

// 12 bytes of signature, version and command, family, the length of what follows: source, target,
// their ports, and extensions, which are skipped.
ProxyHeader version_2(std::string_view bytes, ProxySays& says) {
  if (bytes.size() < kFixed2) return ProxyHeader::incomplete;
  const auto command = static_cast<unsigned char>(bytes[12]);
  const auto family = static_cast<unsigned char>(bytes[13]);
  says.size = kFixed2 + number(bytes, 14);
  if (says.size > kProxyHeaderMax || (command != 0x20 && command != 0x21))
    return ProxyHeader::malformed;
  if (bytes.size() < says.size) return ProxyHeader::incomplete;
  const bool local = command == 0x20;
  if (local || family == 0) return ProxyHeader::present;
  if (family != 0x11 && family != 0x21) return ProxyHeader::malformed;  // TCP over IPv4, IPv6
  const std::size_t width = family == 0x11 ? 4 : 16;
  if (says.size - kFixed2 < 2 * width + 4) return ProxyHeader::malformed;
  const auto* source = reinterpret_cast<const std::uint8_t*>(bytes.data() + kFixed2);
  says.peer.address = IpAddress::from({source, width}).text();
  says.peer.port = static_cast<int>(number(bytes, kFixed2 + 2 * width));
  return ProxyHeader::present;
}

// An address, as proxies write it: "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80".
std::optional<std::string> hop_address(std::string_view hop) {
  if (auto v6 = address_of(hop, AF_INET6)) return v6;
  if (hop.starts_with('[')) {
    const std::size_t close = hop.find(']');
    if (close == std::string_view::npos) return {};
    const std::string_view rest = hop.substr(close + 1);
    if (!rest.empty() && (rest[0] != ':' || !port_of(rest.substr(1)))) return {};
    return address_of(hop.substr(1, close - 1), AF_INET6);
  }
  const std::size_t colon = hop.find(':');
  if (colon != std::string_view::npos && !port_of(hop.substr(colon + 1))) return {};
  return address_of(hop.substr(0, colon), AF_INET);
}

}  // namespace

ProxyHeader read_proxy_header(std::string_view bytes, ProxySays& says) {
  says = {};
  for (const std::string_view signature : {kVersion1, kVersion2}) {
    if (!begins_alike(bytes, signature)) continue;
    if (bytes.size() < signature.size()) return ProxyHeader::incomplete;
    return signature == kVersion1 ? version_1(bytes, says) : version_2(bytes, says);
  }
  return ProxyHeader::absent;
}

bool forwarded_peer(const PeerRules& rules, std::span<const std::string_view> values, Peer& peer,
                    std::string& why) {
  if (!rules.forwarded) return true;
  if (values.empty()) {
    why = "missing x-forwarded-for header and configured to reject when not present";
    return !rules.reject_not_present;
  }
  if (!is_in_any(rules.forwarders, peer.address)) {
    why = "client address not authorized for x-forwarded-for and configured to reject connection";
    return !rules.reject_not_authorized;
  }
  std::vector<std::string_view> hops;
  for (std::string_view value : values)
    for (bool more = true; more;) {
      const std::size_t comma = value.find(',');
      hops.push_back(trimmed(value.substr(0, comma)));
      more = comma != std::string_view::npos;
      if (more) value.remove_prefix(comma + 1);
    }
  const auto chain = static_cast<std::int64_t>(hops.size());
  if (rules.hop_skips >= chain) {
    why = "malformed x-forwarded-for configuration or request, hops to skip (" +
          std::to_string(rules.hop_skips) +
          ") would skip before earliest chain link (chain length " + std::to_string(chain) + ")";
    return false;
  }
  auto address = hop_address(hops[static_cast<std::size_t>(chain - 1 - rules.hop_skips)]);
  if (!address) {
    why = "x-forwarded-for names no address";
    return false;
  }
  peer.address = *std::move(address);
  return true;
}

}  // namespace leasehold::server
