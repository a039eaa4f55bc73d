#pragma once
// Token roles, auth/token/roles/:role_name: what a caller of auth/token/create/:role_name gets in a
// token, beyond or below what its own token would give. A record each in the space of the token
// mount, in the form in which it is shown. Thread-safe functions.
//
//   VAULT_TRY_ASSIGN(const auto role, token_role(txn, "ci"));
//   if (!role) return failure(Code::invalid, "unknown role ci");

#include <optional>

#include "vault/core/contract/routes.h"

namespace leasehold::core {

struct TokenRole {
  std::string name;
  // Names and globs ("team-*") of policies that a token of this role may have, and may not have.
  std::vector<std::string> allowed, allowed_globs, disallowed, disallowed_globs;
  bool no_default_policy = false;  // "default" is not added
  bool orphan = false, renewable = true;
  std::string path_suffix;
  std::string token_type = "default-service";  // or service, batch, default-batch
  Seconds period{0}, explicit_max_ttl{0};      // 0: none
  std::int64_t num_uses = 0;                   // 0: unlimited
  std::vector<std::string> bound_cidrs;        // empty: as the caller's own token
  std::vector<std::string> entity_aliases;     // in lower case; globs, too

  // Whether it says which policies: if not, those of the caller's own token count.
  bool names_policies() const {
    return !allowed.empty() || !allowed_globs.empty() || !disallowed.empty() ||
           !disallowed_globs.empty();
  }
};

// `txn`: of the token mount's space. Nothing: there is no such role.
Result<std::optional<TokenRole>> token_role(ReadTxn& txn, const std::string& name);

// Exactly, or by a glob in which each `*` stands for any text.
bool is_listed(const std::vector<std::string>& names, const std::vector<std::string>& globs,
               std::string_view name);

void add_token_role_routes(std::vector<Route>& routes);

}  // namespace leasehold::core
