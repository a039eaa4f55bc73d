#include "cli/leaseholdd/catalog.h"

#include <algorithm>
#include <set>

#include "backends/catalog.h"
#include "vault/base/problems.h"

namespace leasehold::server_process {

namespace {

// "lmdb, inmem"
template <class Rows>
std::string names(const Rows& rows) {
  std::string out;
  for (const auto& row : rows) out += (out.empty() ? "" : ", ") + std::string(row.kind);
  return out;
}

Result<std::unique_ptr<audit::Device>> make_audit_device(Stanza& stanza,
                                                         const audit::Setting& setting) {
  for (const catalog::AuditRow& row : catalog::kAudits)
    if (stanza.label(0) == row.kind) return row.make(stanza, setting);
  return failure(Code::invalid, stanza.where() + ": audit \"" + stanza.label(0) +
                                    "\" is not in this build: use one of " +
                                    names(catalog::kAudits));
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

Result<AuditDevices> make_audit_devices(const std::vector<Stanza>& stanzas,
                                        const audit::Setting& setting,
                                        std::vector<std::string>& warnings) {
  Problems problems;
  AuditDevices devices;
  std::set<std::string> paths;
  for (Stanza stanza : stanzas) {
    auto device = make_audit_device(stanza, setting);
    const auto& said = stanza.warnings();
    warnings.insert(warnings.end(), said.begin(), said.end());
    if (!device.ok()) {
      problems.add(device.error().message);
      continue;
    }
    if (!paths.insert((*device)->path).second)
      problems.add(stanza.where() + ": another audit device has the path \"" + (*device)->path +
                   "\" already; give each a label of its own");
    devices.push_back(std::move(*device));
  }
  const bool records = std::any_of(devices.begin(), devices.end(),
                                   [](const auto& device) { return device->counts(); });
  if (problems.none() && !devices.empty() && !records)
    problems.add(stanzas.front().where() +
                 ": each audit device leaves something out (filter, exclude, "
                 "elide_list_responses); add one without these, which records everything");
  VAULT_TRY(problems.status());
  return devices;
}

}  // namespace leasehold::server_process
