#pragma once
// What a PKCS#11 return value means for the operator.
// Source: PKCS #11 Base Specification 2.40, 5.1.6.

#include <p11-kit/pkcs11.h>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::pkcs11 {

// `doing` completes "the token could not …".
DeviceAnswer explain(CK_RV rv, std::string_view doing);
// What C_Login answered means that the token accepted the PIN or did not look at it. Everything
// else, a vendor's code above all, may have been counted as a try.
bool cannot_have_counted(CK_RV rv);
// What C_Decrypt answered means that key and box do not belong together. SoftHSM answers a wrong
// tag with a general error, which on another token may pass.
bool does_not_open(CK_RV rv);

}  // namespace leasehold::keyhost::pkcs11
