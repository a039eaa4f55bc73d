#pragma once
// The running server: everything built once, in order, from a configuration, and destroyed in
// reverse. The only place that sees all rooms.

#include "cli/leaseholdd/options.h"
#include "config/configuration.h"
#include "vault/base/log.h"

namespace leasehold::server_process {

// Of this build: "0.1.0", what git says, RFC 3339 ("" when unknown).
extern const char* const kVersion;
extern const char* const kRevision;
extern const char* const kBuildDate;

// Code::invalid when a vault that keeps data would have no audit device, and none was waived.
Status check_audit(const config::Configuration& configuration, bool persistent);
// Runs until SIGTERM or SIGINT; the exit status.
int run_server(const Options& options, config::Configuration configuration, LogSink& log,
               const std::string& own_executable);
// Checks every record of a stopped vault's store: 0 whole, 2 not, 1 could not look.
int run_verify(const Options& options, config::Configuration configuration, LogSink& log,
               const std::string& own_executable);

// Fills the empty storage of a configuration with a backup: 0 done, 1 not.
int run_restore(const Options& options, config::Configuration configuration, LogSink& log,
                const std::string& own_executable);

}  // namespace leasehold::server_process
