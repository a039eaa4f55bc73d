#pragma once
// From a route's table and a request to the typed values a handler sees. Errors are Code::invalid
// with Vault's "Field validation failed: ..." and never quote a value. Thread-safe functions.

#include "vault/core/contract/engine.h"
#include "vault/core/contract/router.h"

namespace leasehold::core {

// Path captures win over the body; unknown body keys become a warning, as Vault words it.
Result<Fields> fields_of(const Route& route, Operation operation, const Captures& captures,
                         const Json& body, std::vector<std::string>& warnings);

}  // namespace leasehold::core
