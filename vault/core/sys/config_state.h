#pragma once
// sys/config/state: what the server was started with.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

void add_config_state_route(std::vector<Route>& routes);

}  // namespace leasehold::core
