// Endpoints of Vault that this vault has not, each refused with the reason and the way that there
// is: who follows a runbook of Vault reads more than "unsupported path".

#include "vault/core/contract/routes.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

constexpr const char* kNoProfile =
    "no profile is taken by the server: a profile shows what is in its memory. Use perf or gdb on "
    "the machine, and sys/metrics for times and counts";
constexpr const char* kNoReload =
    "nothing is reloaded by a request: certificates, their keys and audit files are read again on "
    "SIGHUP (systemctl reload leasehold), all else with a start";

Response refused(const char* why) { return Response::refused(404, why); }

}  // namespace

void add_refused_routes(std::vector<Route>& routes) {
  const auto profile = [](Call&, ReadTxn&) -> Result<Response> { return refused(kNoProfile); };
  for (const char* pattern : {"pprof", "pprof/:name"})
    routes.push_back(
        route(pattern, {}, {reads(profile)}, "Refused: the server takes no profile of itself"));
  const auto reload = [](Call&, ReadTxn&) -> Result<Response> { return refused(kNoReload); };
  routes.push_back(route("config/reload/:subsystem", {}, {asks(reload)},
                         "Refused: the server reads files again on SIGHUP"));
}

}  // namespace leasehold::core
