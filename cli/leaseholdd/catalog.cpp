#include "cli/leaseholdd/catalog.h"

#include "backends/audit/file.h"
#include "backends/storage/lmdb.h"
#include "backends/storage/memory.h"
#include "backends/target/postgresql.h"

// The rows, read as declarations and then as tables.
#define ENGINE(wire_type, version, symbol, help)
#define TARGET(plugin, symbol)
#define STORAGE(kind, symbol)
#define AUDIT(kind, symbol)
#define SEAL(kind, symbol)

namespace leasehold::engine {
#undef ENGINE
#define ENGINE(wire_type, version, symbol, help) \
  std::unique_ptr<core::Engine> make_##symbol(const core::EngineContext& context);
#include "backends/catalog.def"
#undef ENGINE
#define ENGINE(wire_type, version, symbol, help)
}  // namespace leasehold::engine

namespace leasehold::server_process {

namespace {

struct EngineFactory {
  const char* wire_type;
  int version;
  std::unique_ptr<core::Engine> (*make)(const core::EngineContext&);
};
constexpr EngineFactory kEngines[] = {
#undef ENGINE
#define ENGINE(wire_type, version, symbol, help) {wire_type, version, engine::make_##symbol},
#include "backends/catalog.def"
#undef ENGINE
#define ENGINE(wire_type, version, symbol, help)
};

using MakeTarget = Result<std::unique_ptr<target::Target>> (*)(const Json&, Clock&, Random&);
struct TargetRow {
  const char* plugin;
  MakeTarget make;
};
constexpr TargetRow kTargets[] = {
#undef TARGET
#define TARGET(plugin, symbol) {plugin, symbol::make_target},
#include "backends/catalog.def"
#undef TARGET
#define TARGET(plugin, symbol)
};

using StorageReader = Status (*)(Stanza&, std::string&);
using StorageMaker = Result<std::unique_ptr<storage::Storage>> (*)(Stanza&, std::string&, LogSink&);

Result<storage::LmdbOptions> lmdb_options(Stanza& stanza, std::string& directory) {
  VAULT_TRY(stanza.text("path"));
  VAULT_TRY_ASSIGN(const std::string map_size, stanza.text("map_size"));
  storage::LmdbOptions options;
  if (!map_size.empty()) {
    const auto bytes = storage::parse_map_size(map_size);
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
Status read_lmdb(Stanza& stanza, std::string& directory) {
  VAULT_TRY(lmdb_options(stanza, directory));
  return {};
}
Result<std::unique_ptr<storage::Storage>> make_lmdb(Stanza& stanza, std::string& directory,
                                                    LogSink& log) {
  VAULT_TRY_ASSIGN(const storage::LmdbOptions options, lmdb_options(stanza, directory));
  return storage::open_lmdb(directory, options, log);
}
Status read_inmem(Stanza& stanza, std::string&) { return stanza.finish(); }
Result<std::unique_ptr<storage::Storage>> make_inmem(Stanza& stanza, std::string&, LogSink&) {
  VAULT_TRY(stanza.finish());
  return storage::make_memory_storage();
}
struct StorageRow {
  const char* kind;
  StorageReader read;
  StorageMaker make;
};
constexpr StorageRow kStorages[] = {
#undef STORAGE
#define STORAGE(kind, symbol) {kind, read_##symbol, make_##symbol},
#include "backends/catalog.def"
#undef STORAGE
#define STORAGE(kind, symbol)
};

using AuditMaker = Result<std::unique_ptr<audit::Device>> (*)(Stanza&, const std::string&);
struct AuditRow {
  const char* kind;
  AuditMaker make;
};
constexpr AuditRow kAudits[] = {
#undef AUDIT
#define AUDIT(kind, symbol) {kind, audit::make_##symbol##_device},
#include "backends/catalog.def"
};

// "lmdb, inmem"
template <class Rows>
std::string names(const Rows& rows) {
  std::string out;
  for (const auto& row : rows) out += (out.empty() ? "" : ", ") + std::string(row.kind);
  return out;
}

}  // namespace

std::vector<std::unique_ptr<core::EngineKind>> make_engine_kinds(
    const core::EngineContext& context) {
  std::vector<std::unique_ptr<core::EngineKind>> kinds;
  for (const EngineFactory& row : kEngines) {
    auto kind = std::make_unique<core::EngineKind>();
    kind->wire_type = row.wire_type;
    kind->version = row.version;
    kind->engine = row.make(context);
    kind->routes = std::make_unique<core::RouteTrie>(kind->engine->routes());
    kinds.push_back(std::move(kind));
  }
  return kinds;
}

core::EngineContext make_engine_context(Clock& clock, Random& random, LogSink& log) {
  using Factory = core::EngineContext::TargetFactory;
  auto factories = std::make_shared<std::vector<std::pair<std::string, Factory>>>();
  for (const TargetRow& row : kTargets)
    factories->emplace_back(row.plugin, [make = row.make, &clock, &random](const Json& settings) {
      return make(settings, clock, random);
    });
  // Shared with the function below, which outlives this call.
  auto find = [factories](std::string_view plugin) -> const Factory* {
    for (const auto& factory : *factories)
      if (factory.first == plugin) return &factory.second;
    return nullptr;
  };
  return {clock, random, log, find};
}

namespace {

Error no_storage(const Stanza& stanza) {
  return failure(Code::invalid, stanza.where() + ": storage \"" + stanza.label(0) +
                                    "\" is not in this build: use one of " + names(kStorages));
}

}  // namespace

Status read_storage(Stanza& stanza, std::string& data_directory) {
  for (const StorageRow& row : kStorages)
    if (stanza.label(0) == row.kind) return row.read(stanza, data_directory);
  return no_storage(stanza);
}

Result<std::unique_ptr<storage::Storage>> make_storage(Stanza& stanza, std::string& data_directory,
                                                       LogSink& log) {
  for (const StorageRow& row : kStorages)
    if (stanza.label(0) == row.kind) return row.make(stanza, data_directory, log);
  return no_storage(stanza);
}

Result<std::unique_ptr<audit::Device>> make_audit_device(Stanza& stanza,
                                                         const std::string& data_directory) {
  for (const AuditRow& row : kAudits)
    if (stanza.label(0) == row.kind) return row.make(stanza, data_directory);
  return failure(Code::invalid, stanza.where() + ": audit \"" + stanza.label(0) +
                                    "\" is not in this build: use one of " + names(kAudits));
}

}  // namespace leasehold::server_process
