#pragma once
// TLS to a server: whom we trust, who we are, and the handshake.
//
//   VAULT_TRY_ASSIGN(const TlsContext context, make_tls_context(settings, "vault.test"));
//   VAULT_TRY_ASSIGN(const TlsSession session,
//                    begin_tls(context, "vault.test", socket, "vault.test:8200", deadline));
//
// Thread safety: values; a session is used by one thread.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "api/client/deadline.h"
#include "api/client/settings.h"

namespace leasehold::client {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeContext>;

struct EndSession {
  void operator()(SSL* session) const;
};
using TlsSession = std::unique_ptr<SSL, EndSession>;

// `name`: whom the certificate must be for. Code::invalid names the setting that cannot be used.
Result<TlsContext> make_tls_context(const Settings& settings, const std::string& name);

// Over a socket that does not block, which outlives the session, as does `deadline`: once it has
// passed, the session reads nothing more. Code::denied: the certificate is not trusted;
// Code::deadline; Code::invalid: the other side does not speak TLS as we do.
Result<TlsSession> begin_tls(const TlsContext& context, const std::string& name, int socket,
                             const std::string& where, Deadline& deadline);

}  // namespace leasehold::client
