// The way to a server: certificates given as texts, proxies, redirects that are not followed.

#include <doctest/doctest.h>

#include <openssl/pem.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "api/client/dial.h"
#include "api/client/proxy.h"
#include "api/client/tls.h"
#include "tests/client/certificate.h"
#include "tests/client/program.h"
#include "tests/client/tunnel.h"
#include "tests/client/vault_server.h"

using leasehold::client::parse_proxy;
using leasehold::testing::Certificate;
using leasehold::testing::Program;
using leasehold::testing::TemporaryFolder;
using leasehold::testing::Tunnel;
using leasehold::testing::VaultServer;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string text_of(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

// The certificate with other dates, signed by its own key.
void date(const Certificate& certificate, const char* from, const char* until) {
  std::FILE* file = std::fopen(certificate.key().c_str(), "r");
  EVP_PKEY* key = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  file = std::fopen(certificate.file().c_str(), "r");
  X509* parsed = PEM_read_X509(file, nullptr, nullptr, nullptr);
  std::fclose(file);
  REQUIRE((key != nullptr && parsed != nullptr));
  REQUIRE(ASN1_TIME_set_string_X509(X509_getm_notBefore(parsed), from) == 1);
  REQUIRE(ASN1_TIME_set_string_X509(X509_getm_notAfter(parsed), until) == 1);
  REQUIRE(X509_sign(parsed, key, EVP_sha256()) > 0);
  file = std::fopen(certificate.file().c_str(), "w");
  PEM_write_X509(file, parsed);
  std::fclose(file);
  X509_free(parsed);
  EVP_PKEY_free(key);
}

}  // namespace

TEST_CASE("reach: an authority, a certificate and its key can be texts in the environment") {
  const Certificate certificate;
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Program program(server.address());
  CHECK(contains(program.run({"read", "s"}).err, "unknown authority"));
  program.environment["VAULT_CACERT_BYTES"] = text_of(certificate.file());
  CHECK(program.run({"read", "-field=k", "s"}).out == "v");
  program.environment["VAULT_CLIENT_CERT_BYTES"] = text_of(certificate.file());
  program.environment["VAULT_CLIENT_KEY_BYTES"] = text_of(certificate.key());
  CHECK(program.run({"read", "-field=k", "s"}).out == "v");

  program.environment["VAULT_CLIENT_KEY_BYTES"] = "no key";
  const auto bad_key = program.run({"read", "s"});
  CHECK(contains(bad_key.err, "cannot load the client certificate and key"));
  CHECK_FALSE(contains(bad_key.err, "no key"));
  program.environment.erase("VAULT_CLIENT_CERT_BYTES");
  program.environment.erase("VAULT_CLIENT_KEY_BYTES");
  program.environment["BAO_CACERT_BYTES"] = "no certificate";
  CHECK(contains(program.run({"read", "s"}).err, "authority from VAULT_CACERT_BYTES"));
  // A file that is named wins over the text.
  CHECK(program.run({"read", "-ca-cert=" + certificate.file(), "-field=k", "s"}).out == "v");
  program.environment.erase("BAO_CACERT_BYTES");
  program.environment.erase("VAULT_CACERT_BYTES");
  // A folder of PEM files with any names; what is no certificate in it is passed over.
  const TemporaryFolder folder;
  CHECK(contains(program.run({"read", "-ca-path=" + folder.path(), "s"}).err,
                 "there is no certificate authority in"));
  folder.write("notes.txt", "nothing");
  std::ifstream from(certificate.file());
  folder.write("our-authority.pem", {std::istreambuf_iterator<char>(from), {}});
  CHECK(program.run({"read", "-ca-path=" + folder.path(), "-field=k", "s"}).out == "v");
}

