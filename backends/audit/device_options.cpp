#include "backends/audit/device_options.h"

#include <array>

namespace leasehold::audit {
namespace {

constexpr Ignored kOfTheStanza[] = {
    {"local", "nothing is replicated, so every device is local"},
    {"type", "the stanza's first label is the type"},
    {"path", "the stanza's second label is the path"},
};
constexpr Ignored kOfTheOptions[] = {
    {"skip_test", "a device is opened before the vault is, always"},
    {"fallback",
     "a device without filter, exclude and elide_list_responses records everything, "
     "whatever others do"},
};
constexpr std::string_view kShared[] = {
    "hmac_accessor", "log_raw", "prefix", "format", "filter", "exclude", "elide_list_responses"};
constexpr Seconds kWriteTimeoutMin{1}, kWriteTimeoutMax{30};

// Vault's stanza has them a level deeper than most write them at first.
Status check_place(const Stanza& stanza, std::span<const std::string_view> keys) {
  for (const std::string_view key : keys)
    if (key != "path" && stanza.has(key))
      return refused(stanza, key,
                     "\"" + std::string(key) + "\" belongs into the device's options: options { " +
                         std::string(key) + " = ... }");
  return {};
}

// What Vault knows and a device here must not or cannot do.
Status take_unsupported(Stanza& options) {
  VAULT_TRY_ASSIGN(const bool hmac_accessor, options.flag("hmac_accessor", true));
  if (!hmac_accessor)
    return refused(options, "hmac_accessor",
                   "accessors are always HMACed; remove \"hmac_accessor\"");
  VAULT_TRY_ASSIGN(const bool raw, options.flag("log_raw", false));
  if (raw)
    return refused(options, "log_raw", "secrets are never logged in clear; remove \"log_raw\"");
  VAULT_TRY_ASSIGN(const std::string prefix, options.text("prefix"));
  if (!prefix.empty())
    return refused(options, "prefix",
                   "\"prefix\" would let a configuration write any file's first bytes; remove it");
  VAULT_TRY_ASSIGN(const std::string format, options.text("format", "json"));
  if (format != "json")
    return refused(options, "format", "the audit format is \"json\"; remove \"format\"");
  return {};
}

}  // namespace

Error refused(const Stanza& stanza, std::string_view key, const std::string& why) {
  return failure(Code::invalid, stanza.where(key) + ": " + why);
}

Result<DeviceOptions> take_device_options(Stanza& stanza, Stanza& options,
                                          std::span<const std::string_view> kinds_own) {
  DeviceOptions taken;
  VAULT_TRY_ASSIGN(taken.description, stanza.text("description"));
  options = stanza.nested("options");
  stanza.ignore(kOfTheStanza);
  options.ignore(kOfTheOptions);
  stanza.warn_of(options);
  VAULT_TRY(check_place(stanza, kinds_own));
  VAULT_TRY(check_place(stanza, kShared));
  VAULT_TRY(stanza.finish());
  VAULT_TRY(take_unsupported(options));
  taken.view = View::take(options);
  taken.path = (stanza.label(1).empty() ? stanza.label(0) : stanza.label(1)) + "/";
  return taken;
}

Result<Nanos> take_write_timeout(Stanza& options) {
  VAULT_TRY_ASSIGN(const Seconds timeout, options.duration("write_timeout", Seconds(2)));
  if (timeout < kWriteTimeoutMin || timeout > kWriteTimeoutMax)
    return refused(options, "write_timeout", "\"write_timeout\" may be 1s to 30s");
  return Nanos(timeout);
}

void describe(Device& device, std::string_view kind, DeviceOptions&& taken, const Stanza& options,
              std::span<const std::string_view> kinds_own) {
  device.type = kind;
  device.path = std::move(taken.path);
  device.description = std::move(taken.description);
  const auto show = [&](std::string_view key) {
    const HclAttribute* given = options.body().find(key);
    if (given == nullptr) return;
    const Json& value = given->value;
    const bool is_text = value.is_string() || value.is_number();
    device.options.emplace_back(key, is_text ? value.text() : value.dump());
  };
  for (const std::string_view key : kinds_own) show(key);
  for (const std::string_view key : kShared) show(key);
}

}  // namespace leasehold::audit
