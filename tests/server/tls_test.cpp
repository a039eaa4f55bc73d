#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>

#include "tests/server/echo_core.h"
#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"

using namespace leasehold;
using namespace leasehold::testing;

namespace {

constexpr std::string_view kGet = "GET /v1/a HTTP/1.1\r\nHost: x\r\n\r\n";

struct Folder {
  Folder() {
    char name[] = "/tmp/leasehold-tls-XXXXXX";
    REQUIRE(::mkdtemp(name) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string file(std::string_view name) const { return path + "/" + std::string(name); }
  std::string path;
};

// A self-signed certificate and its key, P-256 unless given.
void make_certificate(const std::string& certificate_file, const std::string& key_file,
                      const char* name, long lasts = 3600, EVP_PKEY* key = EVP_EC_gen("P-256")) {
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
EVP_PKEY* rsa_key(int bits, int primes) {
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

class KeptWarnings final : public LogSink {
 public:
  void write(LogLevel level, std::string_view message) override {
    if (level != LogLevel::warn) return;
    ++count;
    last = message;
  }
  int count = 0;
  std::string last;
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
  Folder folder;
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
std::string written(SSL* ssl, std::string_view text) {
  return records_of(ssl, [&] { SSL_write(ssl, text.data(), static_cast<int>(text.size())); });
}
std::string renewals(SSL* ssl, int count) {
  return records_of(ssl, [&] {
    for (int i = 0; i < count; ++i) {
      REQUIRE(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
      REQUIRE(SSL_do_handshake(ssl) == 1);
    }
  });
}
std::string client_hello(SSL_CTX* context) {
  SSL* ssl = SSL_new(context);
  SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  const std::string hello = records_of(ssl, [&] { SSL_connect(ssl); });
  SSL_free(ssl);
  return hello;
}

// Called when the server asks for a certificate.
int note_asked(SSL*, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 1;
}

bool served(std::string_view text) { return text.find("HTTP/1.1 200") == 0; }

}  // namespace

TEST_CASE(
    "tls: a client that closes its side is answered, what one that is gone was given is not") {
  TlsFixture fixture;
  for (const bool gone : {false, true}) {
    CAPTURE(gone);
    TestServer server(fixture.options);
    TlsClient client(server.address(), fixture.client.context);
    REQUIRE(client.write("GET /v1/held HTTP/1.1\r\nHost: x\r\n\r\n"));
    REQUIRE(server.core.wait_for_held(1));
    if (gone)
      client.hang_up();
    else
      client.finish_sending();
    for (int i = 0; i < 20; ++i)
      CHECK(TlsClient(server.address(), fixture.client.context)
                .ask(kGet)
                .starts_with("HTTP/1.1 200"));
    server.core.release();
    if (!gone) CHECK(client.answer().starts_with("HTTP/1.1 200"));
    CHECK(eventually([&] { return server.listener->connections() == 0; }));
    CHECK(server.core.undelivered_leases().size() == (gone ? 1 : 0));
  }
}

TEST_CASE("tls: a certificate that ends soon, has ended or has not begun is told") {
  const Folder folder;
  server::TlsSettings settings;
  settings.certificate_file = folder.file("cert.pem");
  settings.key_file = folder.file("key.pem");
  constexpr long kDay = 24 * 3600;
  make_certificate(settings.certificate_file, settings.key_file, "x", 60 * kDay);
  const auto context = server::make_tls_context(settings);
  REQUIRE(context.ok());
  SystemClock clock;
  const auto trouble = [&](long days) {
    return server::trouble_with_dates(**context, add(clock.now(), Seconds{days * kDay}));
  };
  CHECK(trouble(0).empty());
  CHECK(trouble(29).empty());
  CHECK(trouble(31).find("the certificate expires at 2") == 0);
  CHECK(trouble(61).find("the certificate expired at 2") == 0);
  CHECK(trouble(-1).find("not yet valid, it begins at 2") != std::string::npos);

  server::DatesWatch watch;  // while the server runs
  const auto says = [&](long hours) {
    return !watch.look(**context, add(clock.now(), Seconds{hours * 3600})).empty();
  };
  for (long hours = 0, left = 60 * 24; hours < 62 * 24; ++hours, --left)
    CHECK_MESSAGE(says(hours) == (left == 30 * 24 || left == 7 * 24 || left == 24 || left == 0),
                  hours);
  watch.forget();
  CHECK(says(40 * 24));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a certificate that ends while the server runs is warned of") {
  KeptWarnings log;
  FakeClock time;
  EchoCore core;
  time.set(SystemClock().now());
  make_certificate(folder.file("server.pem"), folder.file("server.key"), "x", 60 * 24 * 3600);
  auto opened = server::Listener::open({options.settings}, options.limits, core, time, log);
  REQUIRE(opened.ok());
  CHECK(log.count == 0);
  time.advance(Seconds{40 * 24 * 3600});
  for (int look = 0; look < 3; ++look) (*opened)->look_at_dates();
  CHECK(log.count == 1);
  CHECK(log.last.find("expires at") != std::string::npos);
  make_certificate(folder.file("server.pem"), folder.file("server.key"), "x", 90 * 24 * 3600);
  REQUIRE((*opened)->reload().ok());
  (*opened)->look_at_dates();
  CHECK(log.count == 1);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: requests are served over 1.2 and 1.3, never below") {
  const TestServer server(options);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_min_proto_version(client.context, version);
    SSL_CTX_set_max_proto_version(client.context, version);
    TlsClient tls(server.address(), client.context);
    REQUIRE(tls.connected);
    CHECK(SSL_version(tls.ssl()) == version);
    for (int i = 0; i < 3; ++i) CHECK(served(tls.ask(kGet)));
    CHECK(tls.ask(kGet).find("\r\nStrict-Transport-Security: max-age=") != std::string::npos);
  }
  SSL_CTX_set_min_proto_version(client.context, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(client.context, TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(client.context, "ALL:@SECLEVEL=0");
  CHECK_FALSE(TlsClient(server.address(), client.context).connected);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: bodies and answers larger than a record arrive whole") {
  const TestServer server(options);
  TlsClient tls(server.address(), client.context);
  const std::string text(300'000, 'x');
  const std::string body = "{\"k\":\"" + text + "\"}";
  const std::string answer =
      tls.ask("POST /v1/a HTTP/1.1\r\nHost: x\r\nX-Vault-Token: t\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
  CHECK(served(answer));
  CHECK(answer.find(text) != std::string::npos);
  CHECK(served(tls.ask(kGet)));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: sessions resume, unless a client certificate is demanded") {
  bool demanded = false;
  SUBCASE("none is asked for") {}
  SUBCASE("demanded") { demanded = true; }
  if (demanded) demand_client_certificate();
  present_client_certificate();
  const TestServer server(options);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(client.context, version);
    SSL_SESSION* session = nullptr;
    {
      TlsClient first(server.address(), client.context);
      REQUIRE(first.connected);
      CHECK(served(first.ask(kGet)));
      session = SSL_get1_session(first.ssl());
    }
    TlsClient second(server.address(), client.context, session);
    REQUIRE(second.connected);
    CHECK(SSL_session_reused(second.ssl()) == (demanded ? 0 : 1));
    CHECK(served(second.ask(kGet)));
    SSL_SESSION_free(session);
  }
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a client certificate is asked for where it is demanded") {
  bool asked = false;
  SSL_CTX_set_cert_cb(client.context, note_asked, &asked);
  SUBCASE("not demanded") {
    present_client_certificate();
    const TestServer server(options);
    const std::string answer = TlsClient(server.address(), client.context).ask(kGet);
    CHECK(served(answer));
    CHECK_FALSE(asked);
    CHECK(answer.find("\"certificate_serial\":\"\"") != std::string::npos);
  }
  SUBCASE("demanded") {
    demand_client_certificate();
    const TestServer server(options);
    CHECK_FALSE(served(TlsClient(server.address(), client.context).ask(kGet)));
    CHECK(asked);
    present_client_certificate();
    const std::string answer = TlsClient(server.address(), client.context).ask(kGet);
    CHECK(served(answer));
    CHECK(answer.find("\"certificate_serial\":\"" + client_serial() + "\"") != std::string::npos);
  }
}

TEST_CASE_FIXTURE(TlsFixture, "tls: what a client's certificates cost to verify is bounded") {
  demand_client_certificate();
  SUBCASE("a large key, though it is trusted") {
    bool fits = false;
    SUBCASE("as large as may be") { fits = true; }
    SUBCASE("larger") {}
    make_certificate(folder.file("client.pem"), folder.file("client.key"), "client", 3600,
                     fits ? rsa_key(2048, 2) : rsa_key(8208, 5));
    present_client_certificate();
    const TestServer server(options);
    CHECK(served(TlsClient(server.address(), client.context).ask(kGet)) == fits);
  }
  SUBCASE("a long chain") {
    present_client_certificate();
    X509* certificate = SSL_CTX_get0_certificate(client.context);
    for (int i = 0; i < 60; ++i) {
      X509_up_ref(certificate);
      SSL_CTX_add_extra_chain_cert(client.context, certificate);
    }
    const TestServer server(options);
    CHECK_FALSE(served(TlsClient(server.address(), client.context).ask(kGet)));
  }
}

TEST_CASE_FIXTURE(TlsFixture, "tls: reload presents the new certificate and keeps connections") {
  const TestServer server(options);
  TlsClient old(server.address(), client.context);
  CHECK(old.peer_name() == "one");
  make_certificate(folder.file("server.pem"), folder.file("server.key"), "two");
  REQUIRE(server.listener->reload().ok());
  CHECK(TlsClient(server.address(), client.context).peer_name() == "two");
  CHECK(served(old.ask(kGet)));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a reload that fails keeps the certificate") {
  const TestServer server(options);
  std::filesystem::remove(folder.file("server.key"));
  const Status reloaded = server.listener->reload();
  REQUIRE_FALSE(reloaded.ok());
  CHECK(reloaded.error().message.find("server.key") != std::string::npos);
  CHECK(TlsClient(server.address(), client.context).peer_name() == "one");
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a key of another certificate is refused when opening") {
  options.settings.tls_settings.key_file = folder.file("client.key");
  EchoCore core;
  SystemClock clock;
  NullLog log;
  const auto listener =
      server::Listener::open({options.settings}, options.limits, core, clock, log);
  REQUIRE_FALSE(listener.ok());
  CHECK(listener.error().message.find("client.key") != std::string::npos);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a file that is missing is told as missing, with its path") {
  const auto said = [&](std::string server::TlsSettings::*file) {
    server::TlsSettings settings = options.settings.tls_settings;
    settings.require_client_certificate = true;
    settings.*file = folder.file("none.pem");
    const auto context = server::make_tls_context(settings);
    REQUIRE_FALSE(context.ok());
    return context.error().message;
  };
  const std::string end = " " + folder.file("none.pem") + ": No such file or directory";
  CHECK(said(&server::TlsSettings::certificate_file) == "cannot read tls_cert_file" + end);
  CHECK(said(&server::TlsSettings::key_file) == "cannot read tls_key_file" + end);
  CHECK(said(&server::TlsSettings::client_ca_file) == "cannot read tls_client_ca_file" + end);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: HTTP/1.1 is chosen from what a client offers") {
  const TestServer server(options);
  static constexpr unsigned char kOffer[] = "\x02h2\x08http/1.1";
  SSL_CTX_set_alpn_protos(client.context, kOffer, sizeof kOffer - 1);
  TlsClient tls(server.address(), client.context);
  const unsigned char* chosen = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(tls.ssl(), &chosen, &size);
  CHECK(std::string_view(reinterpret_cast<const char*>(chosen), size) == "http/1.1");
}

TEST_CASE_FIXTURE(TlsFixture, "tls: plain HTTP to a TLS port is told so") {
  const TestServer server(options);
  RawClient plain = server.connect();
  plain.send(kGet);
  const Reply reply = plain.reply();
  CHECK(reply.status == 400);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: a handshake that does not end is ended") {
  options.limits.handshake = Millis(60);
  const TestServer server(options);
  RawClient silent = server.connect();
  CHECK(silent.ended());
  RawClient halfway = server.connect();
  halfway.send("\x16\x03\x01");
  CHECK(halfway.ended());
  CHECK(served(TlsClient(server.address(), client.context).ask(kGet)));
}

TEST_CASE_FIXTURE(TlsFixture, "tls: who only renews keys is ended, who also asks is served") {
  const TestServer server(options);
  TlsClient honest(server.address(), client.context);
  for (int i = 0; i < 200; ++i) {
    honest.send(renewals(honest.ssl(), 10));
    CHECK(served(honest.ask(kGet)));
  }
  TlsClient endless(server.address(), client.context);
  CHECK(served(endless.ask(kGet)));
  endless.send(renewals(endless.ssl(), 5000));
  CHECK(endless.ask(kGet).empty());
}

TEST_CASE_FIXTURE(TlsFixture, "tls: what a connection sends beside its data is read in turns") {
  options.limits.threads = 1;
  TestServer server(options);
  TlsClient blocker(server.address(), client.context);
  TlsClient clients[] = {{server.address(), client.context}, {server.address(), client.context}};
  std::string floods[2];
  for (int one = 0; one < 2; ++one) {
    SSL* const ssl = clients[one].ssl();
    CHECK(served(clients[one].ask(kGet)));
    for (int i = 0; i < 4; ++i) {  // 60 KiB, each record after the one before
      floods[one] += renewals(ssl, 550);
      floods[one] += written(ssl, kGet);
    }
  }
  blocker.write("GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(server.core.wait_for_block());
  for (int one = 0; one < 2; ++one) clients[one].send(floods[one]);
  server.core.unblock();
  int first[2], last[2];
  for (int one = 0; one < 2; ++one) {
    std::string answers;
    constexpr std::string_view kId = "\"request_id\"";
    for (std::size_t seen = 0; seen < 4;) {
      const std::string more = clients[one].answer();
      REQUIRE_FALSE(more.empty());
      for (auto at = more.find(kId); at != more.npos; at = more.find(kId, at + 1)) ++seen;
      answers += more;
    }
    first[one] = order_of(answers);
    last[one] = order_of(std::string_view(answers).substr(answers.rfind(kId)));
  }
  CHECK(first[0] < last[1]);
  CHECK(first[1] < last[0]);
}

TEST_CASE_FIXTURE(TlsFixture, "tls: handshakes wait for those who are connected") {
  options.limits.threads = 1;
  TestServer server(options);
  const std::string hello = client_hello(client.context);
  TlsClient blocker(server.address(), client.context), busy(server.address(), client.context);
  CHECK(served(busy.ask(kGet)));
  const std::string_view block = "GET /v1/block HTTP/1.1\r\nHost: x\r\n\r\n";
  blocker.write(block);
  REQUIRE(server.core.wait_for_block());
  std::vector<RawClient> flood;
  for (int i = 0; i < 12; ++i) {
    flood.push_back(server.connect());
    flood.back().send(hello);
  }
  std::string requests;  // more than one turn takes
  for (int i = 0; i < 64; ++i) requests += kGet;
  busy.write(requests + std::string(block));
  server.core.unblock();
  REQUIRE(server.core.wait_for_block());
  const auto heard = [&] {
    return std::count_if(flood.begin(), flood.end(), [](const RawClient& one) {
      pollfd waits{one.fd(), POLLIN, 0};
      return ::poll(&waits, 1, 0) == 1;
    });
  };
  CHECK(heard() <= 8);
  server.core.unblock();
  CHECK(eventually([&] { return heard() == 12; }));
}
