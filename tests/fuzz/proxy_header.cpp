// The PROXY header against anything a stranger sends at the start of a connection: it never
// crashes, never takes more than has come or than the listener looks at, names only addresses that
// the rules can compare, and what it says of some bytes is not changed by those that follow.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "api/server/peer_rules.h"
#include "vault/base/cidr.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace leasehold;
  using namespace leasehold::server;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  ProxySays says;
  const ProxyHeader header = read_proxy_header(bytes, says);
  if (header != ProxyHeader::present) return 0;
  if (says.size == 0 || says.size > bytes.size() || says.size > kProxyHeaderMax) std::abort();
  if (says.peer.port < 0 || says.peer.port > 65535) std::abort();
  if (!says.peer.address.empty() && !canonical_cidrs({says.peer.address}).ok()) std::abort();
  ProxySays alone;
  if (read_proxy_header(bytes.substr(0, says.size), alone) != ProxyHeader::present) std::abort();
  if (alone.size != says.size || alone.peer.address != says.peer.address) std::abort();
  for (std::size_t cut = 1; cut < says.size; ++cut) {
    ProxySays of_part;
    const ProxyHeader part = read_proxy_header(bytes.substr(0, cut), of_part);
    if (part == ProxyHeader::present || part == ProxyHeader::absent) std::abort();
  }
  return 0;
}
