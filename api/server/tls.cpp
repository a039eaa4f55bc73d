#include "api/server/tls.h"

#include <sys/stat.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include <cstring>
#include <ctime>
#include <string_view>

namespace leasehold::server {
namespace {

// OpenSSL keeps its reasons in a queue of the thread; the last says most.
std::string openssl_reason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown reason";
}

// What the system said first says more than what was made of it, and the file's form is no cause.
Error cannot(std::string_view what, const std::string& file, std::string_view advice) {
  if (const unsigned long first = ERR_peek_error(); ERR_SYSTEM_ERROR(first)) {
    ERR_clear_error();
    return failure(Code::invalid,
                   std::string(what) + " " + file + ": " + std::strerror(ERR_GET_REASON(first)));
  }
  return failure(Code::invalid, std::string(what) + " " + file + ": " + openssl_reason() + "; " +
                                    std::string(advice));
}

Status load_certificate(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& certificate = settings.certificate_file;
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1)
    return cannot("cannot read tls_cert_file", certificate,
                  "it must be PEM, the server's certificate first");
  if (SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1)
    return cannot("cannot read tls_key_file", settings.key_file,
                  "it must be the unencrypted PEM key of the certificate");
  if (SSL_CTX_check_private_key(context) != 1)
    return cannot("tls_key_file does not belong to tls_cert_file:", settings.key_file,
                  "give the key that the certificate was made for");
  return {};
}

// A passphrase prompt would hang a server.
int no_passphrase(char*, int, int, void*) { return -1; }

// What a client's chain may cost before it is known whose it is. Chains of private CAs have two or
// three certificates of 1 to 2 KiB; RSA of 16384 bits takes this thread a hundred times what RSA of
// 2048 does.
constexpr long kClientChainBytes = 16 << 10;
constexpr int kClientChainDepth = 4;  // certificates between the client's and its root
constexpr int kClientRsaBits = 8192;

bool affordable(const X509* certificate) {
  const EVP_PKEY* key = X509_get0_pubkey(certificate);
  if (key == nullptr) return false;
  const int kind = EVP_PKEY_get_base_id(key);
  if (kind == EVP_PKEY_RSA || kind == EVP_PKEY_RSA_PSS)
    return EVP_PKEY_get_bits(key) <= kClientRsaBits;
  return kind == EVP_PKEY_EC || kind == EVP_PKEY_ED25519 || kind == EVP_PKEY_ED448;
}

// In place of OpenSSL's own verification: the keys are looked at first.
int verify_client_chain(X509_STORE_CTX* chain, void*) {
  const STACK_OF(X509)* shown = X509_STORE_CTX_get0_untrusted(chain);
  for (int i = 0; i < sk_X509_num(shown); ++i)
    if (!affordable(sk_X509_value(shown, i))) {
      X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
      return 0;
    }
  return X509_verify_cert(chain);
}

Status demand_client_certificate(SSL_CTX* context, const TlsSettings& settings) {
  const std::string& file = settings.client_ca_file;
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file.c_str());
  if (names == nullptr || SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) != 1) {
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return cannot("cannot read tls_client_ca_file", file, "it must be PEM, the CAs of the clients");
  }
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_verify_depth(context, kClientChainDepth);
  SSL_CTX_set_max_cert_list(context, kClientChainBytes);
  SSL_CTX_set_cert_verify_callback(context, verify_client_chain, nullptr);
  return {};
}

// Clients that offer h2 beside it (Go, curl) get HTTP/1.1.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  static constexpr unsigned char kSpoken[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, kSpoken, sizeof kSpoken - 1, offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// Tickets only: no session is kept here. Where client certificates are demanded there are none: a
// ticket would be as good as the certificate, also when that has ended or its CA is no longer
// trusted.
void choose_resumption(SSL_CTX* context, const TlsSettings& settings) {
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (!settings.require_client_certificate) return;
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
}

void limit_protocol(SSL_CTX* context, const TlsSettings& settings) {
  SSL_CTX_set_min_proto_version(context, settings.least_version);
  SSL_CTX_set_max_proto_version(context, settings.most_version);
  SSL_CTX_set_options(
      context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(context, 1);
  const CipherSuites& ciphers = settings.ciphers;
  const char* below =
      ciphers.below_1_3.empty() ? "ECDHE+AESGCM:ECDHE+CHACHA20" : ciphers.below_1_3.c_str();
  VAULT_ASSERT(SSL_CTX_set_cipher_list(context, below) == 1);
  if (!ciphers.of_1_3.empty())
    VAULT_ASSERT(SSL_CTX_set_ciphersuites(context, ciphers.of_1_3.c_str()) == 1);
  VAULT_ASSERT(SSL_CTX_set1_groups_list(context, "P-256:X25519:P-384:P-521") == 1);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
}

constexpr Seconds kDay{24 * 3600};
constexpr Seconds kLeft[] = {30 * kDay, 7 * kDay, kDay, Seconds{0}};  // when it is said

std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  char text[32] = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

// How many of kLeft have come.
std::size_t stage_of(const X509& certificate, WallTime now) {
  std::size_t stage = 0;
  for (const Seconds& left : kLeft) {
    std::time_t at = static_cast<std::time_t>(now.seconds() + left.count());
    if (X509_cmp_time(X509_get0_notAfter(&certificate), &at) < 0) ++stage;
  }
  return stage;
}

}  // namespace

Result<TlsContext> make_tls_context(const TlsSettings& settings) {
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()));
  if (!context) return failure(Code::internal, "cannot set up TLS: " + openssl_reason());
  SSL_CTX_set_default_passwd_cb(context.get(), no_passphrase);
  limit_protocol(context.get(), settings);
  choose_resumption(context.get(), settings);
  VAULT_TRY(load_certificate(context.get(), settings));
  if (settings.require_client_certificate)
    VAULT_TRY(demand_client_certificate(context.get(), settings));
  return context;
}

namespace {

TlsFiles::File file_at(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size),
          status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec};
}

}  // namespace

TlsFiles TlsFiles::look(const TlsSettings& settings) {
  return {file_at(settings.certificate_file), file_at(settings.key_file),
          file_at(settings.client_ca_file)};
}

std::string trouble_with_dates(const SSL_CTX& context, WallTime now) {
  constexpr const char* kRenew =
      "; clients refuse it then: put a new one in its place and reload the server (SIGHUP)";
  const X509* certificate = SSL_CTX_get0_certificate(&context);
  if (certificate == nullptr) return {};
  const ASN1_TIME* from = X509_get0_notBefore(certificate);
  const ASN1_TIME* until = X509_get0_notAfter(certificate);
  std::time_t at = static_cast<std::time_t>(now.seconds());
  if (X509_cmp_time(until, &at) < 0) return "the certificate expired at " + text_of(until) + kRenew;
  if (X509_cmp_time(from, &at) > 0)
    return "the certificate is not yet valid, it begins at " + text_of(from) +
           ": compare the clock of this machine";
  if (stage_of(*certificate, now) > 0)
    return "the certificate expires at " + text_of(until) + kRenew;
  return {};
}

std::string DatesWatch::look(const SSL_CTX& context, WallTime now) {
  const X509* certificate = SSL_CTX_get0_certificate(&context);
  if (certificate == nullptr) return {};
  // One more than the stage, so that a certificate that is not yet valid is told at first, too.
  const std::size_t stage = 1 + stage_of(*certificate, now);
  if (stage <= told_) return {};
  told_ = stage;
  return trouble_with_dates(context, now);
}

}  // namespace leasehold::server
