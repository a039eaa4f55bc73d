// Paths that match less than they seem to, for who writes the policy: what is
// taken as in Vault, and is easily taken for something else
// (docs/decisions/171).
#include <algorithm>

#include "vault/policy/lint.h"
#include "vault/policy/patterns.h"

namespace leasehold::policy {
namespace {

bool denies(const PathRule& rule) { return (rule.capabilities & kDeny) != 0; }

// Of a wildcard that is none.
std::string effect_of(const PathRule& rule) {
  return denies(rule) ? "THIS RULE DENIES NOTHING BUT A PATH WITH THAT TEXT"
                      : "this rule grants nothing but a path with that text";
}

// Takes the first segment off `rest`, with its slash.
std::string_view take_segment(std::string_view& rest) {
  const std::string_view segment = rest.substr(0, std::min(rest.find('/'), rest.size() - 1) + 1);
  rest.remove_prefix(segment.size());
  return segment;
}

// What the path may have meant: a `*` that is a whole segment reads as any one
// segment.
std::string with_segments(const PathRule& rule) {
  std::string meant;
  for (std::string_view rest = rule.pattern; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    meant += segment == "*/" ? std::string_view("+/") : segment;
  }
  return meant + (rule.prefix ? "*" : "");
}

bool has_plus_in_a_segment(const PathRule& rule) {
  for (std::string_view rest = rule.pattern; !rest.empty();) {
    std::string_view segment = take_segment(rest);
    if (segment.ends_with('/')) segment.remove_suffix(1);
    if (segment.size() > 1 && segment.find('+') != segment.npos) return true;
  }
  return false;
}

std::string doubt_of_star(const PathRule& rule) {
  const std::string meant = with_segments(rule);
  const bool whole = meant.find('*') == std::string::npos || meant.find('*') == meant.size() - 1;
  return "only a `*` at the very end is a wildcard, and this one stands for "
         "itself: " +
         effect_of(rule) + "; `+` stands for one segment" + (whole ? ": \"" + meant + "\"" : "");
}

std::string doubt_of_plus(const PathRule& rule) {
  return "only a `+` that is a whole segment is a wildcard, and this one "
         "stands for itself: " +
         effect_of(rule) + "; a `*` at the very end stands for the rest of a segment, and more";
}

// What Terraform, or a shell, was to fill in.
std::string doubt_of_variable(const PathRule& rule) {
  return "nothing fills in `${...}` here, and it stands for itself: " + effect_of(rule);
}

std::string doubt_of_time(const PathRule& rule) {
  return "its expiration, " + rfc3339(*rule.expiration) + ", has passed: " +
         (denies(rule) ? "THIS RULE DENIES NOTHING" : "this rule grants nothing");
}

std::string doubt_of_version(const PathRule& rule) {
  return "paths in policies begin behind /v1/, so this rule matches nothing; "
         "write \"" +
         as_written(rule).substr(3) + "\"";
}

// `where`: what stands between the path and the doubt.
template <class Where>
std::vector<Finding> collected(const Policy& policy, WallTime now, Where where) {
  std::vector<Finding> found;
  const auto doubt = [&](const PathRule& rule, const std::string& why) {
    found.push_back({rule.line, "path \"" + as_written(rule) + "\"" + where(rule) + ": " + why});
  };
  for (const PathRule& rule : policy.templated)
    if (denies(rule))
      doubt(rule,
            "this denies nothing to a token without an entity, or to one whose entity has no value "
            "for the template");
  for (const auto* rules : {&policy.rules, &policy.templated})
    for (const PathRule& rule : *rules) {
      if (rule.pattern.find('*') != std::string::npos) doubt(rule, doubt_of_star(rule));
      if (has_plus_in_a_segment(rule)) doubt(rule, doubt_of_plus(rule));
      if (rule.pattern.find("${") != std::string::npos) doubt(rule, doubt_of_variable(rule));
      if (rule.expiration && *rule.expiration <= now) doubt(rule, doubt_of_time(rule));
      if (rule.pattern.starts_with("v1/")) doubt(rule, doubt_of_version(rule));
    }
  std::stable_sort(found.begin(), found.end(),
                   [](const Finding& a, const Finding& b) { return a.line < b.line; });
  return found;
}

}  // namespace

std::vector<Finding> doubts_of(const Policy& policy, WallTime now) {
  return collected(policy, now, [](const PathRule&) { return ""; });
}

std::vector<std::string> doubts_about(const Policy& policy, WallTime now) {
  const auto line = [](const PathRule& rule) { return " on line " + std::to_string(rule.line); };
  std::vector<std::string> doubts;
  for (Finding& one : collected(policy, now, line)) doubts.push_back(std::move(one.text));
  return doubts;
}

}  // namespace leasehold::policy
