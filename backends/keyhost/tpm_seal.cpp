// seal "tpm" { device = "/dev/tpmrm0"  pcrs = "7+14" }

#include "backends/keyhost/device_stanza.h"

namespace leasehold::keyhost {

Result<std::unique_ptr<seal::Protector>> make_tpm_seal(Stanza& stanza,
                                                       const SealEnvironment& environment,
                                                       std::vector<std::string>&) {
  constexpr std::string_view kKeys[] = {"device", "pcrs", "pcr_policy_key", "pin_source"};
  VAULT_TRY_ASSIGN(DeviceStanza read, read_device(stanza, kKeys));
  VAULT_TRY(stanza.finish());
  // Said now, with the line, rather than when the key host refuses it.
  if (stanza.has("pcr_policy_key"))
    return failure(Code::invalid,
                   stanza.where("pcr_policy_key") +
                       ": seal \"tpm\" does not support pcr_policy_key yet; remove it, "
                       "and bind to PCRs with pcrs = \"7+14\"");
  if (setting(read.settings, "device").empty())
    read.settings.push_back({"device", SecretBytes("/dev/tpmrm0")});
  std::string description = "the TPM at " + setting(read.settings, "device");
  return in_key_host("tpm", std::move(description), std::move(read), environment);
}

}  // namespace leasehold::keyhost
