#pragma once
// The body of an answer as clients read it: Vault's eight keys in their order around `data`, or
// `{"errors":[...]}`. The wire sends it, and a wrapped answer is kept as it. Thread-safe functions.

#include <string>

#include "vault/core/contract/response.h"

namespace leasehold::core {

void write_body(std::string& out, const Response& answer);
// At least what write_body() appends: with so much room a buffer does not move while a secret is in
// it.
std::size_t body_bytes_max(const Response& answer);
int status_of(const Response& answer);

}  // namespace leasehold::core
