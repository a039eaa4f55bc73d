#pragma once
// The parts of a configuration, each with its text in one spelling, so that a change can be told
// and named. The texts hold what the file holds, secrets included: hash them at once.
// Thread-safe function.

#include <functional>

#include "config/configuration.h"

namespace leasehold::config {

// `name`: `seal "tpm"` or `max_lease_ttl`.
void each_part(const Configuration& configuration,
               const std::function<void(const std::string& name, const std::string& text)>& take);

}  // namespace leasehold::config
