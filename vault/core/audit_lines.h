#pragma once
// From a request on its way to the bodies of its two audit lines: the core's side of vault/audit,
// which knows no Request.

#include "vault/core/in_flight.h"

namespace leasehold::core {

std::string request_body(const InFlight& flight);
// `error` is what the client gets to read; empty when the answer is none.
std::string response_body(const InFlight& flight, const Response& answer);
// Both lines, or the second alone when the first is on record already.
std::vector<std::string> bodies_of(const InFlight& flight, const Response& answer);

}  // namespace leasehold::core
