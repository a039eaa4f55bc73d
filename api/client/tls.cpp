#include "api/client/tls.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <ctime>
#include <filesystem>
#include <vector>

#include "api/client/memory_file.h"
#include "vault/base/cidr.h"

namespace leasehold::client {
namespace {

// The file that is named, or one in memory that holds the text; nothing when there is neither.
Result<std::string> file_for(const std::string& name, ByteView text,
                             std::vector<MemoryFile>& files) {
  if (!name.empty() || text.empty()) return name;
  VAULT_TRY_ASSIGN(MemoryFile file, MemoryFile::holding(text));
  files.push_back(std::move(file));
  return files.back().path();
}

// Every PEM file of the folder, whatever its name: OpenSSL by itself only takes those that are
// named after the hash of their subject.
Status trust_folder(SSL_CTX* context, const std::string& folder) {
  std::error_code error;
  std::size_t loaded = 0;
  std::filesystem::directory_iterator entries(folder, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    std::error_code not_regular;
    if (!entries->is_regular_file(not_regular)) continue;
    const std::string file = entries->path().string();
    if (SSL_CTX_load_verify_locations(context, file.c_str(), nullptr) == 1) ++loaded;
  }
  if (error)
    return failure(Code::invalid,
                   "cannot read the certificate authorities in " + folder + ": " + error.message());
  if (loaded > 0) return {};
  return failure(Code::invalid, "there is no certificate authority in " + folder +
                                    "; -ca-path or VAULT_CAPATH names a folder of PEM files");
}

Status trust(SSL_CTX* context, const Settings& settings, std::vector<MemoryFile>& files) {
  VAULT_TRY_ASSIGN(const auto authority,
                   file_for(settings.ca_cert, as_bytes(settings.ca_cert_pem), files));
  if (authority.empty() && !settings.ca_path.empty())
    return trust_folder(context, settings.ca_path);
  if (authority.empty()) {
    SSL_CTX_set_default_verify_paths(context);
    return {};
  }
  if (SSL_CTX_load_verify_locations(context, authority.c_str(), nullptr) == 1) return {};
  return failure(Code::invalid, "cannot load the certificate authority from " +
                                    (settings.ca_cert.empty() ? "VAULT_CACERT_BYTES"
                                                              : "\"" + settings.ca_cert + "\""));
}

Status show_certificate(SSL_CTX* context, const Settings& settings,
                        std::vector<MemoryFile>& files) {
  VAULT_TRY_ASSIGN(const auto certificate,
                   file_for(settings.client_cert, as_bytes(settings.client_cert_pem), files));
  VAULT_TRY_ASSIGN(const auto key,
                   file_for(settings.client_key, settings.client_key_pem.reveal(), files));
  if (certificate.empty() || key.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) == 1 &&
      SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1)
    return {};
  return failure(Code::invalid, "cannot load the client certificate and key; check -client-cert (" +
                                    settings.client_cert +
                                    ") and -client-key, or VAULT_CLIENT_CERT_BYTES and "
                                    "VAULT_CLIENT_KEY_BYTES");
}

// Of a certificate only the names it was given for TLS count (RFC 9110, section 4.3.4), not its
// common name, and a "*" stands for a whole label.
bool expect_name(X509_VERIFY_PARAM* expected, const std::string& name) {
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1 ||
         X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size()) == 1;
}

// No server is told an address as its name (RFC 6066, section 3).
bool is_address(const std::string& name) { return IpAddress::parse(name).has_value(); }

std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  char text[32] = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

std::string why_refused(X509_STORE_CTX* chain) {
  const X509* certificate = X509_STORE_CTX_get_current_cert(chain);
  switch (X509_STORE_CTX_get_error(chain)) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "expired at " + text_of(X509_get0_notAfter(certificate));
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "is not yet valid: it begins at " + text_of(X509_get0_notBefore(certificate));
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "is not valid for this name";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return "is signed by an unknown authority";
    default:
      return std::string("is refused: ") +
             X509_verify_cert_error_string(X509_STORE_CTX_get_error(chain));
  }
}

// Of the last handshake of this thread: OpenSSL hands the callback nothing of ours.
thread_local std::string refused_because;

int note_refusal(int good, X509_STORE_CTX* chain) {
  if (good != 1) refused_because = why_refused(chain);
  return good;
}

// OpenSSL passes over messages that mean nothing without coming back to us, as long as they come.
long end_in_time(BIO* bio, int operation, const char*, std::size_t, int, long, int result,
                 std::size_t*) {
  const auto* deadline = reinterpret_cast<const Deadline*>(BIO_get_callback_arg(bio));
  return operation == BIO_CB_READ && deadline->passed() ? -1 : result;
}

bool shake_hands(SSL* session, int socket, const Deadline& deadline) {
  for (;;) {
    const int done = SSL_connect(session);
    if (done == 1) return true;
    const int why = SSL_get_error(session, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) return false;
    if (!deadline.is_ready(socket, why == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT)) return false;
  }
}

}  // namespace

void EndSession::operator()(SSL* session) const {
  SSL_shutdown(session);
  SSL_free(session);
  ERR_clear_error();
}

Result<TlsContext> make_tls_context(const Settings& settings, const std::string& name) {
  TlsContext context(SSL_CTX_new(TLS_client_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
    return failure(Code::internal, "tls: OpenSSL has no client");
  std::vector<MemoryFile> files;  // read below
  VAULT_TRY(show_certificate(context.get(), settings, files));
  if (!settings.tls_skip_verify) {
    VAULT_TRY(trust(context.get(), settings, files));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    X509_STORE_set_verify_cb(SSL_CTX_get_cert_store(context.get()), note_refusal);
    if (!expect_name(SSL_CTX_get0_param(context.get()), name))
      return failure(Code::internal, "tls: OpenSSL takes no such name to expect");
  }
  return context;
}

Result<TlsSession> begin_tls(const TlsContext& context, const std::string& name, int socket,
                             const std::string& where, Deadline& deadline) {
  ERR_clear_error();
  refused_because.clear();
  TlsSession session(SSL_new(context.get()));
  if (!session || SSL_set_fd(session.get(), socket) != 1)
    return failure(Code::internal, "tls: OpenSSL makes no session");
  BIO_set_callback_arg(SSL_get_rbio(session.get()), reinterpret_cast<char*>(&deadline));
  BIO_set_callback_ex(SSL_get_rbio(session.get()), end_in_time);
  if (!is_address(name)) SSL_set_tlsext_host_name(session.get(), name.c_str());
  if (shake_hands(session.get(), socket, deadline)) return session;
  if (!refused_because.empty() && SSL_get_verify_mode(session.get()) == SSL_VERIFY_PEER)
    return failure(Code::denied, "x509: the certificate of " + where + " " + refused_because);
  if (deadline.passed())
    return failure(Code::deadline, "tls: the handshake with " + where + " did not end in time");
  return failure(Code::invalid, "tls: the handshake with " + where + " failed");
}

}  // namespace leasehold::client
