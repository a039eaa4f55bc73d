#pragma once
// What went wrong, in Vault's form, and then one line that says what to do next.
//
//   Error reading secret/a: Error making API request.
//
//   URL: GET http://127.0.0.1:8200/v1/secret/a
//   Code: 403. Errors:
//
//   * 1 error occurred: permission denied
//
//   hint: see what this token may do there: leasehold token capabilities secret/a

#include <string>
#include <string_view>

#include "api/client/client.h"

namespace leasehold::cli {

// `known_hint` is the hint of a command that knows more than the answer tells; empty: none.
std::string explain(std::string_view doing, const Result<client::Answer>& answer,
                    const client::Settings& settings, std::string_view known_hint = {});

}  // namespace leasehold::cli
