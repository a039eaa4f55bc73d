#pragma once
// From a route's table and a request to the typed values a handler sees. Errors are Code::invalid
// with Vault's "Field validation failed: ..." and never quote a value. Thread-safe functions.

#include "vault/core/contract/engine.h"
#include "vault/core/contract/router.h"

namespace leasehold::core {

// What a list of a comma_list field may have at most: an item takes a hundred bytes and may stand
// in the request with two.
inline constexpr std::size_t kListMax = 4096;
// Adds the items of a text with commas, without blanks around them and without empty ones. False:
// there are more than kListMax, and what was added is no whole list.
bool add_items(std::string_view text, Json& list);
Error too_many_items(std::string_view field);

// Path captures win over the body, and null is as absent as in Go; unknown body keys become a
// warning.
Result<Fields> fields_of(const Route& route, Operation operation, const Captures& captures,
                         const Json& body, std::vector<std::string>& warnings);

}  // namespace leasehold::core
