#pragma once
// The finish station: every answer passes through it after its handler, whether a read, a write, a
// login or an effect made it. Warnings are added, it is wrapped where that was asked for, and its
// lines go into the batch that makes it true: both, or that of the request alone where the answer
// waits for something. A read that is wrapped becomes a write.

#include "vault/core/road/in_flight.h"

namespace leasehold::core {

// The handler's warnings make a body or join it; quiet ones join a body and make none. Its events
// are lines. Makes flight.batch of `changes`, if there are any.
Status finish(InFlight& flight, storage::Snapshot& snapshot, commit::Changes&& changes, Call& call);

}  // namespace leasehold::core
