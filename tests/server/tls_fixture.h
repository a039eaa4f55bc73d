#pragma once
// A listener that speaks TLS, with certificates of its own, and clients of it that trust anybody.

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "tests/server/echo_core.h"
#include "tests/support/temporary_folder.h"

namespace leasehold::testing {

inline constexpr std::string_view kGet = "GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n";

// A self-signed certificate and its key, P-256 unless given.
inline void make_certificate(const std::string& certificate_file, const std::string& key_file,
                             const char* name, long lasts = 3600,
                             EVP_PKEY* key = EVP_EC_gen("P-256")) {
  X509* certificate = X509_new();
  REQUIRE((key != nullptr && certificate != nullptr));
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), lasts);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_set_pubkey(certificate, key);
  REQUIRE(X509_sign(certificate, key, EVP_sha256()) > 0);
  std::FILE* out = std::fopen(certificate_file.c_str(), "w");
  PEM_write_X509(out, certificate);
  std::fclose(out);
  out = std::fopen(key_file.c_str(), "w");
  PEM_write_PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(out);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

// Many primes are found sooner.
inline EVP_PKEY* rsa_key(int bits, int primes) {
  EVP_PKEY* key = nullptr;
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nullptr);
  REQUIRE(EVP_PKEY_keygen_init(context) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_keygen_bits(context, bits) == 1);
  REQUIRE(EVP_PKEY_CTX_set_rsa_keygen_primes(context, primes) == 1);
  REQUIRE(EVP_PKEY_generate(context, &key) == 1);
  EVP_PKEY_CTX_free(context);
  return key;
}

// One TLS connection from a client that trusts anybody.
class TlsClient {
 public:
  TlsClient(const std::string& address, SSL_CTX* context, SSL_SESSION* session = nullptr)
      : raw_(address), ssl_(SSL_new(context)) {
    SSL_set_fd(ssl_, raw_.fd());
    if (session != nullptr) SSL_set_session(ssl_, session);
    connected = SSL_connect(ssl_) == 1;
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;
  ~TlsClient() {
    SSL_shutdown(ssl_);
    SSL_free(ssl_);
  }
  std::string ask(std::string_view bytes) { return write(bytes) ? answer() : std::string(); }
  bool write(std::string_view bytes) {
    return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
  }
  void send(std::string_view records) { raw_.send(records); }  // past the TLS layer
  void finish_sending() { raw_.finish_sending(); }             // without a word of TLS
  void hang_up() { raw_.hang_up(); }
  std::string answer() {
    std::string text;
    char some[65536];
    while (text.find("\r\n\r\n") == std::string::npos || !text.ends_with("\n")) {
      const int got = SSL_read(ssl_, some, sizeof some);
      if (got <= 0) return text;
      text.append(some, static_cast<std::size_t>(got));
    }
    return text;
  }
  std::string peer_name() const {
    X509* certificate = SSL_get1_peer_certificate(ssl_);
    char name[64] = {};
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name, 64);
    X509_free(certificate);
    return name;
  }
  SSL* ssl() { return ssl_; }
  bool connected = false;

 private:
  RawClient raw_;
  SSL* ssl_;
};

struct ClientContext {
  ClientContext() : context(SSL_CTX_new(TLS_client_method())) {}
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  ~ClientContext() { SSL_CTX_free(context); }
  SSL_CTX* context;
};

struct TlsFixture {
  TlsFixture() {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to who has hung up
    make_certificate(folder.file("server.pem"), folder.file("server.key"), "one");
    make_certificate(folder.file("client.pem"), folder.file("client.key"), "client");
    options.settings.tls = true;
    options.settings.tls_settings.certificate_file = folder.file("server.pem");
    options.settings.tls_settings.key_file = folder.file("server.key");
  }
  void demand_client_certificate() {
    options.settings.tls_settings.require_client_certificate = true;
    options.settings.tls_settings.client_ca_file = folder.file("client.pem");
  }
  void present_client_certificate() {
    REQUIRE(SSL_CTX_use_certificate_file(client.context, folder.file("client.pem").c_str(),
                                         SSL_FILETYPE_PEM) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(client.context, folder.file("client.key").c_str(),
                                        SSL_FILETYPE_PEM) == 1);
  }
  // In decimal, as Vault's audit log has it.
  std::string client_serial() const {
    X509* certificate = SSL_CTX_get0_certificate(client.context);
    BIGNUM* number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr);
    char* digits = BN_bn2dec(number);
    const std::string text = digits;
    OPENSSL_free(digits);
    BN_free(number);
    return text;
  }
  TemporaryFolder folder;
  ServerOptions options;
  ClientContext client;
};

// What a client's TLS layer writes meanwhile, in place of sending it.
template <class Writes>
std::string records_of(SSL* ssl, const Writes& writes) {
  BIO* const socket = SSL_get_wbio(ssl);
  BIO_up_ref(socket);
  BIO* const memory = BIO_new(BIO_s_mem());
  SSL_set0_wbio(ssl, memory);
  writes();
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory, &bytes);
  const std::string records(bytes, static_cast<std::size_t>(size));
  SSL_set0_wbio(ssl, socket);
  return records;
}
inline std::string written(SSL* ssl, std::string_view text) {
  return records_of(ssl, [&] { SSL_write(ssl, text.data(), static_cast<int>(text.size())); });
}
inline std::string renewals(SSL* ssl, int count) {
  return records_of(ssl, [&] {
    for (int i = 0; i < count; ++i) {
      REQUIRE(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
      REQUIRE(SSL_do_handshake(ssl) == 1);
    }
  });
}
inline std::string client_hello(SSL_CTX* context) {
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  const std::string hello = records_of(ssl, [&] { SSL_connect(ssl); });
  SSL_free(ssl);
  return hello;
}

inline bool served(std::string_view text) { return text.find("HTTP/1.1 200") == 0; }

}  // namespace leasehold::testing
