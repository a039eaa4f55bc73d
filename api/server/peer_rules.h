#pragma once
// Which proxies may say where a connection comes from, and how: the PROXY protocol (versions 1 and
// 2, at the start of a connection) and the X-Forwarded-For header (with each request). Only
// addresses that the configuration names are believed; what they say must be well formed.
//
//   switch (read_proxy_header(bytes, from, header)) ...
//   if (!forwarded_peer(rules, values, peer, refusal)) ... answer 400
//
// Thread safety: immutable rules, functions of their arguments.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/cidr.h"
#include "vault/core/contract/request.h"

namespace leasehold::server {

struct Peer {
  std::string address;
  int port = 0;
  std::string certificate_serial = {};  // of a client's certificate that was verified
  core::ListenerTraits listener = {};   // of the one it came in by
};

enum class ProxyProtocol : std::uint8_t { none, use_always, allow_authorized, deny_unauthorized };

struct PeerRules {
  ProxyProtocol proxy = ProxyProtocol::none;
  std::vector<std::string> proxies;  // ranges whose PROXY header is believed
  bool forwarded = false;            // X-Forwarded-For is looked at
  std::vector<std::string> forwarders;
  std::int64_t hop_skips = 0;
  bool reject_not_authorized = true, reject_not_present = true;
};

inline constexpr std::size_t kProxyHeaderMax = 4096;

enum class ProxyHeader : std::uint8_t { absent, incomplete, present, malformed };
struct ProxySays {
  std::size_t size = 0;  // of the header
  Peer peer;             // an empty address: the proxy speaks for itself (LOCAL, UNKNOWN)
};
// `bytes`: what has come on a new connection. Source: haproxy.org, proxy-protocol.txt.
ProxyHeader read_proxy_header(std::string_view bytes, ProxySays& says);

// `values`: the X-Forwarded-For headers in their order. True: `peer` is whom to believe. False:
// `why` says what is wrong (400).
bool forwarded_peer(const PeerRules& rules, std::span<const std::string_view> values, Peer& peer,
                    std::string& why);

}  // namespace leasehold::server
