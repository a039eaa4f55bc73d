#pragma once
// Reads a backup, frame by frame, and proves it as far as that goes without the vault's keys: the
// chain over all frames, the order of the keys, the counts, and the signature at the end. That it
// is the store's whole content, and none of it replaced by something older, the multiset in the
// head record proves when the restored store is unsealed.
//
//   VAULT_TRY_ASSIGN(const Summary summary, read_backup(file, {}, [&](auto entries) { … }));
//
// Records are handed out before the signature was verified: a caller that keeps them must read the
// file to its end first. Memory holds one frame. Thread-safe function, one file per call.

#include <cstdio>
#include <functional>
#include <span>

#include "vault/backup/format.h"

namespace leasehold::backup {

struct Summary {
  Header header;
  std::uint64_t records = 0, bytes = 0;
};
struct ReadOptions {
  std::optional<crypto::PublicKey> key;  // that must have signed it; else the one it names
  std::function<void(std::uint64_t bytes)> progress;
};
// Code::invalid says what is wrong with the file, at which byte.
Result<Summary> read_backup(std::FILE* file, const ReadOptions& options,
                            FunctionRef<Status(std::span<const storage::Entry>)> each);

}  // namespace leasehold::backup
