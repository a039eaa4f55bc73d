#pragma once
// What the rows of backends/catalog.h make for this process.

#include <memory>
#include <string>
#include <vector>

#include "backends/audit/device_options.h"
#include "backends/keyhost/protectors.h"
#include "vault/audit/log.h"
#include "vault/base/stanza.h"
#include "vault/core/contract/router.h"
#include "vault/storage/storage.h"

namespace leasehold::server_process {

// One EngineKind per engine and auth method, with its routes compiled.
std::vector<std::unique_ptr<core::EngineKind>> make_engine_kinds(
    const core::EngineContext& context);
core::EngineContext make_engine_context(Clock& clock, Random& random, LogSink& log);

Result<keyhost::SealSetup> make_protectors(std::vector<Stanza> stanzas,
                                           const keyhost::SealEnvironment& environment);

// What the targets of this build ask of the process, before it has a second thread.
void prepare_targets();

// Whether the data of a storage outlives the process; false for one that is not in this build.
bool keeps_data(const Stanza& stanza);
// Reads a storage stanza and opens nothing.
Status read_storage(Stanza& stanza, std::string& data_directory);
// The data directory of a storage stanza; empty for memory.
Result<std::unique_ptr<storage::Storage>> make_storage(Stanza& stanza, std::string& data_directory,
                                                       LogSink& log);
// The devices of all audit stanzas, opened by nobody yet: Code::invalid names all that is wrong,
// one a line, also when none of them records everything. `warnings` receives what has no effect.
using AuditDevices = std::vector<std::unique_ptr<audit::Device>>;
Result<AuditDevices> make_audit_devices(const std::vector<Stanza>& stanzas,
                                        const audit::Setting& setting,
                                        std::vector<std::string>& warnings);

}  // namespace leasehold::server_process
