#pragma once
// Tokens that the vault ends by itself (expired, swept, used up), as events of the audit log: no
// request's lines tell of them. The accessor stands there as in every other line, as its HMAC.
// Thread-safe.

#include "vault/core/authority/tokens.h"
#include "vault/crypto/hash.h"

namespace leasehold::core {

// "token-expired", "token-swept" (it hung below a revoked one), "token-used-up", "token-revoked" (a
// job, or an answer that never left).
std::string token_event(std::string_view event, const Token& token, WallTime now,
                        const crypto::HmacKey& audit_key);

}  // namespace leasehold::core
