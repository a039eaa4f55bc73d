#include "backends/keyhost/tpm/errors.h"

#include <tss2/tss2_rc.h>
#include <tss2/tss2_tpm2_types.h>

namespace leasehold::keyhost::tpm {
namespace {

constexpr TSS2_RC kLayer = 0xffff0000;
constexpr TSS2_RC kKernelManager = TSS2_RESMGR_TPM_RC_LAYER;
constexpr TSS2_RC kUserManager = TSS2_RESMGR_RC_LAYER;
constexpr TSS2_RC kResponseAuth = 0x7001b;  // ESAPI: the response's authorization failed

// Without the number of the parameter, handle or session that format-one codes carry.
TSS2_RC plain(TSS2_RC rc) {
  return (rc & TPM2_RC_FMT1) != 0 ? rc & (TPM2_RC_FMT1 | 0x3f) : rc & 0xfff;
}

struct Meaning {
  TSS2_RC rc;
  DeviceState state;
  const char* advice;
};

constexpr Meaning kMeanings[] = {
    {TPM2_RC_LOCKOUT, DeviceState::locked,
     "it is in dictionary-attack lockout; wait for its recovery time or reset it as its owner "
     "(tpm2_dictionarylockout --clear-lockout)"},
    {TPM2_RC_AUTH_FAIL, DeviceState::auth, "an authorization value is wrong"},
    {TPM2_RC_BAD_AUTH, DeviceState::auth,
     "its owner hierarchy has a password, and creating the storage key needs it; make the key "
     "persistent at 0x81000001 once, as the owner"},
    {TPM2_RC_AUTH_UNAVAILABLE, DeviceState::auth, "the object does not allow this authorization"},
    {TPM2_RC_POLICY_FAIL, DeviceState::policy,
     "the machine is not in the state the slot was made for"},
    {TPM2_RC_POLICY, DeviceState::policy, "the machine is not in the state the slot was made for"},
    {TPM2_RC_PCR_CHANGED, DeviceState::policy,
     "PCRs keep changing while the vault starts; start it later in the boot"},
    {TPM2_RC_INTEGRITY, DeviceState::tampered,
     "the stored slot was changed, or the TPM was cleared"},
    {TPM2_RC_OBJECT_MEMORY, DeviceState::failed,
     "it has no free slot for an object: another program holds them; use /dev/tpmrm0"},
    {TPM2_RC_SESSION_MEMORY, DeviceState::failed,
     "it has no free session: another program holds them; use /dev/tpmrm0"},
    {TPM2_RC_SESSION_HANDLES, DeviceState::failed, "it has no free session"},
    {TPM2_RC_INITIALIZE, DeviceState::failed, "it was not started (TPM2_Startup)"},
    {TPM2_RC_FAILURE, DeviceState::failed, "it is in failure mode; power-cycle the machine"},
    {TPM2_RC_CURVE, DeviceState::unsupported, "it has no curve P-256"},
    {TPM2_RC_COMMAND_CODE, DeviceState::unsupported, "it lacks a command that is needed"},
};

}  // namespace

bool is_pcr_changed(TSS2_RC rc) { return plain(rc) == TPM2_RC_PCR_CHANGED && (rc & kLayer) == 0; }

DeviceAnswer explain(TSS2_RC rc, std::string_view doing) {
  if (rc == TSS2_RC_SUCCESS) return {DeviceState::ok, {}, {}};
  const std::string start = "the TPM could not " + std::string(doing);
  const std::string detail = Tss2_RC_Decode(rc);
  if (rc == kResponseAuth)
    return answer(DeviceState::tampered,
                  start +
                      ": its answer was changed on the way; something sits between the vault "
                      "and the TPM",
                  detail);
  const TSS2_RC layer = rc & kLayer;
  if (layer == 0 || layer == kKernelManager || layer == kUserManager)
    for (const Meaning& meaning : kMeanings)
      if (plain(rc) == meaning.rc)
        return answer(meaning.state, start + ": " + meaning.advice, detail);
  return answer(DeviceState::failed, start, detail);
}

}  // namespace leasehold::keyhost::tpm
