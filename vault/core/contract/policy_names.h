#pragma once
// One canonical form for every policy name on its way in: trimmed, lower-cased. Everything that
// compares with "root" compares this. Thread-safe functions.

#include <string>
#include <string_view>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::core {

inline constexpr std::size_t kPolicyNameMax = 512;  // bytes

std::string canonical_policy_name(std::string_view name);
// The names in canonical form, sorted and once each; "root" makes all others pointless.
std::vector<std::string> canonical_policies(const std::vector<std::string>& names);

// The warning of whoever grants one that is not there.
std::string no_such_policy(std::string_view name);

// Of a token: they stand in each of its audit lines, and each costs every request.
inline constexpr std::size_t kPoliciesMax = 1000;
// The policy of a token that opens one wrapped answer; only the core gives it.
inline constexpr std::string_view kWrappingPolicy = "response-wrapping";
// Whether a token or a role may have these; they are canonical.
Status check_assignable(const std::vector<std::string>& policies);

}  // namespace leasehold::core
