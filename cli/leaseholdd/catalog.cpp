#include "cli/leaseholdd/catalog.h"

#include "backends/catalog.h"

namespace leasehold::server_process {

namespace {

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
  for (const core::EngineRow& row : catalog::kEngines)
    kinds.push_back(core::make_kind(row, context, false));
  for (const core::EngineRow& row : catalog::kAuths)
    kinds.push_back(core::make_kind(row, context, true));
  return kinds;
}

core::EngineContext make_engine_context(Clock& clock, Random& random, LogSink& log) {
  return {clock, random, log, catalog::kTargets};
}

void prepare_targets() {
  for (const target::TargetRow& row : catalog::kTargets)
    if (row.prepare != nullptr) row.prepare();
}

Result<keyhost::SealSetup> make_protectors(std::vector<Stanza> stanzas,
                                           const keyhost::SealEnvironment& environment) {
  return keyhost::make_protectors(std::move(stanzas), environment, catalog::kSeals);
}

namespace {

// Null: not in this build.
const catalog::StorageRow* storage_row(const Stanza& stanza) {
  for (const catalog::StorageRow& row : catalog::kStorages)
    if (stanza.label(0) == row.kind) return &row;
  return nullptr;
}

Error no_storage(const Stanza& stanza) {
  return failure(Code::invalid, stanza.where() + ": storage \"" + stanza.label(0) +
                                    "\" is not in this build: use one of " +
                                    names(catalog::kStorages));
}

}  // namespace

bool keeps_data(const Stanza& stanza) {
  const catalog::StorageRow* row = storage_row(stanza);
  return row != nullptr && row->keeps;
}

Status read_storage(Stanza& stanza, std::string& data_directory) {
  const catalog::StorageRow* row = storage_row(stanza);
  return row != nullptr ? row->read(stanza, data_directory) : no_storage(stanza);
}

Result<std::unique_ptr<storage::Storage>> make_storage(Stanza& stanza, std::string& data_directory,
                                                       LogSink& log) {
  const catalog::StorageRow* row = storage_row(stanza);
  if (row == nullptr) return no_storage(stanza);
  return row->make(stanza, data_directory, log);
}

Result<std::unique_ptr<audit::Device>> make_audit_device(Stanza& stanza,
                                                         const std::string& data_directory) {
  for (const catalog::AuditRow& row : catalog::kAudits)
    if (stanza.label(0) == row.kind) return row.make(stanza, data_directory);
  return failure(Code::invalid, stanza.where() + ": audit \"" + stanza.label(0) +
                                    "\" is not in this build: use one of " +
                                    names(catalog::kAudits));
}

}  // namespace leasehold::server_process
