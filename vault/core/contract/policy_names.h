#pragma once
// One canonical form for every policy name on its way in: trimmed, lower-cased. Everything that
// compares with "root" compares this. Thread-safe functions.

#include <string>
#include <string_view>
#include <vector>

namespace leasehold::core {

inline constexpr std::size_t kPolicyNameMax = 512;  // bytes

std::string canonical_policy_name(std::string_view name);
// The names in canonical form, sorted and once each; "root" makes all others pointless.
std::vector<std::string> canonical_policies(const std::vector<std::string>& names);

}  // namespace leasehold::core
