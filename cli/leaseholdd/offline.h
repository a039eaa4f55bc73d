#pragma once
// What is done to the storage of a stopped vault, and to backups: `leaseholdd verify`,
// `verify-backup`, `restore-backup`. Each prints what it found or did.

#include "cli/leaseholdd/options.h"
#include "vault/seal/seal.h"

namespace leasehold::server_process {

// Opens the store with its device or with shares, recomputes its multiset, compares the slots with
// the registry, and the store with a noted head and with audit files when there are any. Prints
// what it found, and the head to note. `whole`: nothing contradicts.
Status verify_offline(const Options& options, storage::Storage& storage, seal::Seal& seal,
                      Random& random, bool& whole);

// Proves a backup as far as that goes without the vault's keys.
Status verify_backup(const Options& options);
// Fills an empty storage with a backup, which is verified before anything is written.
Status restore_backup(const Options& options, storage::Storage& storage, WallTime now);

}  // namespace leasehold::server_process