TEST_CASE("reach: a certificate that is not of today is told apart from an unknown one") {
  struct Row {
    const char *from, *until, *says, *hint;
  };
  constexpr Row kRows[] = {
      {"20200101000000Z", "20210101000000Z", "expired at 2021-01-01T00:00:00Z",
       "give the server a new certificate"},
      {"20900101000000Z", "20910101000000Z", "is not yet valid: it begins at 2090-01-01T00:00:00Z",
       "compare the clock"},
      {nullptr, nullptr, "is not valid for this name", "-tls-server-name"},
  };
  for (const Row& row : kRows) {
    CAPTURE(row.says);
    const bool dated = row.from != nullptr;
    const Certificate certificate("vault.test",
                                  dated ? "DNS:vault.test,IP:127.0.0.1" : "DNS:other");
    if (dated) date(certificate, row.from, row.until);
    VaultServer server(certificate.file(), certificate.key());
    Program program(server.address());
    program.environment["VAULT_CACERT"] = certificate.file();
    const auto refused = program.run({"read", "s"});
    CHECK(contains(refused.err, row.says));
    CHECK(contains(refused.err, row.hint));
  }
}

TEST_CASE("reach: the name of a server is the same in any case") {
  const Certificate certificate("localhost", "DNS:localhost");
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  const Program program("https://LocalHost:" + std::to_string(server.port()));
  const auto read = program.run({"read", "-ca-cert=" + certificate.file(), "-field=k", "s"});
  CHECK(read.out == "v");
  CHECK(read.err.empty());
}

TEST_CASE("reach: a plain request is handed to the proxy whole") {
  VaultServer proxy;
  proxy.on("GET http://vault.test:8200/v1/s", {200, R"({"data":{"k":"v"}})"});
  Program program("http://vault.test:8200");
  program.environment["VAULT_HTTP_PROXY"] = "http://127.0.0.1:1";
  program.environment["VAULT_PROXY_ADDR"] =
      "http://al%40ice:pass@127.0.0.1:" + std::to_string(proxy.port());
  CHECK(program.run({"read", "-field=k", "s"}).out == "v");
  CHECK(proxy.last().header("host") == "vault.test:8200");
  CHECK(proxy.last().header("proxy-authorization") == "Basic YWxAaWNlOnBhc3M=");
  const auto curl = program.run({"read", "-output-curl-string", "s"});
  CHECK(contains(curl.out, "--proxy 'http://127.0.0.1:"));
  CHECK_FALSE(contains(curl.out, "pass"));

  program.environment["VAULT_PROXY_ADDR"] = "";
  CHECK(contains(program.run({"read", "s"}).err, "through the proxy http://127.0.0.1:1"));
  program.environment["VAULT_HTTP_PROXY"] = "socks5://alice:pass@127.0.0.1:1";
  const auto refused = program.run({"read", "s"});
  CHECK(refused.code == 1);
  CHECK(contains(refused.err, "VAULT_HTTP_PROXY must be http://HOST:PORT"));
  CHECK_FALSE(contains(refused.err, "alice"));
}

TEST_CASE("reach: TLS goes through the proxy unread") {
  const Certificate certificate;
  VaultServer server(certificate.file(), certificate.key());
  server.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  Tunnel tunnel(server.port());
  Program program(server.address());
  program.environment["VAULT_TOKEN"] = "hvs.secret";
  program.environment["VAULT_HTTP_PROXY"] = "http://alice:pass@" + tunnel.address();
  CHECK(program.run({"read", "-ca-cert=" + certificate.file(), "-field=k", "s"}).out == "v");
  CHECK(server.last().header("proxy-authorization").empty());
  const std::string asked = tunnel.request();
  CHECK(contains(asked, "Proxy-Authorization: Basic YWxpY2U6cGFzcw=="));
  CHECK(contains(asked, "CONNECT 127.0.0.1:" + std::to_string(server.port())));
  CHECK_FALSE(contains(asked, "hvs.secret"));
}

TEST_CASE("reach: the address of a proxy is taken apart") {
  const auto proxy = parse_proxy("http://us%20er:p%3Aw:d@[::1]:3128/");
  REQUIRE(proxy.has_value());
  CHECK(proxy->host == "::1");
  CHECK(proxy->port == 3128);
  CHECK(proxy->user == "us er");
  CHECK(proxy->password == "p:w:d");
  CHECK(proxy->origin() == "http://[::1]:3128");
  CHECK(parse_proxy("http://proxy")->port == 80);
  for (const char* bad : {"proxy:3128", "https://proxy", "http://", "http://@proxy",
                          "http://a:%4@proxy", "http://a:%zz@proxy", "http://proxy/path"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_proxy(bad).has_value());
  }
}

