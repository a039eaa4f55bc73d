#include "api/server/listener_stanza.h"

#include <grp.h>
#include <pwd.h>

#include <charconv>
#include <optional>
#include <utility>

namespace leasehold::server {
namespace {

constexpr Ignored kKnown[] = {
    {"cluster_address", "this is one node; no other is spoken to"},
    {"cluster_addr", "this is one node; no other is spoken to"},
    {"chroot_namespace", "there is one namespace, and this listener serves all of it"},
    {"x_forwarded_for_client_cert_header", "certificates that a proxy forwards are not believed"},
    {"x_forwarded_for_client_cert_decoders", "certificates that a proxy forwards are not believed"},
    {"tls_prefer_server_cipher_suites", "the server's order counts, always"},
    {"tls_key_exchange_preferences", "key exchange is P-256, X25519, P-384 or P-521"},
    {"tls_acme_ca_directory", "no certificate is fetched: set tls_cert_file and tls_key_file"},
    {"tls_acme_ca_root", "no certificate is fetched"},
    {"tls_acme_email", "no certificate is fetched"},
    {"tls_acme_domains", "no certificate is fetched"},
    {"tls_acme_cache_path", "no certificate is fetched"},
    {"tls_acme_eab_key_id", "no certificate is fetched"},
    {"tls_acme_eab_mac_key", "no certificate is fetched"},
    {"tls_acme_key_type", "no certificate is fetched"},
    {"tls_acme_disable_http_challenge", "no certificate is fetched"},
    {"tls_acme_disable_alpn_challenge", "no certificate is fetched"},
    {"max_request_duration", "the server's own deadlines hold"},
    {"max_request_json_memory", "a body is bounded by max_request_size, its values by the server"},
    {"max_request_json_strings", "a body is bounded by max_request_size, its values by the server"},
    {"max_json_depth", "64 levels, always"},
    {"max_json_string_value_length", "bounded by max_request_size"},
    {"max_json_object_entry_count", "bounded by max_request_size"},
    {"max_json_array_element_count", "bounded by max_request_size"},
    {"disable_request_limiter", "the server's own limits hold"},
    {"disable_replication_status_endpoints", "nothing is replicated, so there are none"},
    {"require_request_header",
     "requests without X-Vault-Request are served: keep browsers away from this listener"},
    {"role", "every listener serves all of the API"},
    {"agent_api", "this is no agent"},
    {"proxy_api", "this is no proxy"},
    {"socket_mode", "a tcp listener has no file"},
    {"socket_user", "a tcp listener has no file"},
    {"socket_group", "a tcp listener has no file"},
    {"profiling", "no profile can be taken, with or without a token"},
    {"cors_enabled", "browsers of other origins are not admitted"},
    {"cors_allowed_origins", "browsers of other origins are not admitted"},
    {"cors_allowed_headers", "browsers of other origins are not admitted"},
    {"cors_allow_credentials", "browsers of other origins are not admitted"},
};

constexpr Ignored kOfTelemetry[] = {
    {"metrics_only", "every listener serves all of the API"},
    {"metrics_path", "metrics are at /v1/sys/metrics"},
    {"disallow_metrics", "metrics are shown to who may read sys/metrics"},
};

template <class Id>
std::optional<Id> as_number(const std::string& text) {
  Id id = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool whole = end.ec == std::errc() && end.ptr == text.data() + text.size();
  return whole && id != static_cast<Id>(-1) ? std::optional<Id>(id) : std::nullopt;
}
std::optional<uid_t> user_id(const std::string& name) {
  const passwd* const known = ::getpwnam(name.c_str());  // at the start: one thread
  return known != nullptr ? std::optional<uid_t>(known->pw_uid) : as_number<uid_t>(name);
}
std::optional<gid_t> group_id(const std::string& name) {
  const ::group* const known = ::getgrnam(name.c_str());
  return known != nullptr ? std::optional<gid_t>(known->gr_gid) : as_number<gid_t>(name);
}

struct LoneKey {
  std::string_view key;
  bool has_effect;
  std::string_view because;  // has none
};

// What is wrong is kept by the stanza, so that all of it is told at once, by finish().
class Reader {
 public:
  explicit Reader(Stanza& stanza) : stanza_(stanza) {}

  void tcp() {
    text("address", settings_.address);
    tls();
    proxy_protocol();
  }
  void unix_socket() {
    settings_.kind = ListenerSettings::Kind::unix_socket;
    settings_.address.clear();
    text("address", settings_.address);
    socket_mode();
    socket_owner();
  }
  void common() {
    limits();
    forwarded();
    unauthenticated();
    redacted();
    open_pages();
    lone_keys();
    stanza_.ignore(kKnown);
  }
  ListenerSettings take() { return std::move(settings_); }

