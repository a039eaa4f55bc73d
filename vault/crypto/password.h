#pragma once
// Password hashes: Argon2id (RFC 9106) through libsodium for our own, bcrypt through libxcrypt for
// those that are brought along. Slow on purpose (tens of milliseconds, 19 MiB for an Argon2id
// hash), so callers run them on a worker. Thread-safe functions.

#include <optional>
#include <string>
#include <string_view>

#include "vault/base/bytes.h"

namespace leasehold::crypto {

inline constexpr std::size_t kPasswordMax = 4096;  // bytes that are hashed at most

// The text form of Argon2id, with its salt and costs. Code::invalid for a password that is too
// long.
Result<std::string> hash_password(std::string_view password);
// False for a wrong password, and for a hash that is of no kind we know.
bool verify_password(std::string_view hash, std::string_view password);
// The cost of "$2a$", "$2b$" or "$2y$" with a cost of 4 to 16 and 53 digits behind it; else none.
std::optional<int> bcrypt_cost(std::string_view text);

}  // namespace leasehold::crypto
