#include <arpa/inet.h>
#include <httplib.h>
#include <netdb.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <vector>

#include "api/client/answer_head.h"
#include "api/client/answer_stream.h"
#include "api/client/memory_file.h"
#include "api/client/time_limit.h"
#include "api/client/transport.h"

namespace leasehold::client {
namespace {

// The first address of `host` in digits, or nothing; httplib wants one when the TLS name differs
// from the host.
std::string numeric_address(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) return {};
  char digits[NI_MAXHOST] = {};
  ::getnameinfo(found->ai_addr, found->ai_addrlen, digits, sizeof digits, nullptr, 0,
                NI_NUMERICHOST);
  ::freeaddrinfo(found);
  return digits;
}

Error unresolved(const std::string& where, const std::string& host) {
  return failure(Code::unavailable,
                 "dial " + where + ": the name \"" + host + "\" could not be resolved");
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
  ERR_clear_error();
  if (error)
    return failure(Code::invalid,
                   "cannot read the certificate authorities in " + folder + ": " + error.message());
  if (loaded > 0) return {};
  return failure(Code::invalid, "there is no certificate authority in " + folder +
                                    "; -ca-path or VAULT_CAPATH names a folder of PEM files");
}

// Of a certificate only the names it was given for TLS count (RFC 9110, section 4.3.4). The library
// would take the common name where there is no other of that kind, and "*" for any.
void expect_name(SSL_CTX* context, const std::string& name) {
  X509_VERIFY_PARAM* expected = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(
      expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (X509_VERIFY_PARAM_set1_ip_asc(expected, name.c_str()) == 1) return;
  X509_VERIFY_PARAM_set1_host(expected, name.c_str(), name.size());
}

std::string text_of(const ASN1_TIME* time) {
  std::tm parts{};
  char text[32] = {};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return "an unknown time";
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts));
}

// Why the last certificate was refused, in words; empty: not by its dates, name or signature.
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

// Of the connection that this thread makes: OpenSSL hands the callback nothing of ours, and the
// library tells neither the reason nor the dates.
thread_local std::string refused_because;

int note_refusal(int good, X509_STORE_CTX* chain) {
  if (good != 1) refused_because = why_refused(chain);
  return good;
}

// A client of the library that reads through an AnswerStream.
template <class Base>
class Bounded final : public Base {
 public:
  template <class... Arguments>
  Bounded(std::chrono::seconds patience, AnswerProgress& progress, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...), patience_(patience), progress_(progress) {}

 private:
  bool process_socket(const httplib::ClientImpl::Socket& socket,
                      std::function<bool(httplib::Stream&)> callback) override {
    AnswerStream stream(socket.sock, socket.ssl, patience_, progress_);
    return callback(stream);
  }

  const std::chrono::seconds patience_;
  AnswerProgress& progress_;
};

// What may stand in a request's first line. It is sent as it is: a line break would begin another
// request (RFC 9112, section 3.2).
bool is_target(std::string_view target) {
  return target.starts_with('/') &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 127; });
}

class HttpTransport final : public Transport {
 public:
  explicit HttpTransport(const Settings& settings) : settings_(settings) {}

