#pragma once
// The parts that reading a policy and judging by it share (docs/policy.md has the rules): the rules
// of one pattern taken together, the names of capabilities, and the match of `+` patterns. Thread
// safety: functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/policy/policy.h"

namespace leasehold::policy {

// 0 when there is no capability of that name.
std::uint16_t capability_of(std::string_view name);
// Sorted; {"deny"} when none is set.
std::vector<std::string> capability_names(std::uint16_t capabilities);

// At least one; in the order in which they were found.
using RulesOfPattern = std::span<const PathRule* const>;

// As one rule, in time linear in what they hold. Capabilities are united and deny wins; a value
// list that is empty ("any value") wins over others; wrapping limits and pagination take the
// smaller.
PathRule merge_rules(RulesOfPattern rules);
// Sorted by name, and each name once with the values of all of its kind.
void unite_names(Parameters& parameters);

// What a request is judged by; nothing is merged or copied for it.
struct WrappingLimits {
  std::optional<Seconds> min, max;
};
WrappingLimits wrapping_limits(RulesOfPattern rules);
std::int64_t pagination_limit(RulesOfPattern rules);  // 0: none

// The pattern of a path as it is written; false where it holds "+*".
bool set_pattern(PathRule& rule, std::string_view path);
// Sorts the rules as matching wants them, and makes one of those that have the same pattern, unless
// they expire at different times.
void arrange(Policy& policy);

// Leaves nothing but the denial.
void deny(PathRule& rule, int line);

// `pattern` has `+` segments; `prefix`: its last segment is the beginning of what follows.
bool segments_match(std::string_view pattern, bool prefix, std::string_view path);
// The same for a folder above: whether something that begins with `folder` can match.
bool segments_may_match_below(std::string_view pattern, bool prefix, std::string_view folder);

// Required, denied and allowed parameters against a request's data.
bool parameters_permit(RulesOfPattern rules, const Json& body);

}  // namespace leasehold::policy