 private:
  void text(std::string_view key, std::string& to) {
    if (auto value = stanza_.text(key, to); value.ok()) to = *std::move(value);
  }
  bool flag(std::string_view key, bool fallback) {
    const auto value = stanza_.flag(key, fallback);
    return value.ok() ? *value : fallback;
  }
  std::int64_t number(std::string_view key, std::int64_t fallback) {
    const auto value = stanza_.number(key, fallback);
    return value.ok() ? *value : fallback;
  }
  std::vector<std::string> texts(std::string_view key) {
    auto values = stanza_.texts(key);
    return values.ok() ? *std::move(values) : std::vector<std::string>();
  }

  void tls_version(std::string_view key, int& to) {
    std::string name = to == TLS1_2_VERSION ? "tls12" : "tls13";
    text(key, name);
    if (name == "tls12")
      to = TLS1_2_VERSION;
    else if (name == "tls13")
      to = TLS1_3_VERSION;
    else
      stanza_.refuse(key, std::string(key) +
                              " must be \"tls12\" or \"tls13\"; older versions are broken and are "
                              "not spoken");
  }

  void tls() {
    TlsSettings& tls = settings_.tls_settings;
    settings_.tls = !flag("tls_disable", false);
    text("tls_cert_file", tls.certificate_file);
    text("tls_key_file", tls.key_file);
    tls_version("tls_min_version", tls.least_version);
    tls_version("tls_max_version", tls.most_version);
    text("tls_client_ca_file", tls.client_ca_file);
    tls.require_client_certificate = flag("tls_require_and_verify_client_cert", false);
    if (flag("tls_disable_client_certs", false) && tls.require_client_certificate)
      stanza_.refuse("tls_disable_client_certs",
                     "tls_disable_client_certs and tls_require_and_verify_client_cert exclude each "
                     "other");
    auto_reload();
    ciphers();
  }

  void auto_reload() {
    constexpr std::string_view kKey = "tls_auto_reload_interval";
    const auto interval = stanza_.duration(kKey, kReloadInterval);
    if (!interval.ok()) return;
    if (*interval < Seconds(1))
      return stanza_.refuse(kKey, "tls_auto_reload_interval is 1s or more");
    settings_.reload_interval = flag("tls_auto_reload", true) ? *interval : Seconds(0);
  }

  void ciphers() {
    constexpr std::string_view kKey = "tls_cipher_suites";
    auto suites = parse_cipher_suites(texts(kKey));
    if (!suites.ok()) return stanza_.refuse(kKey, suites.error().message);
    for (const std::string& name : suites->left_out)
      stanza_.warn(kKey, name +
                             " is not offered: it lacks forward secrecy or authenticated "
                             "encryption");
    settings_.tls_settings.ciphers = *std::move(suites);
  }

  // Of those who are believed. A list that came out empty (of a template, say) was meant to name
  // somebody.
  std::vector<std::string> trusted(std::string_view key) {
    auto canonical = canonical_cidrs(texts(key));
    if (!canonical.ok())
      stanza_.refuse(key, canonical.error().message);
    else if (canonical->empty() && stanza_.has(key))
      stanza_.refuse(key, std::string(key) + " is empty: name those that are believed, or leave " +
                              "the key out");
    else
      return *std::move(canonical);
    return {};
  }

  void proxy_protocol() {
    PeerRules& rules = settings_.peers;
    std::string behavior;
    text("proxy_protocol_behavior", behavior);
    rules.proxies = trusted("proxy_protocol_authorized_addrs");
    if (behavior.empty()) return;
    if (behavior == "use_always")
      rules.proxy = ProxyProtocol::use_always;
    else if (behavior == "allow_authorized")
      rules.proxy = ProxyProtocol::allow_authorized;
    else if (behavior == "deny_unauthorized")
      rules.proxy = ProxyProtocol::deny_unauthorized;
    else
      return stanza_.refuse("proxy_protocol_behavior",
                            "proxy_protocol_behavior is use_always, allow_authorized or "
                            "deny_unauthorized");
    if (rules.proxy == ProxyProtocol::use_always)
      stanza_.warn("proxy_protocol_behavior",
                   "with use_always whoever can connect may claim any address");
    else if (!stanza_.has("proxy_protocol_authorized_addrs"))
      stanza_.refuse("proxy_protocol_behavior", "proxy_protocol_behavior = \"" + behavior +
                                                    "\" needs proxy_protocol_authorized_addrs");
  }

