#pragma once
// Storage in memory, for development mode and tests: nothing survives the process. Every key keeps
// the versions that a live snapshot may still see; older ones go with later commits.
//
//   auto storage = storage::make_memory_storage();
//
// It never fails and never runs out of space. Thread safety: as vault/storage/storage.h asks.

#include "vault/base/log.h"
#include "vault/base/stanza.h"
#include "vault/storage/storage.h"

namespace leasehold::storage {

std::unique_ptr<Storage> make_memory_storage();
Status read_inmem(Stanza& stanza, std::string& directory);
// From a `storage "inmem"` stanza; it lies in no directory.
Result<std::unique_ptr<Storage>> make_inmem(Stanza& stanza, std::string& directory, LogSink& log);

}  // namespace leasehold::storage
