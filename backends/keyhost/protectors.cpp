#include "backends/keyhost/protectors.h"

#include <cstdlib>
#include <set>

#include "backends/keyhost/device_protector.h"
#include "backends/keyhost/pin_source.h"
#include "vault/seal/static_key.h"

namespace leasehold::keyhost {
namespace {

// Keys of a stanza that go to the key host as they are.
constexpr std::string_view kTpmKeys[] = {"device", "pcrs", "pcr_policy_key", "pin_source"};
constexpr std::string_view kTokenKeys[] = {"lib",    "module",   "token_label", "slot",
                                           "serial", "pin",      "pin_source",  "key_label",
                                           "key_id", "mechanism"};

// Vault reads these beside its configuration file.
struct FromEnvironment {
  const char* key;
  const char* variable;
};
constexpr FromEnvironment kEnvironment[] = {{"lib", "HSM_LIB"},
                                            {"slot", "HSM_SLOT"},
                                            {"token_label", "HSM_TOKEN_LABEL"},
                                            {"pin", "HSM_PIN"},
                                            {"key_id", "HSM_KEY_ID"},
                                            {"key_label", "HSM_KEY_LABEL"},
                                            {"mechanism", "HSM_MECHANISM"}};

Status take(Stanza& stanza, std::string_view key, Settings& settings) {
  VAULT_TRY_ASSIGN(std::string value, stanza.text(key));
  if (!value.empty()) settings.push_back({std::string(key), SecretBytes(std::string_view(value))});
  wipe(value);
  return {};
}

void add_environment(Settings& settings) {
  for (const FromEnvironment& each : kEnvironment) {
    if (!setting(settings, each.key).empty()) continue;
    for (const char* prefix : {"BAO_", "VAULT_"}) {
      const char* const value = std::getenv((std::string(prefix) + each.variable).c_str());
      if (value == nullptr) continue;
      settings.push_back({each.key, SecretBytes(std::string_view(value))});
      break;
    }
  }
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

std::unique_ptr<seal::Protector> in_key_host(DeviceProtector::Names names, Settings settings,
                                             std::vector<std::string> variables,
                                             const SealEnvironment& environment) {
  for (const char* key : {"pin_source", "pin"})
    if (const std::string name = pin_variable(setting(settings, key)); !name.empty())
      variables.push_back(name);
  settings.push_back(
      {"state_directory", SecretBytes(std::string_view(environment.state_directory))});
  KeyHostOptions options = environment.keyhost;
  options.environment = std::move(variables);
  auto host = std::make_unique<KeyHost>(std::move(options), names.kind, std::move(settings),
                                        environment.clock, environment.log);
  return std::make_unique<DeviceProtector>(std::move(names), std::move(host));
}

Result<std::unique_ptr<seal::Protector>> make_tpm(Stanza& stanza,
                                                  const SealEnvironment& environment) {
  Settings settings;
  for (const std::string_view key : kTpmKeys) VAULT_TRY(take(stanza, key, settings));
  DeviceProtector::Names names;
  names.kind = "tpm";
  VAULT_TRY_ASSIGN(auto variables, take_variables(stanza));
  VAULT_TRY_ASSIGN(names.reenrolls, stanza.flag("reenroll", false));
  VAULT_TRY(stanza.finish());
  // Said now, with the line, rather than when the key host refuses it.
  if (stanza.has("pcr_policy_key"))
    return failure(Code::invalid,
                   stanza.where("pcr_policy_key") +
                       ": seal \"tpm\" does not support pcr_policy_key yet; remove it, "
                       "and bind to PCRs with pcrs = \"7+14\"");
  if (setting(settings, "device").empty())
    settings.push_back({"device", SecretBytes("/dev/tpmrm0")});
  names.description = "the TPM at " + setting(settings, "device");
  return in_key_host(std::move(names), std::move(settings), std::move(variables), environment);
}

Result<std::unique_ptr<seal::Protector>> make_token(Stanza& stanza,
                                                    const SealEnvironment& environment,
                                                    std::vector<std::string>& warnings) {
  Settings settings;
  for (const std::string_view key : kTokenKeys) VAULT_TRY(take(stanza, key, settings));
  DeviceProtector::Names names;
  names.kind = "pkcs11";
  VAULT_TRY_ASSIGN(auto variables, take_variables(stanza));
  VAULT_TRY_ASSIGN(names.reenrolls, stanza.flag("reenroll", false));
  for (auto& warning :
       stanza.ignore({"rsa_oaep_hash", "disable_software_encryption", "default_key_label",
                      "hmac_key_label", "hmac_mechanism", "generate_key", "force_rw_session"}))
    warnings.push_back(std::move(warning));
  VAULT_TRY(stanza.finish());
  add_environment(settings);
  if (setting(settings, "lib").empty() && setting(settings, "module").empty())
    return failure(Code::invalid,
                   stanza.where() + ": seal \"pkcs11\" needs lib = \"/path/of/module.so\"");
  if (setting(settings, "key_label").empty() && setting(settings, "key_id").empty())
    return failure(Code::invalid, stanza.where() + ": seal \"pkcs11\" needs key_label");
  names.description = "the token \"" + setting(settings, "token_label") + "\"";
  return in_key_host(std::move(names), std::move(settings), std::move(variables), environment);
}

Result<std::unique_ptr<seal::Protector>> make_one(Stanza& stanza,
                                                  const SealEnvironment& environment,
                                                  std::vector<std::string>& warnings) {
  const std::string kind = stanza.label(0);
  if (kind == "tpm") return make_tpm(stanza, environment);
  if (kind == "pkcs11") return make_token(stanza, environment, warnings);
  if (kind == "static")
    return seal::make_static_protector(stanza, environment.data_directory, environment.random);
  return failure(Code::invalid, stanza.where() + ": there is no seal \"" + kind +
                                    "\"; this build has shamir, tpm, pkcs11 and static");
}

}  // namespace

Result<SealSetup> make_protectors(std::vector<Stanza> stanzas, const SealEnvironment& environment) {
  SealSetup setup;
  std::set<std::string> seen;
  for (Stanza& stanza : stanzas) {
    VAULT_TRY_ASSIGN(const bool disabled, stanza.flag("disabled", false));
    VAULT_TRY_ASSIGN(const std::string mode, stanza.text("recovery_mode", "unseal"));
    if (disabled) continue;
    if (stanza.label(0) == "shamir") {
      VAULT_TRY(stanza.finish());
      continue;
    }
    if (stanza.has("recovery_mode")) {
      VAULT_TRY_ASSIGN(setup.recovery_mode, seal::parse_recovery_mode(mode));
    }
    if (!seen.insert(stanza.label(0)).second)
      return failure(Code::invalid,
                     stanza.where() + ": a second seal \"" + stanza.label(0) + "\" stanza");
    VAULT_TRY_ASSIGN(auto protector, make_one(stanza, environment, setup.warnings));
    setup.protectors.push_back(std::move(protector));
  }
  return setup;
}

}  // namespace leasehold::keyhost
