#include "api/server/listener_stanza.h"

#include <doctest/doctest.h>

using namespace leasehold;
using namespace leasehold::server;

namespace {

Result<ListenerSettings> read(std::string_view text, std::vector<std::string>* warnings = nullptr) {
  auto file = parse_hcl(text, {"listener"});
  REQUIRE_MESSAGE(file.ok(), file.error().message);
  REQUIRE(file.value().blocks.size() == 1);
  Stanza stanza("vault.hcl", file.value().blocks[0]);
  std::vector<std::string> unused;
  return read_listener(stanza, warnings != nullptr ? *warnings : unused);
}

std::string refusal(std::string_view text) {
  const auto settings = read(text);
  REQUIRE_FALSE(settings.ok());
  CHECK(settings.error().message.starts_with("vault.hcl:"));
  return settings.error().message;
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("listener stanza: Vault's keys mean what they mean there") {
  std::vector<std::string> warnings;
  const auto read_settings = read(R"(listener "tcp" {
    address = "0.0.0.0:8300"
    tls_cert_file = "/c.pem"
    tls_key_file = "/k.pem"
    tls_min_version = "tls13"
    tls_client_ca_file = "/ca.pem"
    tls_require_and_verify_client_cert = "true"
    max_request_size = 1048576
    http_read_header_timeout = "3s"
    http_read_timeout = 7
    http_idle_timeout = "1m"
    http_write_timeout = "9s"
    disable_unauthed_rekey_endpoints = false
    disable_unauthed_generate_root_endpoints = true
  })",
                                  &warnings);
  REQUIRE_MESSAGE(read_settings.ok(), read_settings.error().message);
  const ListenerSettings& settings = read_settings.value();
  CHECK(settings.address == "0.0.0.0:8300");
  CHECK(settings.tls);
  CHECK(settings.tls_settings.certificate_file == "/c.pem");
  CHECK(settings.tls_settings.key_file == "/k.pem");
  CHECK(settings.tls_settings.least_version == TLS1_3_VERSION);
  CHECK(settings.tls_settings.most_version == TLS1_3_VERSION);
  CHECK(settings.tls_settings.require_client_certificate);
  CHECK(settings.http.body_bytes == 1048576);
  CHECK(settings.read_header_timeout == Seconds{3});
  CHECK(settings.read_timeout == Seconds{7});
  CHECK(settings.idle_timeout == Seconds{60});
  CHECK(settings.write_timeout == Seconds{9});
  CHECK(warnings.empty());
  CHECK(settings.traits.unauthenticated_rekey);
  CHECK_FALSE(settings.traits.unauthenticated_generate_root);
}

TEST_CASE("listener stanza: the defaults are loopback, and no client certificates") {
  const auto settings = read(R"(listener "tcp" { tls_disable = 1 })");
  REQUIRE_MESSAGE(settings.ok(), settings.error().message);
  CHECK(settings.value().address == "127.0.0.1:8200");
  CHECK_FALSE(settings.value().tls);
  CHECK_FALSE(settings.value().tls_settings.require_client_certificate);
  CHECK(settings.value().http.body_bytes == 2u << 20);
}

TEST_CASE("listener stanza: a unix socket has an address and a mode") {
  const auto settings = read(R"(listener "unix" { address = "/run/v.sock" socket_mode = "0660" })");
  REQUIRE_MESSAGE(settings.ok(), settings.error().message);
  CHECK(settings.value().kind == ListenerSettings::Kind::unix_socket);
  CHECK(settings.value().address == "/run/v.sock");
  CHECK(settings.value().socket.mode == 0660);
  CHECK(contains(refusal(R"(listener "unix" { address = "/x" socket_mode = "rw" })"), "octal"));
  CHECK(contains(refusal(R"(listener "unix" { address = "/x" socket_mode = "9999" })"), "octal"));
  CHECK(contains(refusal(R"(listener "unix" { })"), "address"));
  CHECK(settings.value().socket.user == static_cast<uid_t>(-1));
  const auto owned =
      read(R"(listener "unix" { address = "/x" socket_user = "root" socket_group = "4711" })");
  REQUIRE_MESSAGE(owned.ok(), owned.error().message);
  CHECK(owned.value().socket.user == 0);
  CHECK(owned.value().socket.group == 4711);
  CHECK(contains(refusal(R"(listener "unix" { address = "/x" socket_user = "no such" })"),
                 "there is no user"));
  CHECK(contains(refusal(R"(listener "unix" { address = "/x" socket_group = "-1" })"),
                 "there is no group"));
}

