#pragma once
// seal "tpm": a slot's key as a keyedhash object under the TPM's storage root key.
//
// The object opens only through a policy: TPM2_Unseal, and the chosen PCRs with the values they had
// when it was made. Sessions are salted with the root key and encrypt the payload (AES-128-CFB), so
// nobody on the TPM's bus sees the key; the root key's Name is pinned in the slot and compared
// before anything secret is sent. The slot's policy bytes also hold every PCR's value, to name what
// changed. No dictionary-attack counter is touched: power cuts cannot lock the TPM.
//
// One connection per operation, within the deadline; a broken ESYS context is never used again.
// Sources: TPM 2.0 Library parts 1 (policy, sessions) and 3 (commands).

#include "backends/keyhost/device.h"
#include "backends/keyhost/tpm/wire.h"

namespace leasehold::keyhost {

// Settings: device ("/dev/tpmrm0", "swtpm:path=/socket"), pcrs ("7+14"), pin_source.
Result<std::unique_ptr<Device>> make_tpm_device(const Settings& settings, Clock& clock,
                                                Random& random);
struct TpmOptions {
  std::string device = "/dev/tpmrm0";
  std::vector<unsigned> pcrs = {};
  Settings pin = {};  // of pin_source.h; empty for none
  tpm::Tap tap = {};  // sees every message of the bus: for tests
};
std::unique_ptr<Device> make_tpm_device(TpmOptions options, Random& random);

}  // namespace leasehold::keyhost
