#include "api/client/settings.h"

#include <algorithm>
#include <charconv>

#include "vault/base/duration.h"
#include "vault/base/environment.h"

namespace leasehold::client {
namespace {

void read_text(std::string_view name, std::string& to) {
  if (auto value = environment(name); value && !value->empty()) to = *std::move(value);
}

void read_secret(std::string_view name, SecretBytes& to) {
  auto value = environment(name);
  if (!value) return;
  to = SecretBytes(*value);
  wipe(*value);
}

void read_list(std::string_view name, std::vector<std::string>& to) {
  const std::string value = environment(name).value_or("");
  for (std::string_view rest = value; !rest.empty();) {
    const auto comma = std::min(rest.find(','), rest.size());
    to.emplace_back(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
}

Status read_timeout(Seconds& to) {
  const auto value = environment("CLIENT_TIMEOUT");
  if (!value || value->empty()) return {};
  const auto parsed = parse_duration(*value);
  if (!parsed.ok() || *parsed <= Seconds{0})
    return failure(Code::invalid, "VAULT_CLIENT_TIMEOUT must be a duration such as 60s");
  to = *parsed;
  return {};
}

Status read_retries(unsigned& to) {
  const auto value = environment("MAX_RETRIES");
  if (!value || value->empty()) return {};
  const auto end = value->data() + value->size();
  const auto outcome = std::from_chars(value->data(), end, to);
  if (outcome.ec == std::errc() && outcome.ptr == end) return {};
  return failure(Code::invalid, "VAULT_MAX_RETRIES must be a number");
}

Status read_proxy(std::optional<Proxy>& to) {
  for (const char* name : {"PROXY_ADDR", "HTTP_PROXY"}) {
    const auto value = environment(name);
    if (!value || value->empty()) continue;
    to = parse_proxy(*value);
    if (to) return {};
    // Never the value: it may hold a password.
    return failure(Code::invalid,
                   "VAULT_" + std::string(name) +
                       " must be http://HOST:PORT or http://USER:PASSWORD@HOST:PORT");
  }
  return {};
}

}  // namespace

std::optional<std::string> environment(std::string_view name) {
  for (const char* prefix : {"LEASEHOLD_", "BAO_", "VAULT_"})
    if (const char* value = find_in_environment(prefix + std::string(name))) return value;
  return std::nullopt;
}

Result<bool> environment_switch(std::string_view name, bool fallback) {
  const std::string value = environment(name).value_or("");
  if (value.empty()) return fallback;
  for (const char* yes : {"1", "t", "T", "true", "TRUE", "True"})
    if (value == yes) return true;
  for (const char* no : {"0", "f", "F", "false", "FALSE", "False"})
    if (value == no) return false;
  return failure(Code::invalid, "VAULT_" + std::string(name) + " must be true or false");
}

Result<Settings> settings_from_environment() {
  Settings settings;
  read_text("ADDR", settings.address);
  read_text("NAMESPACE", settings.name_space);
  read_text("WRAP_TTL", settings.wrap_ttl);
  read_text("CACERT", settings.ca_cert);
  read_text("CAPATH", settings.ca_path);
  read_text("CLIENT_CERT", settings.client_cert);
  read_text("CLIENT_KEY", settings.client_key);
  read_text("CACERT_BYTES", settings.ca_cert_pem);
  read_text("CLIENT_CERT_BYTES", settings.client_cert_pem);
  read_secret("CLIENT_KEY_BYTES", settings.client_key_pem);
  read_text("TLS_SERVER_NAME", settings.tls_server_name);
  read_secret("TOKEN", settings.token);
  read_list("MFA", settings.mfa);
  VAULT_TRY_ASSIGN(settings.tls_skip_verify, environment_switch("SKIP_VERIFY", false));
  VAULT_TRY_ASSIGN(settings.disable_redirects, environment_switch("DISABLE_REDIRECTS", false));
  VAULT_TRY(read_proxy(settings.proxy));
  VAULT_TRY(read_timeout(settings.timeout));
  VAULT_TRY(read_retries(settings.retries_max));
  return settings;
}

}  // namespace leasehold::client
