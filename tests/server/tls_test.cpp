#include "tests/server/tls_fixture.h"

#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"

using namespace leasehold;
using namespace leasehold::testing;

namespace {

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

// Called when the server asks for a certificate.
int note_asked(SSL*, void* asked) {
  *static_cast<bool*>(asked) = true;
  return 1;
}

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
  const testing::TemporaryFolder folder;
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

TEST_CASE_FIXTURE(TlsFixture, "tls: files that changed are read again, where that is looked for") {
  options.settings.reload_interval = Seconds(10);
  {
    const TestServer server(options);
    CHECK(server.listener->reload_interval() == Seconds(10));
    make_certificate(folder.file("new.pem"), folder.file("new.key"), "two");
    std::filesystem::rename(folder.file("new.pem"), folder.file("server.pem"));
    server.listener->look_at_files();  // the pair does not fit yet
    CHECK(TlsClient(server.address(), client.context).peer_name() == "one");
    std::filesystem::rename(folder.file("new.key"), folder.file("server.key"));
    server.listener->look_at_files();
    CHECK(TlsClient(server.address(), client.context).peer_name() == "two");
  }
  options.settings.reload_interval = Seconds(0);
  const TestServer server(options);
  CHECK(server.listener->reload_interval() == Seconds(0));
  make_certificate(folder.file("server.pem"), folder.file("server.key"), "three");
  server.listener->look_at_files();
  CHECK(TlsClient(server.address(), client.context).peer_name() == "two");
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
