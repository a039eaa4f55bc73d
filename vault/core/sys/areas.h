#pragma once
// The parts of sys/ that show and set how this process works, one file each.

#include "vault/core/contract/engine.h"
#include "vault/core/road/unsealed.h"

namespace leasehold::core {

void add_host_info_route(std::vector<Route>& routes);
void add_in_flight_route(std::vector<Route>& routes);
Response show_in_flight();
void add_logger_routes(std::vector<Route>& routes, Unsealed& live);
void add_ui_header_routes(std::vector<Route>& routes);
void add_ui_fact_routes(std::vector<Route>& routes);  // sys/internal/ui/: namespaces, flags
void add_activity_routes(std::vector<Route>& routes, Unsealed& live);  // sys/internal/counters
void add_plugin_routes(std::vector<Route>& routes, Unsealed& live);
// What Vault has there and this vault has not, refused in so many words.
void add_refused_routes(std::vector<Route>& routes);
void add_decode_token_route(std::vector<Route>& routes);

}  // namespace leasehold::core
