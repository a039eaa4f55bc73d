#pragma once
// From the configuration's `seal` stanzas to the devices of the vault's seal.
//
//   seal "tpm"    { device = "/dev/tpmrm0"  pcrs = "7+14" }
//   seal "pkcs11" { lib = "…/libsofthsm2.so"  token_label = "vault"  key_label = "root"
//                   pin_source = "file:/etc/leasehold/pin" }
//   seal "static" { … }                                      vault/seal/static_key.h
//   recovery_mode = "unseal" | "authorize" | "none" may stand in any of them.
//   environment = ["NAME", "NAME=value"] in tpm and pkcs11: what their libraries see beside
//   kBasicEnvironment (client.h).
//
// Errors are Code::invalid and name file and line. Devices of tpm and pkcs11 work in a key host of
// their own. Each kind is a row (seal_row.h).

#include <span>

#include "backends/keyhost/seal_row.h"
#include "vault/seal/seal.h"

namespace leasehold::keyhost {

struct SealSetup {
  seal::Seal::Protectors protectors;
  seal::RecoveryMode recovery_mode = seal::RecoveryMode::unseal;
  std::vector<std::string> warnings;  // keys of Vault's that mean nothing here
};

// `shamir` and disabled stanzas give no device. Two stanzas of one kind are refused.
Result<SealSetup> make_protectors(std::vector<Stanza> stanzas, const SealEnvironment& environment,
                                  std::span<const SealRow> rows);

}  // namespace leasehold::keyhost
