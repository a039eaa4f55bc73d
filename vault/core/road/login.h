#pragma once
// Logins on the road: refused at once for a name that failed too often; minted when the auth
// method's handler says who it is. The token and, at a first login, its entity are in the batch of
// the request. Functions of one request.

#include "vault/core/road/in_flight.h"

namespace leasehold::core {

// Code::denied "permission denied" while the name that this login claims is locked out.
Status check_lockout(const Authorised& flight);
// After the handler: counts a refusal, or makes the token of the login that it found and puts it
// into `answer.auth`. Nothing to do for an answer that is no login.
Status finish_login(InFlight& flight, storage::Snapshot& snapshot, commit::Changes& changes,
                    Call& call);

}  // namespace leasehold::core
