#pragma once
// The key host's process: reads requests from a SEQPACKET socket, runs them on its device, answers.
// It is a fault boundary: TPM and PKCS#11 libraries are loaded here and nowhere else, and when one
// crashes, hangs or leaks, the vault kills this process and starts another. It ends when the
// vault's end of the socket closes, also while a library call hangs.

#include <span>

#include "backends/keyhost/device.h"

namespace leasehold::keyhost {

// The descriptor a started key host finds its socket at.
inline constexpr int kHostDescriptor = 3;

// The process's main(): the exit status. The devices are those of tpm/ and pkcs11/.
int keyhost_main(int fd);
int keyhost_main(int fd, std::span<const DeviceKind> kinds);

}  // namespace leasehold::keyhost
