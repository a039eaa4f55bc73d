#pragma once
// What PostgreSQL stores for a password, made on our side so that the password itself is never
// sent:
//   SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>     (RFC 5802, RFC 7677)
// ASCII passwords only; others would need SASLprep. Thread-safe.

#include "vault/base/bytes.h"
#include "vault/base/random.h"

namespace leasehold::postgresql {

inline constexpr unsigned kScramIterations = 4096;  // fewer are refused by several client libraries
inline constexpr std::size_t kScramSaltSize = 16;

SecretBytes scram_verifier(const SecretBytes& password, ByteView salt, unsigned iterations);
SecretBytes scram_verifier(const SecretBytes& password, Random& random);

}  // namespace leasehold::postgresql