  Result<RawResponse> exchange(const Url& server, const RawRequest& request) override {
    if (!is_target(request.target))
      return failure(Code::invalid,
                     "the request was not sent: its URL has a blank, a line break or "
                     "another character that has to be escaped");
    if (!client_ || origin_ != server.origin()) {
      VAULT_TRY(connect(server));
      origin_ = server.origin();
    }
    httplib::Request outgoing = to_httplib(server, request);
    // Through a tunnel the library would show the vault the proxy's password.
    if (settings_.proxy && server.scheme == Url::Scheme::https)
      outgoing.set_header("Proxy-Authorization", "");
    RawResponse response;
    bool too_large = false;
    outgoing.content_receiver = [&](const char* data, std::size_t size, std::uint64_t,
                                    std::uint64_t) {
      too_large = response.body.size() + size > kResponseBytesMax;
      if (!too_large) response.body.append(data, size);
      return !too_large;
    };
    progress_ = {};
    outgoing.response_handler = [this](const httplib::Response&) {
      return progress_.head_is_over = true;
    };
    refused_because.clear();
    TimeLimit limit(settings_.timeout, [&] { client_->stop(); });
    const httplib::Result result = client_->send(outgoing);
    wipe(outgoing.body);
    if (limit.passed()) return no_whole_answer(server);
    if (progress_.too_large && !progress_.head_is_over)
      return failure(Code::internal, "the head of the answer is larger than 64 KiB");
    if (too_large || progress_.too_large)
      return failure(Code::internal, "the answer is larger than 64 MiB");
    if (!result) return explain(server, result.error());
    response.status = result->status;
    response.content_type = field("content-type");
    response.location = field("location");
    response.retry_after = field("retry-after");
    response.warnings = fields_named(progress_.head, "warning");
    return response;
  }

 private:
  std::string field(std::string_view name) const {
    auto values = fields_named(progress_.head, name);
    return values.empty() ? std::string() : std::move(values.front());
  }

  Status connect(const Url& server) {
    if (server.scheme == Url::Scheme::https) {
      VAULT_TRY(connect_tls(server));
    } else {
      client_ = std::make_unique<Bounded<httplib::ClientImpl>>(settings_.timeout, progress_,
                                                               server.host, server.port);
      if (server.scheme == Url::Scheme::unix_socket) client_->set_address_family(AF_UNIX);
    }
    if (server.scheme != Url::Scheme::unix_socket) use_proxy();
    const auto seconds = static_cast<time_t>(settings_.timeout.count());
    client_->set_connection_timeout(seconds);
    client_->set_read_timeout(seconds);
    client_->set_write_timeout(seconds);
    client_->set_keep_alive(true);
    client_->set_tcp_nodelay(true);
    client_->set_url_encode(false);  // `target` is escaped already
    client_->set_decompress(false);
    return {};
  }

  void use_proxy() {
    if (!settings_.proxy) return;
    client_->set_proxy(settings_.proxy->host, settings_.proxy->port);
    if (!settings_.proxy->user.empty())
      client_->set_proxy_basic_auth(settings_.proxy->user, settings_.proxy->password);
  }

  // The file that is named, or one in memory that holds the text; nothing when there is neither.
  Result<std::string> file_for(const std::string& name, ByteView text) {
    if (!name.empty() || text.empty()) return name;
    VAULT_TRY_ASSIGN(MemoryFile file, MemoryFile::holding(text));
    files_.push_back(std::move(file));
    return files_.back().path();
  }

  Status connect_tls(const Url& server) {
    const bool renamed = !settings_.tls_server_name.empty();
    // The library would ask the proxy for the other name.
    if (renamed && settings_.proxy)
      return failure(Code::invalid, "-tls-server-name cannot be used through a proxy");
    const std::string& name = renamed ? settings_.tls_server_name : server.host;
    files_.clear();
    VAULT_TRY_ASSIGN(const auto authority,
                     file_for(settings_.ca_cert, as_bytes(settings_.ca_cert_pem)));
    VAULT_TRY_ASSIGN(const auto certificate,
                     file_for(settings_.client_cert, as_bytes(settings_.client_cert_pem)));
    VAULT_TRY_ASSIGN(const auto key,
                     file_for(settings_.client_key, settings_.client_key_pem.reveal()));
    auto tls = std::make_unique<Bounded<httplib::SSLClient>>(settings_.timeout, progress_, name,
                                                             server.port, certificate, key);
    if (!tls->is_valid())
      return failure(Code::invalid,
                     "cannot load the client certificate and key; check -client-cert (" +
                         settings_.client_cert +
                         ") and -client-key, or VAULT_CLIENT_CERT_BYTES and "
                         "VAULT_CLIENT_KEY_BYTES");
    SSL_CTX_set_min_proto_version(tls->ssl_context(), TLS1_2_VERSION);
    expect_name(tls->ssl_context(), name);
    tls->set_ca_cert_path(authority, settings_.ca_path);
    if (authority.empty() && !settings_.ca_path.empty())
      VAULT_TRY(trust_folder(tls->ssl_context(), settings_.ca_path));
    tls->enable_server_certificate_verification(!settings_.tls_skip_verify);
    X509_STORE_set_verify_cb(SSL_CTX_get_cert_store(tls->ssl_context()), note_refusal);
    if (renamed) {
      const std::string address = numeric_address(server.host);
      // The library would look for the other name instead.
      if (address.empty()) return unresolved(server.authority(), server.host);
      tls->set_hostname_addr_map({{name, address}});
    }
    client_ = std::move(tls);
    return {};
  }

