#pragma once
// What went wrong, in Vault's form, and then one line that says what to do next.
//
//   Error reading secret/a: Error making API request.
//
//   URL: GET http://127.0.0.1:8200/v1/secret/a
//   Code: 403. Errors:
//
//   * permission denied
//
//   hint: see what this token may do: leasehold token capabilities secret/a

#include <string>
#include <string_view>

#include "api/client/client.h"

namespace leasehold::cli {

std::string explain(std::string_view doing, const Result<client::Answer>& answer,
                    const client::Settings& settings);

}  // namespace leasehold::cli