TEST_CASE("reach: a name without an address is told apart from a server that is down") {
  // A label of more than 63 bytes (RFC 1035, 2.3.4) fails without asking anybody.
  const std::string name = std::string(64, 'a') + ".test";
  Program program("http://" + name + ":8200");
  const auto unknown = program.run({"read", "s"});
  CHECK(unknown.code == 2);
  CHECK(contains(unknown.err, "the name \"" + name + "\" could not be resolved"));
  CHECK(contains(unknown.err, "hint: is that name right? Set VAULT_ADDR or give -address"));
  CHECK_FALSE(contains(unknown.err, "refused"));
  program.environment["VAULT_ADDR"] = "https://" + name + ":8200";
  CHECK(contains(program.run({"read", "-tls-server-name=127.0.0.1", "s"}).err,
                 "the name \"" + name + "\" could not"));
  program.environment["VAULT_HTTP_PROXY"] = "http://" + name + ":3128";
  program.environment["VAULT_ADDR"] = "http://127.0.0.1:1";
  CHECK(contains(program.run({"read", "s"}).err, "the name \"" + name + "\" could not"));
  program.environment.erase("VAULT_HTTP_PROXY");
  CHECK(contains(program.run({"read", "s"}).err, "connection refused or no route"));
}

TEST_CASE("reach: a redirect is not followed when that is forbidden") {
  VaultServer active;
  active.on("GET /v1/s", {200, R"({"data":{"k":"v"}})"});
  VaultServer standby;
  standby.on("GET /v1/s", {307, "", {{"Location", active.address() + "/v1/s"}}});
  Program program(standby.address());
  CHECK(program.run({"read", "s"}).code == 0);
  const auto flag = program.run({"read", "-disable-redirects", "s"});
  CHECK(flag.code == 2);
  CHECK(contains(flag.err, "Code: 307"));
  CHECK(contains(flag.err, "hint: this server points to another one"));
  program.environment["VAULT_DISABLE_REDIRECTS"] = "true";
  CHECK(program.run({"read", "s"}).code == 2);
  CHECK(program.run({"read", "-disable-redirects=false", "s"}).code == 0);
  CHECK(active.seen().size() == 2);
}

TEST_CASE("reach: a client certificate goes out with those that lead to its authority") {
  const Certificate own, above("above");
  const std::string file =
      own.folder.write("chain.pem", text_of(own.file()) + text_of(above.file()));
  leasehold::client::Settings settings;
  settings.client_cert = file;
  settings.client_key = own.key();
  settings.tls_skip_verify = true;
  const auto context = leasehold::client::make_tls_context(settings, "vault.test");
  REQUIRE(context.ok());
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context->get(), &chain);
  CHECK(sk_X509_num(chain) == 1);
}

TEST_CASE("reach: a server is told the name that is asked for, and no address") {
  const Certificate certificate;
  const VaultServer server(certificate.file(), certificate.key());
  leasehold::SystemClock clock;
  leasehold::client::Settings settings;
  settings.ca_cert = certificate.file();
  for (const char* name : {"vault.test", "127.0.0.1"}) {
    CAPTURE(name);
    leasehold::client::Deadline deadline(clock, leasehold::Seconds(20));
    const auto socket = leasehold::client::dial("127.0.0.1", server.port(), "it", deadline);
    const auto context = leasehold::client::make_tls_context(settings, name);
    REQUIRE(socket.ok());
    REQUIRE(context.ok());
    const auto session =
        leasehold::client::begin_tls(*context, name, socket->get(), "it", deadline);
    REQUIRE(session.ok());
    const char* told = SSL_get_servername(session->get(), TLSEXT_NAMETYPE_host_name);
    const bool is_name = std::string_view(name) == "vault.test";
    CHECK((told != nullptr) == is_name);
  }
}
