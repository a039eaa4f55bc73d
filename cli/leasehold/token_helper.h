#pragma once
// The program that keeps the token in the place of ~/.vault-token, for example in a keyring:
// `token_helper = "/usr/bin/keep-token"` in ~/.vault. Vault's protocol: run with `get` it prints
// the token, with `store` it reads it from standard input. What it writes to standard error is
// shown. Thread safety: functions without state.

#include <string>

#include "vault/base/bytes.h"
#include "vault/base/result.h"

namespace leasehold::cli {

// As VAULT_CONFIG_PATH says, or ~/.bao, or ~/.vault; empty when none names a program.
Result<std::string> token_helper();
Result<SecretBytes> get_from_helper(const std::string& program);  // empty when there is none
Status store_with_helper(const std::string& program, const SecretBytes& token);

}  // namespace leasehold::cli
