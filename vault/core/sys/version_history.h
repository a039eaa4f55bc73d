#pragma once
// Which versions of the server have run this store, and since when: sys/version-history. One record
// of the core's space, changed in the batch in which a version opens the store for the first time.
// Thread safety: functions of their arguments.

#include <vector>

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// Nothing when `version` has run it before.
Status note_version(commit::WriteTxn& txn, std::string_view version, std::string_view build_date,
                    WallTime now);

void add_version_history_route(std::vector<Route>& routes);

}  // namespace leasehold::core
