#include "vault/core/sys/mount_config.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/core/contract/fields.h"

namespace leasehold::core {

namespace {

constexpr const char* kLists[] = {"audit_non_hmac_request_keys", "audit_non_hmac_response_keys",
                                  "passthrough_request_headers", "allowed_response_headers"};
constexpr const char* kAuthTypes[] = {"default-service", "service"};

bool is_empty(const Json* value) {
  return value == nullptr || value->is_null() || (value->is_string() && value->text().empty());
}

// A number of seconds, a duration, or "system" for the vault's own, which is stored as 0.
Result<std::int64_t> ttl_of(const Json& value, const std::string& which) {
  const std::string& text = value.text();
  if (text == "system") return std::int64_t{0};
  const auto parsed = parse_duration(text);
  if (!parsed.ok())
    return failure(Code::invalid, "unable to parse " + which +
                                      " TTL: give a duration such as 30, 5m or 24h, or system");
  if (parsed->count() < 0) return failure(Code::invalid, which + " TTL cannot be negative");
  return static_cast<std::int64_t>(parsed->count());
}

Status set_ttls(const Json& given, Json& config) {
  for (const auto& [key, which] :
       {std::pair{"default_lease_ttl", "default"}, std::pair{"max_lease_ttl", "max"}}) {
    const Json* value = given.find(key);
    if (is_empty(value)) continue;
    VAULT_TRY_ASSIGN(const std::int64_t seconds, ttl_of(*value, which));
    config.set(key, seconds);
  }
  return {};
}

// A list, or a text with commas.
Result<Json> list_of(std::string_view key, const Json& value) {
  Json list = Json::array();
  bool fits = !value.is_string() || add_items(value.text(), list);
  for (const Json& item : value.items()) fits = fits && add_items(item.text(), list);
  if (!fits) return too_many_items(key);
  return list;
}

Status set_visibility(const Json& given, Json& config) {
  const Json* value = given.find("listing_visibility");
  if (value == nullptr || value->is_null()) return {};
  const std::string& text = value->text();
  if (!text.empty() && text != "unauth" && text != "hidden")
    return failure(Code::invalid,
                   "invalid listing_visibility: it is \"unauth\", \"hidden\" or empty");
  config.erase("listing_visibility");
  if (!text.empty()) config.set("listing_visibility", text);
  return {};
}

Status set_token_type(const Json& given, Json& config, std::string_view path) {
  const Json* value = given.find("token_type");
  if (is_empty(value)) return {};
  if (!path.starts_with("auth/"))
    return failure(Code::invalid, "'token_type' can only be modified on auth mounts");
  if (path == "auth/token/")
    return failure(Code::invalid,
                   "'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
  const std::string& type = value->text();
  if (std::find(std::begin(kAuthTypes), std::end(kAuthTypes), type) == std::end(kAuthTypes))
    return failure(Code::invalid,
                   "invalid value for 'token_type': it is default-service or service; batch tokens "
                   "of an auth method are not in this version");
  config.set("token_type", type);
  return {};
}

constexpr std::string_view kThreshold = "lockout_threshold";
constexpr std::int64_t kFailuresMost = 1'000'000;
constexpr std::int64_t kLockedMost = 10 * 365 * 24 * 3600;  // seconds

// `rule[to]`, from 1: a number of failures, or a duration in seconds.
Status set_number(const Json& given, std::string_view from, const char* to, std::int64_t most,
                  Json& rule) {
  const Json* value = given.find(from);
  if (is_empty(value)) return {};
  const bool is_text = value->is_string() || value->is_number();
  const bool counts =
      to == kThreshold && value->text().find_first_not_of("0123456789") != std::string::npos;
  const auto number =
      is_text && !counts ? parse_duration(value->text()) : failure(Code::invalid, "");
  if (!number.ok() || number->count() < 1 || number->count() > most)
    return failure(Code::invalid, "user_lockout_config: " + std::string(from) +
                                      " must be between 1 and " + std::to_string(most));
  rule.set(to, static_cast<std::int64_t>(number->count()));
  return {};
}

Status set_lockout(const Json& given, Json& config, std::string_view path) {
  const Json* wanted = given.find("user_lockout_config");
  if (wanted == nullptr || wanted->is_null()) return {};
  if (!wanted->is_object()) return failure(Code::invalid, "user_lockout_config must be an object");
  if (wanted->size() == 0) return {};
  if (!path.starts_with("auth/") || path == "auth/token/")
    return failure(Code::invalid,
                   "user_lockout_config can only be set for a method people log in with");
  const Json* known = config.find("user_lockout_config");
  Json rule = known != nullptr ? *known : Json::object();
  VAULT_TRY(set_number(*wanted, "lockout_threshold", "lockout_threshold", kFailuresMost, rule));
  VAULT_TRY(set_number(*wanted, "lockout_duration", "lockout_duration", kLockedMost, rule));
  for (const char* reset : {"lockout_counter_reset", "lockout_counter_reset_duration"})
    VAULT_TRY(set_number(*wanted, reset, "lockout_counter_reset", kLockedMost, rule));
  if (const Json* off = wanted->find("lockout_disable"); off != nullptr && off->is_bool())
    rule.set("lockout_disable", off->boolean());
  config.set("user_lockout_config", std::move(rule));
  return {};
}

Status set_all(const Json& given, Json& config, std::string_view path) {
  VAULT_TRY(set_ttls(given, config));
  VAULT_TRY(set_lockout(given, config, path));
  if (const Json* value = given.find("force_no_cache"); value != nullptr && value->is_bool())
    config.set("force_no_cache", *value);
  for (const char* key : kLists)
    if (const Json* value = given.find(key); value != nullptr && !value->is_null()) {
      VAULT_TRY_ASSIGN(Json list, list_of(key, *value));
      config.erase(key);
      if (list.size() > 0) config.set(key, std::move(list));
    }
  VAULT_TRY(set_visibility(given, config));
  return set_token_type(given, config, path);
}

// By the names that the reference shows them under.
void show_lockout(const Json& rule, Json& shown) {
  constexpr std::pair<const char*, const char*> kNames[] = {
      {"lockout_threshold", "user_lockout_threshold"},
      {"lockout_duration", "user_lockout_duration"},
      {"lockout_counter_reset", "user_lockout_counter_reset_duration"},
      {"lockout_disable", "user_lockout_disable"}};
  for (const auto& name : kNames)
    if (const Json* value = rule.find(name.first)) shown.set(name.second, *value);
}

struct Ttls {
  std::int64_t own_default, own_max;  // 0: the vault's
  std::int64_t shown_default, shown_max;
};
Ttls ttls_of(const Json& config, const TtlDefaults& system) {
  const std::int64_t ttl = config.integer_at("default_lease_ttl");
  const std::int64_t max = config.integer_at("max_lease_ttl");
  return {ttl, max, ttl > 0 ? ttl : static_cast<std::int64_t>(system.default_ttl.count()),
          max > 0 ? max : static_cast<std::int64_t>(system.max_ttl.count())};
}

// A default that was set, not one that the vault has: that one is capped by the mount's maximum.
bool default_above_max(const Ttls& ttls) {
  return ttls.own_default > 0 && ttls.own_default > ttls.shown_max;
}

}  // namespace

std::vector<Field> tune_fields() {
  return {{"default_lease_ttl"},
          {"max_lease_ttl"},
          {"force_no_cache", FieldType::boolean},
          {"audit_non_hmac_request_keys", FieldType::comma_list},
          {"audit_non_hmac_response_keys", FieldType::comma_list},
          {"passthrough_request_headers", FieldType::comma_list},
          {"allowed_response_headers", FieldType::comma_list},
          {"listing_visibility"},
          {"token_type"},
          {"user_lockout_config", FieldType::map}};
}

Result<Json> mount_config(const Json& given, Json config, std::string_view path,
                          const TtlDefaults& system) {
  if (!given.is_object()) return config;
  VAULT_TRY(set_all(given, config, path));
  const Ttls ttls = ttls_of(config, system);
  if (!default_above_max(ttls)) return config;
  return failure(Code::invalid,
                 ttls.own_max > 0
                     ? "given default lease TTL greater than given max lease TTL"
                     : "given default lease TTL greater than system max lease TTL of " +
                           std::to_string(ttls.shown_max));
}

Status tune_mount(Json& record, const Fields& fields, const TtlDefaults& system) {
  Json given = Json::object();
  for (const Field& field : tune_fields())
    if (fields.given(field.name)) given.set(field.name, fields.json(field.name));
  // Clients that do not mean it send false, too.
  if (!fields.boolean("force_no_cache")) given.erase("force_no_cache");
  Json config = *record.find("config");
  VAULT_TRY(set_all(given, config, record.string_at("path")));
  const Ttls ttls = ttls_of(config, system);
  if (default_above_max(ttls))
    return failure(Code::invalid, "backend max lease TTL of " + std::to_string(ttls.shown_max) +
                                      " would be less than backend default lease TTL of " +
                                      std::to_string(ttls.own_default));
  if (fields.given("description")) record.set("description", fields.text("description"));
  record.set("config", std::move(config));
  return {};
}

Json shown_tuning(const Json& record, const TtlDefaults& system) {
  const Json& config = *record.find("config");
  const Ttls ttls = ttls_of(config, system);
  Json shown = Json::object();
  shown.set("description", record.string_at("description"));
  shown.set("force_no_cache", config.bool_at("force_no_cache"));
  shown.set("default_lease_ttl", ttls.shown_default).set("max_lease_ttl", ttls.shown_max);
  if (const Json* options = record.find("options"); options != nullptr && options->size() > 0)
    shown.set("options", *options);
  for (const char* key : {"listing_visibility", "token_type"})
    if (const Json* value = config.find(key)) shown.set(key, *value);
  for (const char* key : kLists)
    if (const Json* value = config.find(key)) shown.set(key, *value);
  if (const Json* rule = config.find("user_lockout_config")) show_lockout(*rule, shown);
  return shown;
}

std::vector<std::string> without_effect(const Json& config) {
  std::vector<std::string> warnings;
  for (const char* key : {"passthrough_request_headers", "allowed_response_headers"})
    if (const Json* value = config.find(key); value != nullptr && value->size() > 0)
      warnings.push_back(std::string(key) +
                         " is kept and has no effect: no engine of this version reads or sets "
                         "headers");
  if (config.bool_at("force_no_cache"))
    warnings.emplace_back("force_no_cache is kept and has no effect: nothing stale is ever read");
  return warnings;
}

}  // namespace leasehold::core
