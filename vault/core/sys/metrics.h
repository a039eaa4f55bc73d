#pragma once
// sys/metrics: what the vault counts, as numbers for a monitoring system. Names are Vault's where a
// dashboard of Vault asks for them; what only this vault has begins with `leasehold_`.

#include "vault/core/contract/engine.h"
#include "vault/core/road/unsealed.h"
#include "vault/core/sys/metrics_page.h"

namespace leasehold::core {

// The process, from any thread. In process_metrics.cpp.
void add_process_metrics(MetricsPage& page);
// What is counted, from any thread and in every state of the vault: quantiles are of the last five
// to ten minutes in which somebody asked.
void add_counted_metrics(MetricsPage& page);

void add_metrics_routes(std::vector<Route>& routes, Unsealed& live);

// `format`: "prometheus" for its text, "" for JSON; Code::invalid for another one. Null: the vault
// is sealed, and the page says little else. On a worker (usage.h).
Result<Response> show_metrics(Unsealed* live, std::string_view format, WallTime now);

}  // namespace leasehold::core