TEST_CASE("listener stanza: without a certificate it refuses, unless TLS is disabled") {
  const std::string text = refusal(R"(listener "tcp" { address = "127.0.0.1:1" })");
  CHECK(contains(text, "tls_cert_file"));
  CHECK(contains(text, "tls_disable = true"));
  refusal(R"(listener "tcp" { tls_cert_file = "/c.pem" })");
}

TEST_CASE("listener stanza: what cannot be meant is refused with its place") {
  CHECK(
      contains(refusal("listener \"tcp\" {\n tls_disable = true\n tls_min_version = \"tls10\"\n}"),
               "vault.hcl:3"));
  CHECK(contains(refusal(R"(listener "quic" { })"), "\"tcp\" or \"unix\""));
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = true colour = "red" })"), "colour"));
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = true max_request_size = 1 })"),
                 "max_request_size"));
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = true http_idle_timeout = "-1s" })"),
                 "http_idle_timeout"));
  CHECK(contains(refusal(R"(listener "tcp" { tls_cert_file = "c" tls_key_file = "k"
                            tls_require_and_verify_client_cert = true })"),
                 "tls_client_ca_file"));
  CHECK(contains(refusal(R"(listener "tcp" { tls_cert_file = "c" tls_key_file = "k"
                            tls_min_version = "tls13" tls_max_version = "tls12" })"),
                 "tls_min_version"));
}

TEST_CASE("listener stanza: a misspelt key is told by its name and line, not as a missing one") {
  CHECK(contains(refusal("listener \"tcp\" {\n tls_cert_file = \"c\"\n tls_keyfile = \"k\"\n}"),
                 "vault.hcl:3:2: unknown key \"tls_keyfile\" in listener \"tcp\"; did you mean "
                 "\"tls_key_file\"?"));
  CHECK(contains(refusal("listener \"tcp\" { tls_cert_file = \"c\" tls_key_file = \"k\"\n"
                         "tls_require_and_verify_client_cert = true\n tls_client_ca = \"a\" }"),
                 "vault.hcl:3:2: unknown key \"tls_client_ca\""));
  CHECK(contains(refusal("listener \"unix\" {\n adress = \"/run/v.sock\"\n}"),
                 "vault.hcl:2:2: unknown key \"adress\""));
}

TEST_CASE("listener stanza: keys without effect are warned of, with what that means") {
  std::vector<std::string> warnings;
  const auto settings = read(
      R"(listener "tcp" { tls_disable = true agent_api { } telemetry { metrics_only = true } })",
      &warnings);
  REQUIRE_MESSAGE(settings.ok(), settings.error().message);
  REQUIRE(warnings.size() == 2);
  CHECK(contains(warnings[1], "this is no agent"));
  CHECK(contains(warnings[0], "\"metrics_only\" is accepted and has no effect"));
}

TEST_CASE("listener stanza: what callers without a token are shown") {
  const auto closed = read(R"(listener "tcp" { tls_disable = true telemetry { } })");
  REQUIRE(closed.ok());
  CHECK_FALSE(closed->open_metrics);
  CHECK_FALSE(closed->open_requests);
  const auto open = read(R"(listener "tcp" {
    tls_disable = true
    telemetry { unauthenticated_metrics_access = true }
    inflight_requests_logging { unauthenticated_in_flight_requests_access = "true" }
  })");
  REQUIRE_MESSAGE(open.ok(), open.error().message);
  CHECK(open->open_metrics);
  CHECK(open->open_requests);
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = true
    telemetry { unauthenticated_metric_access = true } })"),
                 "unknown key \"unauthenticated_metric_access\""));
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = true
    telemetry { unauthenticated_metrics_access = "yes" } })"),
                 "unauthenticated_metrics_access"));
}