  httplib::Request to_httplib(const Url& server, const RawRequest& request) const {
    httplib::Request outgoing;
    outgoing.method = request.method;
    outgoing.path = request.target;
    for (const auto& header : request.headers) outgoing.headers.insert(header);
    const bool is_socket = server.scheme == Url::Scheme::unix_socket;
    outgoing.set_header("Host", is_socket ? "localhost" : server.authority());
    outgoing.body = request.body;
    return outgoing;
  }

  Error explain(const Url& server, httplib::Error error) const {
    const bool is_socket = server.scheme == Url::Scheme::unix_socket;
    std::string where = is_socket ? server.host : server.authority();
    if (!is_socket && settings_.proxy) where += " through the proxy " + settings_.proxy->origin();
    switch (error) {
      case httplib::Error::Connection:
        return no_connection(server, where);
      case httplib::Error::ConnectionTimeout:
        return failure(Code::deadline, "dial " + where + ": i/o timeout");
      case httplib::Error::SSLConnection:
        return failure(Code::invalid, "tls: the handshake with " + where + " failed");
      case httplib::Error::SSLLoadingCerts:
        return failure(Code::invalid,
                       "cannot load the certificate authority from " + name_of_authority());
      case httplib::Error::SSLServerVerification:
        return failure(Code::denied,
                       "x509: the certificate of " + where + " " +
                           (refused_because.empty() ? "is not valid for this name or signed by an "
                                                      "unknown authority"
                                                    : refused_because));
      default:
        return failure(Code::internal,
                       "read " + where + ": the connection ended without an answer");
    }
  }

  Error no_whole_answer(const Url& server) const {
    return failure(Code::deadline, "read " + server.authority() + ": no whole answer within " +
                                       std::to_string(settings_.timeout.count()) +
                                       " s; VAULT_CLIENT_TIMEOUT sets how long to wait");
  }

  // The library says the same of a name that has no address.
  Error no_connection(const Url& server, const std::string& where) const {
    const std::string& host = settings_.proxy ? settings_.proxy->host : server.host;
    if (server.scheme != Url::Scheme::unix_socket && numeric_address(host).empty())
      return unresolved(where, host);
    return failure(Code::unavailable, "dial " + where + ": connection refused or no route");
  }

  std::string name_of_authority() const {
    if (!settings_.ca_cert.empty()) return "\"" + settings_.ca_cert + "\"";
    if (!settings_.ca_cert_pem.empty()) return "VAULT_CACERT_BYTES";
    return "\"" + settings_.ca_path + "\"";
  }

  const Settings& settings_;
  std::string origin_;
  AnswerProgress progress_;
  std::vector<MemoryFile> files_;  // read when the first connection is made
  std::unique_ptr<httplib::ClientImpl> client_;
};

}  // namespace

std::unique_ptr<Transport> make_http_transport(const Settings& settings) {
  return std::make_unique<HttpTransport>(settings);
}

}  // namespace leasehold::client