  void forwarded() {
    PeerRules& rules = settings_.peers;
    rules.forwarders = trusted("x_forwarded_for_authorized_addrs");
    rules.forwarded = !rules.forwarders.empty();
    rules.hop_skips = number("x_forwarded_for_hop_skips", 0);
    if (rules.hop_skips < 0)
      stanza_.refuse("x_forwarded_for_hop_skips", "x_forwarded_for_hop_skips cannot be negative");
    rules.reject_not_authorized = flag("x_forwarded_for_reject_not_authorized", true);
    rules.reject_not_present = flag("x_forwarded_for_reject_not_present", true);
  }

  Nanos timeout(std::string_view key, Nanos fallback) {
    if (!stanza_.has(key)) return fallback;
    const auto given = stanza_.duration(key, Seconds{0});
    constexpr Seconds kMost{24 * 3600};
    if (given.ok() && *given > kMost)
      stanza_.refuse(key, std::string(key) + " must be between 0 and 24h");
    // Vault reads 0 as "no limit"; here everything has one, so 0 is the default.
    return !given.ok() || *given == Seconds{0} ? fallback : Nanos(*given);
  }

  void limits() {
    constexpr std::int64_t kLeastBody = 1024, kMostBody = std::int64_t{1} << 30;
    const std::int64_t body =
        number("max_request_size", static_cast<std::int64_t>(settings_.http.body_bytes));
    if (body < kLeastBody || body > kMostBody)
      stanza_.refuse("max_request_size", "max_request_size must be between 1024 and 1073741824");
    settings_.http.body_bytes = static_cast<std::uint64_t>(body);
    ListenerSettings& to = settings_;
    to.read_header_timeout = timeout("http_read_header_timeout", to.read_header_timeout);
    to.read_timeout = timeout("http_read_timeout", to.read_timeout);
    to.idle_timeout = timeout("http_idle_timeout", to.idle_timeout);
    to.write_timeout = timeout("http_write_timeout", to.write_timeout);
  }

  // OpenBao's keys: with `false` these endpoints answer without a token.
  void unauthenticated() {
    settings_.traits.unauthenticated_rekey = !flag("disable_unauthed_rekey_endpoints", true);
    settings_.traits.unauthenticated_generate_root =
        !flag("disable_unauthed_generate_root_endpoints", true);
  }

  // What strangers are not shown.
  void redacted() {
    core::ListenerTraits& traits = settings_.traits;
    traits.redact_addresses = flag("redact_addresses", false);
    traits.redact_cluster_name = flag("redact_cluster_name", false);
    traits.redact_version = flag("redact_version", false);
  }

  // What callers without a token are shown. Of the second, both spellings are in use.
  void open_pages() {
    in_block("telemetry", [&](Stanza& block) {
      settings_.open_metrics = flag_of(block, "unauthenticated_metrics_access");
      block.ignore(kOfTelemetry);
    });
    in_block("inflight_requests_logging", [&](Stanza& block) {
      const bool one = flag_of(block, "unauthenticated_in_flight_request_access");
      const bool other = flag_of(block, "unauthenticated_in_flight_requests_access");
      settings_.open_requests = one || other;
    });
  }
  static bool flag_of(Stanza& block, std::string_view key) {
    const auto value = block.flag(key, false);
    return value.ok() && *value;
  }
  template <class Read>
  void in_block(std::string_view type, Read read) {
    for (Stanza& block : stanza_.nested_all(type)) {
      read(block);
      stanza_.warn_of(block);
      if (const Status good = block.finish(); !good.ok())
        stanza_.refuse(type, std::string(type) + ": " + good.error().message);
    }
  }