TEST_CASE("listener stanza: what strangers are not shown") {
  std::vector<std::string> warnings;
  const auto plain = read(R"(listener "tcp" { tls_disable = true })", &warnings);
  const auto redacted = read(
      R"(listener "tcp" { tls_disable = true redact_version = true redact_cluster_name = "true"
                          redact_addresses = true })",
      &warnings);
  REQUIRE(plain.ok());
  REQUIRE(redacted.ok());
  CHECK(warnings.empty());
  const auto all = [](const core::ListenerTraits& traits) {
    return std::array{traits.redact_version, traits.redact_cluster_name, traits.redact_addresses};
  };
  CHECK(all(plain->traits) == std::array{false, false, false});
  CHECK(all(redacted->traits) == std::array{true, true, true});
}

TEST_CASE("listener stanza: all that is wrong is told at once") {
  const std::string text = refusal(
      "listener \"tcp\" {\n tls_disable = \"maybe\"\n  tls_min_version = \"tls10\"\n"
      " http_idle_timeout = \"soon\"\n tls_cipher_suites = \"TLS_NONE\"\n"
      " proxy_protocol_behavior = \"always\"\n colour = 1\n socket_mod = 2\n}");
  for (const char* part :
       {"vault.hcl:2:2: \"tls_disable\" must be true or false",
        "vault.hcl:3:3: tls_min_version must be", "vault.hcl:4:2: \"http_idle_timeout\" must be",
        "vault.hcl:5:2: unsupported cipher \"TLS_NONE\"",
        "vault.hcl:6:2: proxy_protocol_behavior is use_always",
        "vault.hcl:7:2: unknown key \"colour\"", "vault.hcl:8:2: unknown key \"socket_mod\""})
    CHECK_MESSAGE(contains(text, part), text);
}

TEST_CASE("listener stanza: who is believed about where a request comes from") {
  std::vector<std::string> warnings;
  const auto settings = read(R"(listener "tcp" { tls_disable = true
    proxy_protocol_behavior = "deny_unauthorized"
    proxy_protocol_authorized_addrs = ["10.1.2.3/8", "::1"]
    x_forwarded_for_authorized_addrs = "10.0.0.0/8,192.0.2.1"
    x_forwarded_for_hop_skips = "2"
    x_forwarded_for_reject_not_present = false })",
                             &warnings);
  REQUIRE_MESSAGE(settings.ok(), settings.error().message);
  const PeerRules& rules = settings.value().peers;
  CHECK(rules.proxy == ProxyProtocol::deny_unauthorized);
  CHECK(rules.proxies == std::vector<std::string>{"10.0.0.0/8", "::1"});
  CHECK(rules.forwarded);
  CHECK(rules.forwarders == std::vector<std::string>{"10.0.0.0/8", "192.0.2.1"});
  CHECK(rules.hop_skips == 2);
  CHECK_FALSE(rules.reject_not_present);
  CHECK(rules.reject_not_authorized);
  CHECK(warnings.empty());
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = 1
                            proxy_protocol_behavior = "allow_authorized" })"),
                 "needs proxy_protocol_authorized_addrs"));
  CHECK(contains(refusal(R"(listener "tcp" { tls_disable = 1
                            x_forwarded_for_authorized_addrs = "localhost" })"),
                 "not a network"));
  for (const char* nobody : {"[]", R"("")", R"(",")"}) {
    CHECK(contains(refusal(std::string(R"(listener "tcp" { tls_disable = 1
                            x_forwarded_for_authorized_addrs = )") +
                           nobody + " }"),
                   "x_forwarded_for_authorized_addrs is empty"));
    CHECK(contains(refusal(std::string(R"(listener "tcp" { tls_disable = 1
                            proxy_protocol_behavior = "deny_unauthorized"
                            proxy_protocol_authorized_addrs = )") +
                           nobody + " }"),
                   "proxy_protocol_authorized_addrs is empty"));
  }
  CHECK(read(R"(listener "tcp" { tls_disable = 1 proxy_protocol_behavior = "use_always" })",
             &warnings)
            .ok());
  REQUIRE(warnings.size() == 1);
  CHECK(contains(warnings[0], "whoever can connect may claim any address"));
}

