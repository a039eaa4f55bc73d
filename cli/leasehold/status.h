#pragma once
// The state of the seal, as `status`, `operator unseal` and `operator init -status` read it.

#include "cli/leasehold/session.h"

namespace leasehold::cli {

// Prints the answer of sys/seal-status or sys/unseal, with what sys/leader adds when unsealed.
int show_seal_status(Session& session, const Json& seal);

}  // namespace leasehold::cli
