#pragma once
// Shamir's secret sharing over GF(2^8) (the AES field), without tables: time and memory access do
// not depend on the secret. A share is the secret's bytes followed by one byte, its x coordinate,
// as Vault's are. Nothing here tells a right share from a wrong one; the slot keeps a hash per
// share.

#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/random.h"

namespace leasehold::crypto {

inline constexpr unsigned kSharesMax = 255;

// 2 <= threshold <= shares <= 255.
Result<std::vector<SecretBytes>> shamir_split(ByteView secret, unsigned shares, unsigned threshold,
                                              Random& random);
// Code::invalid: fewer than two, unequal lengths, or a repeated or zero x coordinate.
Result<SecretBytes> shamir_combine(const std::vector<SecretBytes>& shares);

}  // namespace leasehold::crypto
