#pragma once
// The token that `login` leaves for the next command: ~/.vault-token, or where VAULT_TOKEN_PATH
// says; mode 0600, written whole or not at all. Every Vault client on the machine shares it.

#include <string>

#include "vault/base/bytes.h"

namespace leasehold::cli {

Result<std::string> token_file_path();
Result<SecretBytes> read_token_file();  // empty when there is none
Status write_token_file(const SecretBytes& token);

}  // namespace leasehold::cli
