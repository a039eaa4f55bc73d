#include "backends/keyhost/device_stanza.h"

#include "backends/keyhost/pin_source.h"
#include "vault/base/environment.h"

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

// The PIN of a variable goes to the key host as a setting, also to one that is started again after
// the variable was emptied. One that is not there, or that the library is to see, stays where it
// is.
void take_pin(DeviceStanza& stanza) {
  const char* const key = shown(stanza.settings, "pin").empty() ? "pin_source" : "pin";
  const std::string_view source = shown(stanza.settings, key);
  const bool is_source = key == std::string_view("pin_source") || names_a_place(source);
  const std::string name = is_source ? pin_variable(source) : std::string();
  if (name.empty()) return;
  SecretBytes value = secret_in_environment(name);
  const bool shared =
      std::find(stanza.variables.begin(), stanza.variables.end(), name) != stanza.variables.end();
  if (value.empty() || names_a_place(as_text(value.reveal())) || shared) {
    stanza.variables.push_back(name);
    return;
  }
  std::erase_if(stanza.settings, [&](const seal::Setting& each) { return each.name == key; });
  stanza.settings.push_back({"pin", std::move(value)});
  stanza.pin_variable = name;
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
  take_pin(stanza);
  stanza.settings.push_back(
      {"state_directory", SecretBytes(std::string_view(environment.state_directory))});
  DeviceProtector::Names names;
  names.kind = kind;
  names.description = std::move(description);
  names.reenrolls = stanza.reenrolls;
  names.pin_variable = std::move(stanza.pin_variable);
  KeyHostOptions options = environment.keyhost;
  options.environment = std::move(stanza.variables);
  auto host = std::make_unique<KeyHost>(std::move(options), names.kind, std::move(stanza.settings),
                                        environment.clock, environment.log);
  return std::make_unique<DeviceProtector>(std::move(names), std::move(host));
}

}  // namespace leasehold::keyhost
