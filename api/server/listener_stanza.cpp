#include "api/server/listener_stanza.h"

#include <utility>

namespace leasehold::server {
namespace {

Error wrong(const Stanza& stanza, std::string_view key, std::string message) {
  return failure(Code::invalid, stanza.where(key) + ": " + std::move(message));
}

Result<int> tls_version(Stanza& stanza, std::string_view key, std::string_view fallback) {
  VAULT_TRY_ASSIGN(const std::string text, stanza.text(key, fallback));
  if (text == "tls12") return TLS1_2_VERSION;
  if (text == "tls13") return TLS1_3_VERSION;
  return wrong(stanza, key, std::string(key) + " must be \"tls12\" or \"tls13\"");
}

Status read_tls(Stanza& stanza, ListenerSettings& settings) {
  TlsSettings& tls = settings.tls_settings;
  VAULT_TRY_ASSIGN(const bool disabled, stanza.flag("tls_disable", false));
  VAULT_TRY_ASSIGN(tls.certificate_file, stanza.text("tls_cert_file"));
  VAULT_TRY_ASSIGN(tls.key_file, stanza.text("tls_key_file"));
  VAULT_TRY_ASSIGN(tls.least_version, tls_version(stanza, "tls_min_version", "tls12"));
  VAULT_TRY_ASSIGN(tls.most_version, tls_version(stanza, "tls_max_version", "tls13"));
  VAULT_TRY_ASSIGN(tls.client_ca_file, stanza.text("tls_client_ca_file"));
  VAULT_TRY_ASSIGN(tls.require_client_certificate,
                   stanza.flag("tls_require_and_verify_client_cert", false));
  VAULT_TRY_ASSIGN(const bool never, stanza.flag("tls_disable_client_certs", false));
  tls.ask_client_certificate = !never;
  settings.tls = !disabled;
  return {};
}

Status check_client_certificates(const Stanza& stanza, const TlsSettings& tls) {
  if (!tls.require_client_certificate) return {};
  if (!tls.ask_client_certificate)
    return wrong(
        stanza, "tls_disable_client_certs",
        "tls_disable_client_certs and tls_require_and_verify_client_cert exclude each other");
  if (tls.client_ca_file.empty())
    return wrong(stanza, "tls_require_and_verify_client_cert",
                 "tls_require_and_verify_client_cert needs tls_client_ca_file");
  return {};
}

// After every key is known: a misspelt one is told as that, not as one that is missing.
Status check_tls(const Stanza& stanza, const ListenerSettings& settings) {
  const TlsSettings& tls = settings.tls_settings;
  VAULT_TRY(check_client_certificates(stanza, tls));
  if (!settings.tls) return {};
  if (tls.certificate_file.empty() || tls.key_file.empty())
    return wrong(stanza, {},
                 "a tcp listener needs tls_cert_file and tls_key_file, or tls_disable = true");
  if (tls.least_version > tls.most_version)
    return wrong(stanza, "tls_min_version", "tls_min_version is above tls_max_version");
  return {};
}

Result<Nanos> timeout(Stanza& stanza, std::string_view key, Nanos fallback) {
  if (!stanza.has(key)) return fallback;
  VAULT_TRY_ASSIGN(const Seconds given, stanza.duration(key, Seconds{0}));
  constexpr Seconds kMost{24 * 3600};
  if (given < Seconds{0} || given > kMost)
    return wrong(stanza, key, std::string(key) + " must be between 0 and 24h");
  // Vault reads 0 as "no limit"; here everything has one, so 0 is the default.
  return given == Seconds{0} ? fallback : Nanos(given);
}

Status read_limits(Stanza& stanza, ListenerSettings& settings) {
  constexpr std::int64_t kLeastBody = 1024, kMostBody = std::int64_t{1} << 30;
  VAULT_TRY_ASSIGN(
      const std::int64_t body,
      stanza.number("max_request_size", static_cast<std::int64_t>(settings.http.body_bytes)));
  if (body < kLeastBody || body > kMostBody)
    return wrong(stanza, "max_request_size",
                 "max_request_size must be between 1024 and 1073741824");
  settings.http.body_bytes = static_cast<std::uint64_t>(body);
  VAULT_TRY_ASSIGN(settings.read_header_timeout,
                   timeout(stanza, "http_read_header_timeout", settings.read_header_timeout));
  VAULT_TRY_ASSIGN(settings.read_timeout,
                   timeout(stanza, "http_read_timeout", settings.read_timeout));
  VAULT_TRY_ASSIGN(settings.idle_timeout,
                   timeout(stanza, "http_idle_timeout", settings.idle_timeout));
  VAULT_TRY_ASSIGN(settings.write_timeout,
                   timeout(stanza, "http_write_timeout", settings.write_timeout));
  return {};
}

// OpenBao's keys: with `false` these endpoints answer without a token.
Status read_unauthenticated(Stanza& stanza, ListenerSettings& settings) {
  VAULT_TRY_ASSIGN(const bool no_rekey, stanza.flag("disable_unauthed_rekey_endpoints", true));
  VAULT_TRY_ASSIGN(const bool no_root,
                   stanza.flag("disable_unauthed_generate_root_endpoints", true));
  settings.traits = {!no_rekey, !no_root};
  return {};
}

// Octal, as Vault writes it: "0660".
Status read_socket_mode(Stanza& stanza, ListenerSettings& settings) {
  VAULT_TRY_ASSIGN(const std::string text, stanza.text("socket_mode"));
  if (text.empty()) return {};
  mode_t mode = 0;
  const bool octal = text.size() <= 5 && text.find_first_not_of("01234567") == std::string::npos;
  for (const char c : text) mode = mode * 8 + static_cast<mode_t>(c - '0');
  if (!octal || mode > 0777)
    return wrong(stanza, "socket_mode", "socket_mode must be octal, as in \"0660\"");
  settings.socket_mode = mode;
  return {};
}

void ignore_known(Stanza& stanza, std::vector<std::string>& warnings) {
  auto ignored = stanza.ignore({"cluster_address",
                                "cluster_addr",
                                "x_forwarded_for_authorized_addrs",
                                "x_forwarded_for_hop_skips",
                                "x_forwarded_for_reject_not_authorized",
                                "x_forwarded_for_reject_not_present",
                                "x_forwarded_for_client_cert_header",
                                "x_forwarded_for_client_cert_decoders",
                                "proxy_protocol_behavior",
                                "proxy_protocol_authorized_addrs",
                                "tls_cipher_suites",
                                "tls_prefer_server_cipher_suites",
                                "tls_key_exchange_preferences",
                                "tls_auto_reload",
                                "tls_auto_reload_interval",
                                "max_request_duration",
                                "max_request_json_memory",
                                "max_request_json_strings",
                                "require_request_header",
                                "role",
                                "socket_user",
                                "socket_group"});
  warnings.insert(warnings.end(), std::make_move_iterator(ignored.begin()),
                  std::make_move_iterator(ignored.end()));
}

Result<ListenerSettings> read_tcp(Stanza& stanza) {
  ListenerSettings settings;
  VAULT_TRY_ASSIGN(settings.address, stanza.text("address", settings.address));
  VAULT_TRY(read_tls(stanza, settings));
  return settings;
}

Result<ListenerSettings> read_unix(Stanza& stanza) {
  ListenerSettings settings;
  settings.kind = ListenerSettings::Kind::unix_socket;
  VAULT_TRY_ASSIGN(settings.address, stanza.text("address"));
  VAULT_TRY(read_socket_mode(stanza, settings));
  return settings;
}

}  // namespace

Result<ListenerSettings> read_listener(Stanza& stanza, std::vector<std::string>& warnings) {
  const std::string type = stanza.label(0);
  if (type != "tcp" && type != "unix")
    return wrong(stanza, {}, "a listener is \"tcp\" or \"unix\"");
  VAULT_TRY_ASSIGN(ListenerSettings settings, type == "tcp" ? read_tcp(stanza) : read_unix(stanza));
  VAULT_TRY(read_limits(stanza, settings));
  VAULT_TRY_ASSIGN(settings.headers, ResponseHeaders::read(stanza));
  VAULT_TRY(read_unauthenticated(stanza, settings));
  ignore_known(stanza, warnings);
  VAULT_TRY(stanza.finish());
  if (type == "unix") VAULT_TRY(stanza.require_text("address"));
  if (type == "tcp") VAULT_TRY(check_tls(stanza, settings));
  return settings;
}

}  // namespace leasehold::server
