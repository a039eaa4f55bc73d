#pragma once
// A kind of seal: how its stanza is read in the vault's process and, when it is a device with a
// library of its own, how the key host makes it. Each is a row of backends/catalog.h.
//
// Thread safety: rows are constants; both functions are called by one thread at a time.

#include "backends/keyhost/client.h"
#include "backends/keyhost/device.h"
#include "vault/base/stanza.h"
#include "vault/seal/protector.h"

namespace leasehold::keyhost {

struct SealEnvironment {
  KeyHostOptions keyhost;
  std::string data_directory;   // where a key file must not be
  std::string state_directory;  // where the key host remembers PINs it tried; made when needed
  Clock& clock;
  Random& random;
  LogSink& log;
};

// Code::invalid names file and line. `warnings` receives keys of Vault's that mean nothing here.
using MakeSeal = Result<std::unique_ptr<seal::Protector>>(Stanza& stanza,
                                                          const SealEnvironment& environment,
                                                          std::vector<std::string>& warnings);
struct SealRow {
  std::string_view kind;  // seal "tpm"
  MakeSeal* make;
  DeviceFactory device = nullptr;  // in the key host; null: it works in the vault's own process
};

MakeSeal make_tpm_seal, make_pkcs11_seal, make_static_seal;

}  // namespace leasehold::keyhost