TEST_CASE("listener stanza: a key that means nothing without another is warned of") {
  const std::string tls = R"(tls_cert_file = "c" tls_key_file = "k" )";
  const std::string plain = "tls_disable = true ";
  const std::string named = R"(proxy_protocol_authorized_addrs = "10.0.0.1" )";
  const std::string forwarders = R"(x_forwarded_for_authorized_addrs = "10.0.0.1" )";
  const std::string behavior = R"(proxy_protocol_behavior = "allow_authorized" )";
  const std::string required = "tls_require_and_verify_client_cert = true ";
  const std::string authority = R"(tls_client_ca_file = "a" )";
  struct Case {
    std::string_view key;
    std::string alone;  // the key, and all but what gives it its meaning
    std::string whole;
    std::string_view because;
  };
  constexpr std::string_view kPlain = "with tls_disable = true: this listener speaks plain HTTP";
  constexpr std::string_view kNotHeard =
      "without x_forwarded_for_authorized_addrs: the header is not looked at";
  const Case cases[] = {
      {"tls_cert_file", plain + R"(tls_cert_file = "c")", tls, kPlain},
      {"tls_key_file", plain + R"(tls_key_file = "k")", tls, kPlain},
      {"tls_min_version", plain + R"(tls_min_version = "tls13")",
       tls + R"(tls_min_version = "tls13")", kPlain},
      {"tls_max_version", plain + R"(tls_max_version = "tls13")",
       tls + R"(tls_max_version = "tls13")", kPlain},
      {"tls_cipher_suites",
       plain + R"(tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")",
       tls + R"(tls_cipher_suites = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384")", kPlain},
      {"tls_client_ca_file", tls + authority, tls + authority + required,
       "without tls_require_and_verify_client_cert = true: no certificate is asked for"},
      {"proxy_protocol_authorized_addrs", plain + named, plain + named + behavior,
       "without proxy_protocol_behavior: no PROXY header is understood"},
      {"x_forwarded_for_hop_skips", plain + "x_forwarded_for_hop_skips = 1",
       plain + forwarders + "x_forwarded_for_hop_skips = 1", kNotHeard},
      {"x_forwarded_for_reject_not_authorized",
       plain + "x_forwarded_for_reject_not_authorized = true",
       plain + forwarders + "x_forwarded_for_reject_not_authorized = true", kNotHeard},
      {"x_forwarded_for_reject_not_present", plain + "x_forwarded_for_reject_not_present = false",
       plain + forwarders + "x_forwarded_for_reject_not_present = false", kNotHeard},
  };
  const auto warnings_of = [](const std::string& keys) {
    std::vector<std::string> warnings;
    const auto settings = read("listener \"tcp\" {\n" + keys + "\n}", &warnings);
    REQUIRE_MESSAGE(settings.ok(), settings.error().message);
    return warnings;
  };
  for (const Case& one : cases) {
    CAPTURE(one.key);
    const std::string expected =
        ": " + std::string(one.key) + " has no effect " + std::string(one.because);
    const auto warnings = warnings_of(one.alone);
    REQUIRE(warnings.size() == 1);
    CHECK(warnings[0].starts_with("vault.hcl:2:"));
    CHECK(warnings[0].ends_with(expected));
    CHECK(warnings_of(one.whole).empty());
  }
  const auto mutual = warnings_of(plain + authority + required);
  REQUIRE(mutual.size() == 2);
  for (const std::string& warning : mutual) CHECK(warning.ends_with(kPlain));
  const auto always = warnings_of(plain + named + R"(proxy_protocol_behavior = "use_always")");
  REQUIRE(always.size() == 2);
  CHECK(contains(always[1], "proxy_protocol_authorized_addrs has no effect with use_always"));
}
