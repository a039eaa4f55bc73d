#pragma once
// The key host's process: reads requests from a SEQPACKET socket, runs them on its device, answers.
// It is a fault boundary: TPM and PKCS#11 libraries are loaded here and nowhere else, and when one
// crashes, hangs or leaks, the vault kills this process and starts another. It ends when the
// vault's end of the socket closes, also while a library call hangs.

#include <span>

#include "backends/keyhost/seal_row.h"

namespace leasehold::keyhost {

// The descriptor a started key host finds its socket at.
inline constexpr int kHostDescriptor = 3;

// The process's main(): the exit status. `rows` are the seals whose devices it knows.
int keyhost_main(int fd, std::span<const SealRow> rows);

}  // namespace leasehold::keyhost
