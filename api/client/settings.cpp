#include "api/client/settings.h"

#include <charconv>
#include <cstdlib>

#include "vault/base/duration.h"

namespace leasehold::client {
namespace {

void read_text(std::string_view name, std::string& to) {
  if (auto value = environment(name); value && !value->empty()) to = *std::move(value);
}

Status read_flag(std::string_view name, bool& to) {
  const auto value = environment(name);
  if (!value || value->empty()) return {};
  to = *value == "1" || *value == "t" || *value == "true" || *value == "TRUE" || *value == "True";
  if (to || *value == "0" || *value == "f" || *value == "false" || *value == "FALSE" ||
      *value == "False")
    return {};
  return failure(Code::invalid, "VAULT_" + std::string(name) + " must be true or false");
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

}  // namespace

std::optional<std::string> environment(std::string_view name) {
  for (const char* prefix : {"LEASEHOLD_", "BAO_", "VAULT_"})
    if (const char* value = std::getenv((prefix + std::string(name)).c_str())) return value;
  return std::nullopt;
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
  read_text("TLS_SERVER_NAME", settings.tls_server_name);
  if (auto token = environment("TOKEN")) {
    settings.token = SecretBytes(*token);
    wipe(*token);
  }
  VAULT_TRY(read_flag("SKIP_VERIFY", settings.tls_skip_verify));
  VAULT_TRY(read_timeout(settings.timeout));
  VAULT_TRY(read_retries(settings.retries_max));
  return settings;
}

}  // namespace leasehold::client
