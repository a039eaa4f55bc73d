#pragma once
// Storage in an LMDB environment on a local disk: the default. Every commit is on disk when it
// returns (full sync, two flushes); reads are from the memory map, without a copy, and never wait.
//
//   VAULT_TRY_ASSIGN(auto storage, storage::open_lmdb("/var/lib/leasehold", {}, log));
//
// The directory holds data.mdb and lock.mdb (LMDB's), owner.lock (one process at a time) and
// ballast (given up when the disk is full, so that leases can still be revoked). Errors of
// open_lmdb() name the path and what to do: it refuses directories that others may read, network
// file systems, a second process, and data of a newer version. The map is sparse: its size is a
// limit, not a cost. An environment that LMDB has given up (a failed write of its root) is opened
// anew by ready(), under the same lock.
//
// Source: LMDB 0.9.24, lmdb.h. Thread safety: as vault/storage/storage.h asks.

#include <string>

#include "vault/base/log.h"
#include "vault/base/stanza.h"
#include "vault/storage/storage.h"

namespace leasehold::storage {

struct LmdbOptions {
  std::size_t map_bytes = std::size_t{64} << 30;
  std::size_t ballast_bytes = std::size_t{64} << 20;  // 0: none
  unsigned readers_max = 1024;
};

// "137438953472", "128GiB", "10GB", "1 tib"; Code::invalid says what is allowed.
Result<std::size_t> parse_map_size(std::string_view text);

Result<std::unique_ptr<Storage>> open_lmdb(const std::string& path, const LmdbOptions& options,
                                           LogSink& log);
// What open_lmdb() would refuse or warn of, without making, changing or locking anything.
Status check_lmdb(const std::string& path, LogSink& log);
// Whether a vault was initialized there; false when that cannot be seen. Takes no lock, so that it
// may be asked beside a running server.
bool holds_records(const std::string& path);
// Reads a `storage "lmdb"` stanza and opens nothing.
Status read_lmdb(Stanza& stanza, std::string& directory);
// From a `storage "lmdb"` stanza; `directory` receives its path. Errors name file and line.
Result<std::unique_ptr<Storage>> make_lmdb(Stanza& stanza, std::string& directory, LogSink& log);

}  // namespace leasehold::storage
