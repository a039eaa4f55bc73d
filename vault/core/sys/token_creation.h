#pragma once
// auth/token/create: what a caller may ask for in a token of its own making. Thread-safe functions.

#include "vault/core/sys/system.h"

namespace leasehold::core {

enum class MadeAs : std::uint8_t { child, orphan, by_role };

// `txn`: of the token mount's space.
Result<Response> create_token(Unsealed& live, Call& call, WriteTxn& txn, MadeAs as);

// Of two durations the lesser; 0 says nothing.
Seconds lesser(Seconds one, Seconds other);

// A field that is a duration, as text; 0 when absent.
Result<Seconds> duration_of(const Fields& fields, std::string_view name);

}  // namespace leasehold::core
