// sys/config/state/sanitized: the configuration that the server was started with, without secrets.

#include "vault/core/sys/config_state.h"
#include "vault/base/process_facts.h"
#include "vault/core/contract/routes.h"

namespace leasehold::core {

void add_config_state_route(std::vector<Route>& routes) {
  const auto shows = [](Call&, ReadTxn&) -> Result<Response> {
    return Response::of(sanitized_configuration());
  };
  routes.push_back(route("config/state/sanitized", {}, {reads(shows)},
                         "The configuration of the server, without secrets"));
}

}  // namespace leasehold::core
