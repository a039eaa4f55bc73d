#pragma once
// seal "pkcs11": a slot's key protected by a secret key that never leaves a token.
//
// Modes, chosen by a real self-test when the slot is made and remembered in it:
//   aes-gcm    a random key-encryption key, encrypted on the token (CKM_AES_GCM, our IV)
//   hmac-kdf   the key-encryption key is the token's HMAC-SHA256 over salt and slot
// Token and key are found by label, exactly one of each; the slot remembers the serial number. One
// idle session keeps the login, each operation has its own. After a device error the module is
// started anew once and everything found again. A PIN is tried once per PIN (pin.h).
// Source: PKCS #11 Cryptographic Token Interface Base Specification 2.40.

#include "backends/keyhost/device.h"

namespace leasehold::keyhost {

// Settings: lib or module, token_label, slot, serial, pin or pin_source, key_label, key_id,
// mechanism, state_directory.
Result<std::unique_ptr<Device>> make_pkcs11_device(const Settings& settings, Clock& clock,
                                                   Random& random);

}  // namespace leasehold::keyhost
