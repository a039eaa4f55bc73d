#pragma once
// The parts that policy.cpp and policy_parse.cpp share (docs/policy.md has the rules): merging two
// rules of one pattern, the names of capabilities, and the match of `+` patterns. Thread safety:
// functions.

#include <string>
#include <string_view>
#include <vector>

#include "vault/core/authority/policy.h"

namespace leasehold::core {

// 0 when there is no capability of that name.
std::uint16_t capability_of(std::string_view name);
// Sorted; {"deny"} when none is set.
std::vector<std::string> capability_names(std::uint16_t capabilities);

// Capabilities are united and deny wins; a value list that is empty ("any value") wins over others;
// wrapping limits and pagination take the smaller.
void merge_rule(PathRule& into, const PathRule& other);
// Leaves nothing but the denial.
void deny(PathRule& rule, int line);

// `pattern` has `+` segments; `prefix`: its last segment is the beginning of what follows.
bool segments_match(std::string_view pattern, bool prefix, std::string_view path);
// The same for a folder above: whether something that begins with `folder` can match.
bool segments_may_match_below(std::string_view pattern, bool prefix, std::string_view folder);

// Required, denied and allowed parameters against a request's data.
bool parameters_permit(const PathRule& rule, const Json& body);

}  // namespace leasehold::core
