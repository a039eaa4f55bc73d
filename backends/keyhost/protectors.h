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
// Where a stanza leaves out a key of pkcs11, BAO_HSM_* and VAULT_HSM_* of the environment are read.
// Errors are Code::invalid and name file and line. The TPM and PKCS#11 ones work in a key host
// each.

#include "backends/keyhost/client.h"
#include "vault/base/stanza.h"
#include "vault/seal/seal.h"

namespace leasehold::keyhost {

struct SealSetup {
  seal::Seal::Protectors protectors;
  seal::RecoveryMode recovery_mode = seal::RecoveryMode::unseal;
  std::vector<std::string> warnings;  // keys of Vault's that mean nothing here
};

struct SealEnvironment {
  KeyHostOptions keyhost;
  std::string data_directory;   // where a key file must not be
  std::string state_directory;  // where the key host remembers PINs it tried; made when needed
  Clock& clock;
  Random& random;
  LogSink& log;
};

// `shamir` and disabled stanzas give no device. Two stanzas of one kind are refused.
Result<SealSetup> make_protectors(std::vector<Stanza> stanzas, const SealEnvironment& environment);

}  // namespace leasehold::keyhost
