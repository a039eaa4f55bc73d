// storage "lmdb" and storage "inmem" as a configuration file says them.

#include "backends/storage/lmdb.h"
#include "backends/storage/memory.h"

namespace leasehold::storage {

namespace {

Result<LmdbOptions> lmdb_options(Stanza& stanza, std::string& directory) {
  VAULT_TRY(stanza.text("path"));
  VAULT_TRY_ASSIGN(const std::string map_size, stanza.text("map_size"));
  LmdbOptions options;
  if (!map_size.empty()) {
    const auto bytes = parse_map_size(map_size);
    if (bytes.ok())
      options.map_bytes = *bytes;
    else
      stanza.refuse("map_size", bytes.error().message);
  }
  VAULT_TRY(stanza.finish());
  VAULT_TRY_ASSIGN(directory, stanza.require_text("path"));
  while (directory.size() > 1 && directory.ends_with('/')) directory.pop_back();
  return options;
}

}  // namespace

Status read_lmdb(Stanza& stanza, std::string& directory) {
  VAULT_TRY(lmdb_options(stanza, directory));
  return {};
}

Result<std::unique_ptr<Storage>> make_lmdb(Stanza& stanza, std::string& directory, LogSink& log) {
  VAULT_TRY_ASSIGN(const LmdbOptions options, lmdb_options(stanza, directory));
  return open_lmdb(directory, options, log);
}

Status read_inmem(Stanza& stanza, std::string&) { return stanza.finish(); }

Result<std::unique_ptr<Storage>> make_inmem(Stanza& stanza, std::string&, LogSink&) {
  VAULT_TRY(stanza.finish());
  return make_memory_storage();
}

}  // namespace leasehold::storage
