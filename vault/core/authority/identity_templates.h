#pragma once
// Fills the templates of a policy in for one identity. Thread-safe function.

#include "vault/core/authority/identities.h"
#include "vault/policy/policy.h"

namespace leasehold::core {

std::shared_ptr<const policy::Policy> filled_for(const Identity& identity,
                                                 const policy::Policy& policy);

}  // namespace leasehold::core
