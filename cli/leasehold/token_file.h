#pragma once
// The token in a file: ~/.vault-token, or where VAULT_TOKEN_PATH says; mode 0600, written whole or
// not at all. Every Vault client on the machine shares it.

#include <optional>
#include <string>

#include "vault/base/bytes.h"

namespace leasehold::cli {

Result<std::string> token_file_path();
Result<SecretBytes> read_token_file();  // empty when there is none
Status write_token_file(const SecretBytes& token);

// The same for a descriptor, up to its end and without the newline there; errno says what is wrong.
std::optional<SecretBytes> read_token(int descriptor);
bool write_all(int descriptor, ByteView bytes);
// The same, on the disk; the descriptor is closed in any case. False: errno says why.
bool write_and_close(int descriptor, ByteView bytes);

}  // namespace leasehold::cli
