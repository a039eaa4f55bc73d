#pragma once
// The policies of a token that is being made: those of its maker, those that were asked for, or
// what its role allows. Thread-safe functions.

#include "vault/core/authority/token.h"
#include "vault/core/sys/token_roles.h"

namespace leasehold::core {

// Into `token.policies`, canonical. `role`: null when it is made without one. Code::invalid, with
// the text of Vault, for what this caller or role cannot give.
Status set_policies(const Call& call, const TokenRole* role, Token& token);

}  // namespace leasehold::core
