#include "vault/core/sys/mount_config.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/core/contract/fields.h"
#include "vault/core/contract/version.h"

namespace leasehold::core {

namespace {

constexpr const char* kLists[] = {"audit_non_hmac_request_keys", "audit_non_hmac_response_keys",
                                  "passthrough_request_headers", "allowed_response_headers"};
constexpr const char* kAuthTypes[] = {"default-service", "default-batch", "service", "batch"};

// What Vault's mounts have besides, and none of this version.
constexpr std::string_view kNotHere[] = {"allowed_managed_keys", "delegated_auth_accessors",
                                         "identity_token_key",   "plugin_name",
                                         "plugin_version",       "trim_request_trailing_slashes"};

enum class Setting : std::uint8_t { first, tuned };  // by enabling a mount, or later

bool is_empty(const Json* value) {
  return value == nullptr || value->is_null() || (value->is_string() && value->text().empty());
}

// As clients send what nobody set.
bool asks_nothing(const Json& value) {
  if (value.is_bool()) return !value.boolean();
  if (value.is_array() || value.is_object()) return value.size() == 0;
  return is_empty(&value) || value.text() == "0";
}

// A number of seconds, a duration, or "system" for the vault's own, which is stored as 0.
Result<std::int64_t> ttl_of(const Json& value, const std::string& which, Setting setting) {
  const std::string& text = value.text();
  if (text == "system") return std::int64_t{0};
  const auto parsed = parse_duration(text);
  if (!parsed.ok() && setting == Setting::tuned) return parsed.error();
  if (!parsed.ok())
    return failure(Code::invalid,
                   "unable to parse " + which + " TTL of " + text + ": " + parsed.error().message);
  if (parsed->count() < 0) return failure(Code::invalid, which + " TTL cannot be negative");
  return static_cast<std::int64_t>(parsed->count());
}

Status set_ttls(const Json& given, Json& config, Setting setting) {
  for (const auto& [key, which] :
       {std::pair{"default_lease_ttl", "default"}, std::pair{"max_lease_ttl", "max"}}) {
    const Json* value = given.find(key);
    if (is_empty(value)) continue;
    VAULT_TRY_ASSIGN(const std::int64_t seconds, ttl_of(*value, which, setting));
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
    return failure(Code::invalid, "invalid listing_visibility " + text);
  config.erase("listing_visibility");
  if (!text.empty()) config.set("listing_visibility", text);
  return {};
}

Status set_token_type(const Json& given, Json& config, std::string_view path) {
  const Json* value = given.find("token_type");
  if (is_empty(value)) return {};
  if (!is_auth_path(path))
    return failure(Code::invalid, "'token_type' can only be modified on auth mounts");
  if (path == "auth/token/")
    return failure(Code::invalid,
                   "'token_type' cannot be set for 'token' or 'ns_token' auth mounts");
  const std::string& type = value->text();
  if (std::find(std::begin(kAuthTypes), std::end(kAuthTypes), type) == std::end(kAuthTypes))
    return failure(Code::invalid, "invalid value for 'token_type'");
  config.set("token_type", type);
  return {};
}

constexpr std::string_view kThreshold = "lockout_threshold";
constexpr std::int64_t kFailuresMost = 1'000'000;
constexpr std::int64_t kLockedMost = 10 * 365 * 24 * 3600;  // seconds

// `rule[to]`, from 1: a number of failures, or a duration in seconds ("system": the vault's own).
Status set_number(const Json& given, std::string_view from, const char* to, std::int64_t most,
                  Json& rule) {
  const Json* value = given.find(from);
  if (is_empty(value)) return {};
  const bool is_text = value->is_string() || value->is_number();
  if (to != kThreshold && value->text() == "system") {
    rule.erase(to);
    return {};
  }
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

Status set_lockout(const Json& given, Json& config, const MountedAs& mount) {
  const Json* wanted = given.find("user_lockout_config");
  if (wanted == nullptr || wanted->is_null()) return {};
  if (!wanted->is_object()) return failure(Code::invalid, "user_lockout_config must be an object");
  if (wanted->size() == 0) return {};
  if (mount.kind == nullptr || !locks_names(*mount.kind))
    return failure(Code::invalid, "tuning of user lockout configuration for auth type \"" +
                                      mount.type + "\" not allowed");
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

Status set_all(const Json& given, Json& config, const MountedAs& mount, Setting setting) {
  VAULT_TRY(set_ttls(given, config, setting));
  VAULT_TRY(set_lockout(given, config, mount));
  if (const Json* value = given.find("force_no_cache"); value != nullptr && value->is_bool())
    config.set("force_no_cache", *value);
  for (const char* key : kLists)
    if (const Json* value = given.find(key); value != nullptr && !value->is_null()) {
      VAULT_TRY_ASSIGN(Json list, list_of(key, *value));
      config.erase(key);
      if (list.size() > 0) config.set(key, std::move(list));
    }
  VAULT_TRY(set_visibility(given, config));
  return set_token_type(given, config, mount.path);
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

std::vector<Field> unused_fields() {
  std::vector<Field> fields;
  for (const std::string_view name : kNotHere)
    if (!name.starts_with("plugin_")) fields.push_back({std::string(name), FieldType::any});
  return fields;
}

Result<Json> mount_config(const Json& given, Json config, const MountedAs& mount,
                          const TtlDefaults& system) {
  if (!given.is_object()) return config;
  VAULT_TRY(set_all(given, config, mount, Setting::first));
  const Ttls ttls = ttls_of(config, system);
  if (!default_above_max(ttls)) return config;
  return failure(Code::invalid,
                 ttls.own_max > 0
                     ? "given default lease TTL greater than given max lease TTL"
                     : "given default lease TTL greater than system max lease TTL of " +
                           std::to_string(ttls.shown_max));
}

Status tune_mount(Json& record, const EngineKind* kind, const Fields& fields,
                  const TtlDefaults& system) {
  Json given = Json::object();
  for (const Field& field : tune_fields())
    if (fields.given(field.name)) given.set(field.name, fields.json(field.name));
  // Clients that do not mean it send false, too.
  if (!fields.boolean("force_no_cache")) given.erase("force_no_cache");
  Json config = *record.find("config");
  VAULT_TRY(set_all(given, config, {record.string_at("path"), record.string_at("type"), kind},
                    Setting::tuned));
  const Ttls ttls = ttls_of(config, system);
  if (default_above_max(ttls))
    return failure(Code::invalid, "backend max lease TTL of " + std::to_string(ttls.shown_max) +
                                      " would be less than backend default lease TTL of " +
                                      std::to_string(ttls.own_default));
  if (fields.given("description")) record.set("description", fields.text("description"));
  record.set("config", std::move(config));
  return {};
}

Json shown_lockout(const Json& rule) {
  Json shown = Json::object();
  shown.set("user_lockout_counter_reset_duration", rule.integer_at("lockout_counter_reset"));
  shown.set("user_lockout_duration", rule.integer_at("lockout_duration"));
  shown.set("user_lockout_threshold", rule.integer_at("lockout_threshold"));
  return shown.set("user_lockout_disable", rule.bool_at("lockout_disable"));
}

Json shown_mount(const Mount& mount) {
  Json info = mount.record;
  for (const char* ours : {"path", "space", "tainted", "removed_by", "removed_at"})
    info.erase(ours);
  Json config = *info.find("config");
  if (const Json* rule = config.find("user_lockout_config")) {
    config.set("user_lockout_config", shown_lockout(*rule));
    info.set("config", std::move(config));
  }
  info.set("external_entropy_access", false).set("plugin_version", "");
  info.set("running_plugin_version", "v" + std::string(kApiVersion) + "+builtin.leasehold");
  info.set("running_sha256", "");
  if (mount.kind != nullptr && !mount.kind->is_system) info.set("deprecation_status", "supported");
  return info;
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
  if (const Json* rule = config.find("user_lockout_config")) {
    const Json lockout = shown_lockout(*rule);
    for (const auto& value : lockout.members()) shown.set(value.first, value.second);
  }
  return shown;
}

Status check_size_of_path(std::string_view path) {
  if (is_auth_path(path)) path.remove_prefix(kAuthPrefix.size());
  if (path.size() >= 2 && path.size() <= kMountPathMax) return {};
  return failure(Code::invalid, "the path of a mount has 1 to 256 characters");
}

Status check_tunable(const std::string& path, const Fields& fields) {
  if (is_auth_path(path)) return {};
  std::vector<Field> all = tune_fields();
  for (const char* more : {"description", "options", "plugin_version"}) all.push_back({more});
  for (const Field& field : all)
    if (fields.given(field.name) && !field.name.starts_with("audit_non_hmac_"))
      return failure(Code::invalid, "cannot tune parameter " + field.name + " of " + path);
  return {};
}

void tune_options(Json& record, const Json& given) {
  if (!given.is_object() || given.size() == 0) return;
  const Json* known = record.find("options");
  Json options = known != nullptr && known->is_object() ? *known : Json::object();
  for (const auto& option : given.members()) {
    options.erase(option.first);
    if (!option.second.text().empty()) options.set(option.first, option.second);
  }
  record.set("options", std::move(options));
}

void warn_of_options(const Json& options, std::vector<std::string>& warnings) {
  for (const auto& option : options.members())
    if (option.first != "version")
      warnings.push_back("the option " + option.first +
                         " is kept and has no effect: no engine of this version reads it");
}

void warn_of_no_effect(const Json& config, std::vector<std::string>& warnings) {
  for (const char* key : {"passthrough_request_headers", "allowed_response_headers"})
    if (const Json* value = config.find(key); value != nullptr && value->size() > 0)
      warnings.push_back(std::string(key) +
                         " is kept and has no effect: no engine of this version reads or sets "
                         "headers");
  if (config.bool_at("force_no_cache"))
    warnings.emplace_back("force_no_cache is kept and has no effect: nothing stale is ever read");
}

std::string unused(const std::string& name) {
  return name + " is not supported by this version and is not used";
}

void warn_of_unused(const Json& given, bool is_config, std::vector<std::string>& warnings) {
  if (!given.is_object()) return;
  const std::vector<Field> used = tune_fields();
  for (const auto& [key, value] : given.members()) {
    const std::string& name = key;
    const bool known = std::any_of(used.begin(), used.end(),
                                   [&](const Field& field) { return field.name == name; });
    const bool of_vault =
        std::find(std::begin(kNotHere), std::end(kNotHere), name) != std::end(kNotHere);
    const bool elsewhere = name == "description" || name == "options";
    if (known || elsewhere || asks_nothing(value) || (!is_config && !of_vault)) continue;
    warnings.push_back(unused(name));
  }
}

}  // namespace leasehold::core
