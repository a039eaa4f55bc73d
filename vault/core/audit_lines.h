#pragma once
// From a request on its way to the bodies of its two audit lines: the core's side of vault/audit,
// which knows no Request.

#include "vault/core/in_flight.h"

namespace leasehold::core {

std::string request_body(const InFlight& flight);
// Both lines, or the second alone when the first is on record already.
std::vector<std::string> bodies_of(const InFlight& flight, const Response& answer);

}  // namespace leasehold::core
