#pragma once
// `listener "tcp" { ... }` and `listener "unix" { ... }` of the configuration, with Vault's names.
//
//   VAULT_TRY_ASSIGN(const ListenerSettings settings, read_listener(stanza, warnings));
//
// A tcp listener without a certificate is refused unless it says `tls_disable`; plain HTTP beyond
// loopback is warned of when it opens. Errors name file and line. Thread safety: functions.

#include <sys/types.h>

#include <string>
#include <vector>

#include "api/server/http_parser.h"
#include "api/server/listening.h"
#include "api/server/peer_rules.h"
#include "api/server/response_headers.h"
#include "api/server/tls.h"
#include "vault/base/clock.h"
#include "vault/base/stanza.h"
#include "vault/core/contract/request.h"

namespace leasehold::server {

// Of tls_auto_reload_interval.
inline constexpr Seconds kReloadInterval{10};

struct ListenerSettings {
  enum class Kind : std::uint8_t { tcp, unix_socket };
  Kind kind = Kind::tcp;
  std::string address = "127.0.0.1:8200";
  SocketAccess socket;  // of a unix socket
  bool tls = false;
  TlsSettings tls_settings;
  Seconds reload_interval{0};  // how often its files are looked at for a change; 0: never
  HttpLimits http;
  ResponseHeaders headers;  // custom_response_headers
  PeerRules peers;          // whose word counts for where a request comes from
  Nanos read_header_timeout = Seconds{10};
  Nanos read_timeout = Seconds{30};
  Nanos idle_timeout = Seconds{300};
  Nanos write_timeout = Seconds{30};  // without progress
  core::ListenerTraits traits;
  // Shown to callers without a token: sys/metrics, sys/in-flight-req.
  bool open_metrics = false, open_requests = false;
};

Result<ListenerSettings> read_listener(Stanza& stanza, std::vector<std::string>& warnings);

}  // namespace leasehold::server
