#pragma once
// What a PKCS#11 return value means for the operator.
// Source: PKCS #11 Base Specification 2.40, 5.1.6.

#include <p11-kit/pkcs11.h>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::pkcs11 {

// `doing` completes "the token could not …".
DeviceAnswer explain(CK_RV rv, std::string_view doing);
// The token counted this as a try of the PIN.
bool is_wrong_pin(CK_RV rv);

}  // namespace leasehold::keyhost::pkcs11