  // Keys that mean nothing without another: who wrote one may believe in a protection that is not
  // there.
  void lone_keys() {
    const TlsSettings& tls = settings_.tls_settings;
    const PeerRules& peers = settings_.peers;
    constexpr std::string_view kPlain = "with tls_disable = true: this listener speaks plain HTTP";
    constexpr std::string_view kNotAsked =
        "without tls_require_and_verify_client_cert = true: no certificate is asked for";
    constexpr std::string_view kNotHeard =
        "without x_forwarded_for_authorized_addrs: the header is not looked at";
    const std::string_view proxies = peers.proxy == ProxyProtocol::use_always
                                         ? "with use_always: whoever can connect is believed"
                                         : "without proxy_protocol_behavior: no PROXY header is "
                                           "understood";
    const bool chooses_proxies =
        peers.proxy != ProxyProtocol::none && peers.proxy != ProxyProtocol::use_always;
    const LoneKey keys[] = {
        {"tls_cert_file", settings_.tls, kPlain},
        {"tls_key_file", settings_.tls, kPlain},
        {"tls_auto_reload", settings_.tls, kPlain},
        {"tls_auto_reload_interval", settings_.tls && settings_.reload_interval.count() != 0,
         settings_.tls ? "with tls_auto_reload = false" : kPlain},
        {"tls_min_version", settings_.tls, kPlain},
        {"tls_max_version", settings_.tls, kPlain},
        {"tls_cipher_suites", settings_.tls, kPlain},
        {"tls_require_and_verify_client_cert", settings_.tls, kPlain},
        {"tls_client_ca_file", settings_.tls && tls.require_client_certificate,
         settings_.tls ? kNotAsked : kPlain},
        {"proxy_protocol_authorized_addrs", chooses_proxies, proxies},
        {"x_forwarded_for_hop_skips", peers.forwarded, kNotHeard},
        {"x_forwarded_for_reject_not_authorized", peers.forwarded, kNotHeard},
        {"x_forwarded_for_reject_not_present", peers.forwarded, kNotHeard},
    };
    for (const LoneKey& one : keys)
      if (!one.has_effect && stanza_.has(one.key))
        stanza_.warn(one.key, std::string(one.key).append(" has no effect ").append(one.because));
  }

  // Octal, as Vault writes it: "0660".
  void socket_mode() {
    std::string digits;
    text("socket_mode", digits);
    if (digits.empty()) return;
    mode_t mode = 0;
    const bool octal =
        digits.size() <= 5 && digits.find_first_not_of("01234567") == std::string::npos;
    for (const char c : digits) mode = mode * 8 + static_cast<mode_t>(c - '0');
    if (!octal || mode > 0777)
      return stanza_.refuse("socket_mode", "socket_mode must be octal, as in \"0660\"");
    settings_.socket.mode = mode;
  }

  // Each a name or a number.
  void socket_owner() {
    std::string user, group;
    text("socket_user", user);
    text("socket_group", group);
    const auto uid = user.empty() ? std::optional(settings_.socket.user) : user_id(user);
    const auto gid = group.empty() ? std::optional(settings_.socket.group) : group_id(group);
    if (!uid) stanza_.refuse("socket_user", "there is no user \"" + user + "\" on this machine");
    if (!gid) stanza_.refuse("socket_group", "there is no group \"" + group + "\" on this machine");
    settings_.socket.user = uid.value_or(settings_.socket.user);
    settings_.socket.group = gid.value_or(settings_.socket.group);
  }

  Stanza& stanza_;
  ListenerSettings settings_;
};

// After every key is known: a misspelt one is told as that, not as one that is missing.
Status check_tls(const Stanza& stanza, const ListenerSettings& settings) {
  Problems problems;
  const auto wrong = [&](std::string_view key, std::string_view message) {
    problems.add(stanza.where(key) + ": " + std::string(message));
  };
  const TlsSettings& tls = settings.tls_settings;
  if (tls.require_client_certificate && tls.client_ca_file.empty())
    wrong("tls_require_and_verify_client_cert",
          "tls_require_and_verify_client_cert needs tls_client_ca_file");
  if (settings.tls && (tls.certificate_file.empty() || tls.key_file.empty()))
    wrong({}, "a tcp listener needs tls_cert_file and tls_key_file, or tls_disable = true");
  if (settings.tls && tls.least_version > tls.most_version)
    wrong("tls_min_version", "tls_min_version is above tls_max_version");
  return problems.status();
}

}  // namespace

Result<ListenerSettings> read_listener(Stanza& stanza, std::vector<std::string>& warnings) {
  const std::string type = stanza.label(0);
  if (type != "tcp" && type != "unix")
    return failure(Code::invalid, stanza.where() + ": a listener is \"tcp\" or \"unix\"");
  Reader reader(stanza);
  if (type == "tcp")
    reader.tcp();
  else
    reader.unix_socket();
  reader.common();
  VAULT_TRY_ASSIGN(ResponseHeaders headers, ResponseHeaders::read(stanza));
  VAULT_TRY(stanza.finish());
  ListenerSettings settings = reader.take();
  settings.headers = std::move(headers);
  if (type == "unix") VAULT_TRY(stanza.require_text("address"));
  if (type == "tcp") VAULT_TRY(check_tls(stanza, settings));
  warnings.insert(warnings.end(), stanza.warnings().begin(), stanza.warnings().end());
  return settings;
}

}  // namespace leasehold::server
