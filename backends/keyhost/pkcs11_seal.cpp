// seal "pkcs11" { lib = "/usr/lib/softhsm/libsofthsm2.so"  token_label = "vault"  key_label =
// "root" } Where a stanza leaves out a key, BAO_HSM_* and VAULT_HSM_* of the environment are read.

#include "backends/keyhost/device_stanza.h"
#include "backends/keyhost/pin_source.h"
#include "vault/base/environment.h"

namespace leasehold::keyhost {
namespace {

constexpr std::string_view kKeys[] = {"lib", "module",     "token_label", "slot",   "serial",
                                      "pin", "pin_source", "key_label",   "key_id", "mechanism"};

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

void add_environment(DeviceStanza& read) {
  for (const FromEnvironment& each : kEnvironment) {
    if (!shown(read.settings, each.key).empty()) continue;
    for (const char* prefix : {"BAO_", "VAULT_"}) {
      const std::string name = std::string(prefix) + each.variable;
      if (find_in_environment(name) == nullptr) continue;
      SecretBytes value = secret_in_environment(name);
      const bool is_pin = each.key == std::string_view("pin");
      if (is_pin && !names_a_place(as_text(value.reveal()))) read.pin_variable = name;
      read.settings.push_back({each.key, std::move(value)});
      break;
    }
  }
}

}  // namespace

Result<std::unique_ptr<seal::Protector>> make_pkcs11_seal(Stanza& stanza,
                                                          const SealEnvironment& environment,
                                                          std::vector<std::string>& warnings) {
  VAULT_TRY_ASSIGN(DeviceStanza read, read_device(stanza, kKeys));
  for (auto& warning :
       stanza.ignore({"rsa_oaep_hash", "disable_software_encryption", "default_key_label",
                      "hmac_key_label", "hmac_mechanism", "generate_key", "force_rw_session"}))
    warnings.push_back(std::move(warning));
  VAULT_TRY(stanza.finish());
  add_environment(read);
  if (setting(read.settings, "lib").empty() && setting(read.settings, "module").empty())
    return failure(Code::invalid,
                   stanza.where() + ": seal \"pkcs11\" needs lib = \"/path/of/module.so\"");
  if (setting(read.settings, "key_label").empty() && setting(read.settings, "key_id").empty())
    return failure(Code::invalid, stanza.where() + ": seal \"pkcs11\" needs key_label");
  std::string description = "the token \"" + setting(read.settings, "token_label") + "\"";
  return in_key_host("pkcs11", std::move(description), std::move(read), environment);
}

}  // namespace leasehold::keyhost
