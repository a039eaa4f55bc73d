#pragma once
// The fields that every role and user of an auth method has for the tokens it grants:
// token_ttl, token_policies, token_bound_cidrs and the rest, with the older names
// that Vault still takes ("policies", "ttl"). They are kept in the role's own record, in the form
// in which they are shown. Thread-safe functions.

#include "vault/core/contract/engine.h"

namespace leasehold::auth {

// Appended to the fields of a role. `older`: of ttl, max_ttl, period, policies, num_uses,
// bound_cidrs, those that this method took before they were called token_*.
void add_token_fields(std::vector<core::Field>& fields, std::span<const std::string_view> older);

// A record with every field at its default.
Json new_token_record();
// Takes what `fields` give into `record`; an older name counts where the newer one is absent, and
// is shown from then on. Code::invalid names the field.
Status take_token_fields(const core::Fields& fields, std::span<const std::string_view> older,
                         Json& record);
// The policies of a record in the order in which a token has them: those that are written alone are
// shown so, those of a whole role as they were given.
void sort_policies(Json& record);
// Into `data`: the ten fields, and the older names that were used to set something.
void show_token_fields(const Json& record, Json& data);
// What a login of this role or user grants.
void apply_token_fields(const Json& record, core::Login& login);
// The answer to who wrote `record` with `fields`: its policies are looked for if they were given.
core::Response written(const core::Fields& fields, const Json& record);

}  // namespace leasehold::auth
