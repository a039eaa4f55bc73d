#pragma once
// From a request on its way to the bodies of its two audit lines: the core's side of vault/audit,
// which knows no Request.

#include "vault/core/road/in_flight.h"

namespace leasehold::core {

// `answer_awaited`: what was asked for is durable with this line, and the answer follows later.
void append_request_body(const Authorised& flight, Texts& to, bool answer_awaited = false);
// Both lines, or the second alone when the first is on record already.
void append_bodies(const InFlight& flight, const Response& answer, Texts& to);

}  // namespace leasehold::core
