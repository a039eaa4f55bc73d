
#include "vault/core/authority/policy.h"

namespace leasehold::core {

std::string_view default_policy_text() {
  return R"(# Every token gets this policy unless it was created without it. It may be edited.

# A token may look at itself, stay alive, and end itself.
path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }
path "auth/token/revoke-self" { capabilities = ["update"] }

# It may ask what it is permitted to do.
path "sys/capabilities-self" { capabilities = ["update"] }
path "sys/internal/ui/resultant-acl" { capabilities = ["read"] }

# Whoever is behind it may read about themselves.
path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["read"] }
path "identity/entity/name/{{identity.entity.name}}" { capabilities = ["read"] }

# Who knows a lease may extend it or look at it.
path "sys/renew" { capabilities = ["update"] }
path "sys/leases/renew" { capabilities = ["update"] }
path "sys/leases/lookup" { capabilities = ["update"] }

# Each token has a cubbyhole that no other token can open.
path "cubbyhole/*" { capabilities = ["create", "read", "update", "delete", "list"] }

# Wrapping answers for somebody else, and opening what was wrapped.
path "sys/wrapping/wrap" { capabilities = ["update"] }
path "sys/wrapping/lookup" { capabilities = ["update"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }

# Small tools that reveal nothing.
path "sys/tools/hash" { capabilities = ["update"] }
path "sys/tools/hash/*" { capabilities = ["update"] }

# Signing in elsewhere with the identity held here.
path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] }
)";
}

std::string_view response_wrapping_policy_text() {
  return R"(# What a wrapping token may do: open itself, once.
path "cubbyhole/response" { capabilities = ["create", "read"] }
path "sys/wrapping/unwrap" { capabilities = ["update"] }
)";
}

}  // namespace leasehold::core
