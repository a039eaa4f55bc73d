#pragma once
// What a TLS listener presents and demands: certificate, versions, client certificates, session
// tickets. Made from files, and made anew when the listener reloads; a connection keeps the one
// that it began with.
//
// A client certificate is asked for where the listener requires one, and verified with each
// handshake; what a client may show is bounded (docs/decisions/143-client-certificates.md). Errors
// name the file. Thread safety: immutable.

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "api/server/cipher_suites.h"
#include "vault/base/clock.h"
#include "vault/base/result.h"

namespace leasehold::server {

struct TlsSettings {
  std::string certificate_file, key_file;
  std::string client_ca_file;
  bool require_client_certificate = false;
  int least_version = TLS1_2_VERSION;
  int most_version = TLS1_3_VERSION;
  CipherSuites ciphers;  // empty: what the server thinks best
};

struct SslContextFree {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using TlsContext = std::unique_ptr<SSL_CTX, SslContextFree>;

Result<TlsContext> make_tls_context(const TlsSettings& settings);

// The files of a TLS context as they were found: another one in its place, or other content,
// differs. Values; compared only.
struct TlsFiles {
  static TlsFiles look(const TlsSettings& settings);
  bool operator==(const TlsFiles&) const = default;
  struct File {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t changed = 0;  // ns
    bool operator==(const File&) const = default;
  };
  File certificate, key, client_ca;
};

// What is wrong with the dates of the server's certificate at `now`, or will be within 30 days;
// empty: nothing.
std::string trouble_with_dates(const SSL_CTX& context, WallTime now);

// Says that once, and again when 7 days are left, one day and none. One thread at a time.
class DatesWatch {
 public:
  // Empty: nothing new.
  std::string look(const SSL_CTX& context, WallTime now);
  void forget() { told_ = 0; }  // what was said; another certificate may be there

 private:
  std::size_t told_ = 0;
};

}  // namespace leasehold::server
