#pragma once
// Patterns compared with each other and with paths (docs/policy.md). Thread-safe functions.

#include <string>
#include <string_view>

#include "vault/policy/policy.h"

namespace leasehold::policy {

inline bool is_exact(const PathRule& rule) { return !rule.prefix && !rule.segments; }
std::string as_written(const PathRule& rule);  // with its last `*`
// Where the first segment stands that is a `+`; npos: nowhere.
std::size_t first_plus(const PathRule& rule);
bool pattern_matches(const PathRule& rule, std::string_view path);
// The order in which docs/policy.md ranks wildcard patterns that match one path. The greater wins.
bool less_specific(const PathRule& a, const PathRule& b);
// Whether `wide` matches each path that `narrow` matches.
bool covers(const PathRule& wide, const PathRule& narrow);

}  // namespace leasehold::policy
