#pragma once
// What a TSS2 return code means for the operator.
// Source: TPM 2.0 Library part 2, 6.6 (response codes); TCG TSS 2.0 Overview, 3.9.

#include <tss2/tss2_common.h>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::tpm {

// `doing` completes "the TPM could not …".
DeviceAnswer explain(TSS2_RC rc, std::string_view doing);

// A PCR was extended between the policy and its use: start the session again.
bool is_pcr_changed(TSS2_RC rc);

}  // namespace leasehold::keyhost::tpm
