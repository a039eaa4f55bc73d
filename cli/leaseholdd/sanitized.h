#pragma once
// The configuration as sys/config/state/sanitized shows it: of what may hold a secret (seals,
// storage, audit devices) the type alone. Thread safety: a function.

#include "config/configuration.h"

namespace leasehold::server_process {

Json sanitized(const config::Configuration& configuration);

}  // namespace leasehold::server_process
