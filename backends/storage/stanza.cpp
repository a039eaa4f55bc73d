// storage "lmdb" and storage "inmem" as a configuration file says them.

#include "backends/storage/lmdb.h"
#include "backends/storage/memory.h"

namespace leasehold::storage {

Result<std::unique_ptr<Storage>> make_lmdb(Stanza& stanza, std::string& directory, LogSink& log) {
  VAULT_TRY(stanza.text("path"));
  VAULT_TRY_ASSIGN(const std::string map_size, stanza.text("map_size"));
  VAULT_TRY(stanza.finish());
  VAULT_TRY_ASSIGN(directory, stanza.require_text("path"));
  LmdbOptions options;
  if (!map_size.empty()) {
    const auto bytes = parse_map_size(map_size);
    if (!bytes.ok())
      return failure(Code::invalid, stanza.where("map_size") + ": " + bytes.error().message);
    options.map_bytes = *bytes;
  }
  return open_lmdb(directory, options, log);
}

Result<std::unique_ptr<Storage>> make_inmem(Stanza& stanza, std::string&, LogSink&) {
  VAULT_TRY(stanza.finish());
  return make_memory_storage();
}

}  // namespace leasehold::storage
