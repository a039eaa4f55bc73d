#include "backends/keyhost/device_stanza.h"

#include "backends/keyhost/pin_source.h"

namespace leasehold::keyhost {
namespace {

Status take(Stanza& stanza, std::string_view key, Settings& settings) {
  VAULT_TRY_ASSIGN(std::string value, stanza.text(key));
  if (!value.empty()) settings.push_back({std::string(key), SecretBytes(std::string_view(value))});
  wipe(value);
  return {};
}

// The variables of the stanza, and the one that holds its PIN.
Result<std::vector<std::string>> take_variables(Stanza& stanza) {
  VAULT_TRY_ASSIGN(std::vector<std::string> variables, stanza.texts("environment"));
  for (const std::string& each : variables)
    if (each.empty() || each[0] == '=')
      return failure(Code::invalid, stanza.where("environment") +
                                        ": environment is a list of names, or of \"NAME=value\"");
  return variables;
}

}  // namespace

Result<DeviceStanza> read_device(Stanza& stanza, std::span<const std::string_view> keys) {
  DeviceStanza read;
  for (const std::string_view key : keys) VAULT_TRY(take(stanza, key, read.settings));
  VAULT_TRY_ASSIGN(read.variables, take_variables(stanza));
  VAULT_TRY_ASSIGN(read.reenrolls, stanza.flag("reenroll", false));
  return read;
}

std::unique_ptr<seal::Protector> in_key_host(std::string_view kind, std::string description,
                                             DeviceStanza stanza,
                                             const SealEnvironment& environment) {
  for (const char* key : {"pin_source", "pin"})
    if (const std::string name = pin_variable(setting(stanza.settings, key)); !name.empty())
      stanza.variables.push_back(name);
  stanza.settings.push_back(
      {"state_directory", SecretBytes(std::string_view(environment.state_directory))});
  DeviceProtector::Names names;
  names.kind = kind;
  names.description = std::move(description);
  names.reenrolls = stanza.reenrolls;
  KeyHostOptions options = environment.keyhost;
  options.environment = std::move(stanza.variables);
  auto host = std::make_unique<KeyHost>(std::move(options), names.kind, std::move(stanza.settings),
                                        environment.clock, environment.log);
  return std::make_unique<DeviceProtector>(std::move(names), std::move(host));
}

}  // namespace leasehold::keyhost
