#pragma once
// The station of rate limits: before it is known who asks, so that a client who asks too much costs
// little. Thread-safe functions.

#include "vault/core/road/in_flight.h"

namespace leasehold::core {

// Counts the request, once, in `flight.rate`; Code::limited with the text of Vault when its client
// has had its share. Call where there are limits, when the mount and the route are known.
Status check_rate(Admitted& flight, ReadTxn& txn);

// Into the answer: when to come back, and what is left where the configuration says so. One that
// was refused goes on record only where the configuration says so: else strangers would fill the
// disk.
void tell_rate(InFlight& flight);

}  // namespace leasehold::core
