#pragma once
// Checks of a configuration before anything is opened: every error of its stanzas at once and, for
// -test-server-config, what would stop the start or `operator init` on this machine. Neither takes
// a lock or a port, so both work beside a running server. A PIN is tried only where the data
// directory is there to remember that, in the server's own mark: a wrong one once over all runs of
// both. Nothing else is left behind. Errors are Code::invalid, one a line. Call from main's thread.

#include "config/configuration.h"
#include "vault/base/clock.h"
#include "vault/base/log.h"
#include "vault/base/random.h"

namespace leasehold::server_process {

struct Surroundings {
  std::string own_executable;
  Clock& clock;
  Random& random;
  LogSink& log;
};

// Every stanza of the file, by those who own them. Warnings of stanzas are logged.
Status check_each_stanza(const config::Configuration& configuration, const Surroundings& where);
// Those, and whether the ones that a server needs are there.
Status check_stanzas(const config::Configuration& configuration, const Surroundings& where);
// Whether the data directory, where there is one, is this user's: no other may start a server on
// it.
bool owns_data(const config::Configuration& configuration);
// As the user who will run the server: when root asks, the owner of the data directory. `as` is the
// name of that user, or empty when nobody else was meant; the process stays that user.
Status check_machine(const config::Configuration& configuration, const Surroundings& where,
                     std::string& as);

}  // namespace leasehold::server_process
