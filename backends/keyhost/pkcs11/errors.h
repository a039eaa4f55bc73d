#pragma once
// What a PKCS#11 return value means for the operator.
// Source: PKCS #11 Base Specification 2.40, 5.1.6.

#include <p11-kit/pkcs11.h>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::pkcs11 {

// `doing` completes "the token could not …".
DeviceAnswer explain(CK_RV rv, std::string_view doing);
// What C_Login's answer says about the PIN. `undecided`: a device error, a vendor's code; the token
// may have counted a try.
enum class PinVerdict : std::uint8_t { accepted, refused, not_looked_at, undecided };
PinVerdict verdict_of(CK_RV rv);
// What C_Decrypt answered means that key and box do not belong together. SoftHSM answers a wrong
// tag with a general error, which on another token may pass.
bool does_not_open(CK_RV rv);

}  // namespace leasehold::keyhost::pkcs11
