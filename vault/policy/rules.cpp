#include "vault/policy/rules.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <unordered_set>
#include <utility>

#include "vault/base/encoding.h"

namespace leasehold::policy {
namespace {

struct Named {
  std::string_view name;
  std::uint16_t bit;
};
constexpr std::array kCapabilities{Named{"create", kCreate}, Named{"delete", kDelete},
                                   Named{"list", kList},     Named{"patch", kPatch},
                                   Named{"read", kRead},     Named{"scan", kScan},
                                   Named{"sudo", kSudo},     Named{"update", kUpdate}};

bool name_before(const Parameters::value_type& parameter, std::string_view name) {
  return parameter.first < name;
}

Parameters united(RulesOfPattern rules, Parameters PathRule::*which) {
  Parameters all;  // values of later rules come first, as Vault shows them
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule)
    all.insert(all.end(), ((*rule)->*which).begin(), ((*rule)->*which).end());
  unite_names(all);
  return all;
}

template <class T>
void take_smaller(std::optional<T>& into, const std::optional<T>& other) {
  if (other && (!into || *other < *into)) into = other;
}

// Takes the first segment off `rest`; `last` when no slash follows it.
std::string_view take_segment(std::string_view& rest, bool& last) {
  const std::size_t slash = rest.find('/');
  last = slash == std::string_view::npos;
  const std::string_view segment = rest.substr(0, slash);
  rest.remove_prefix(last ? rest.size() : slash + 1);
  return segment;
}

bool glob_matches(std::string_view glob, std::string_view text) {
  if (glob.size() < 2) return glob == text;
  const bool open_start = glob.front() == '*', open_end = glob.back() == '*';
  if (open_start && open_end)
    return text.find(glob.substr(1, glob.size() - 2)) != std::string_view::npos;
  if (open_start) return text.ends_with(glob.substr(1));
  if (open_end) return text.starts_with(glob.substr(0, glob.size() - 1));
  return glob == text;
}

// Engines read 5, 5.0 and "5" alike, so rules do too.
std::optional<std::string> scalar_text(const Json& value) {
  if (value.is_string() || value.is_number()) return value.text();
  if (value.is_bool()) return std::string(value.boolean() ? "true" : "false");
  return std::nullopt;
}

bool value_matches(const Json& wanted, const Json& given) {
  if (wanted.is_string() && given.is_string()) return glob_matches(wanted.text(), given.text());
  if (wanted.is_number() && given.is_number())
    return wanted == given || std::strtod(wanted.text().c_str(), nullptr) ==
                                  std::strtod(given.text().c_str(), nullptr);
  const auto wanted_text = scalar_text(wanted), given_text = scalar_text(given);
  if (wanted_text && given_text) return *wanted_text == *given_text;
  return wanted == given;
}

// An empty list stands for any value.
bool listed(const std::vector<Json>& values, const Json& given) {
  return values.empty() || std::any_of(values.begin(), values.end(), [&given](const Json& value) {
           return value_matches(value, given);
         });
}

const std::vector<Json>* find_values(const Parameters& parameters, std::string_view name) {
  const auto at = std::lower_bound(parameters.begin(), parameters.end(), name, name_before);
  return at != parameters.end() && at->first == name ? &at->second : nullptr;
}

bool any_names(RulesOfPattern rules, Parameters PathRule::*which, std::string_view name) {
  return std::any_of(rules.begin(), rules.end(), [which, name](const PathRule* rule) {
    return find_values(rule->*which, name) != nullptr;
  });
}

bool any_denied(RulesOfPattern rules, const Json& body) {
  if (any_names(rules, &PathRule::denied, "*")) return true;
  for (const Json::Member& member : body.members()) {
    const std::string name = lower_case(member.first);
    for (const PathRule* rule : rules) {
      const std::vector<Json>* values = find_values(rule->denied, name);
      if (values != nullptr && listed(*values, member.second)) return true;
    }
  }
  return false;
}

// True when a rule that names it lists the value; when none names it, `others` says.
bool member_allowed(RulesOfPattern rules, const Json::Member& member, bool others) {
  const std::string name = lower_case(member.first);
  bool named = false;
  for (const PathRule* rule : rules) {
    const std::vector<Json>* values = find_values(rule->allowed, name);
    if (values != nullptr && listed(*values, member.second)) return true;
    named = named || values != nullptr;
  }
  return !named && others;
}

bool all_allowed(RulesOfPattern rules, const Json& body) {
  const auto names_none = [](const PathRule* rule) { return rule->allowed.empty(); };
  const auto names_others = [](const PathRule* rule) {
    return rule->allowed.size() > 1 || (rule->allowed.size() == 1 && rule->allowed[0].first != "*");
  };
  if (std::all_of(rules.begin(), rules.end(), names_none)) return true;
  const bool others = any_names(rules, &PathRule::allowed, "*");
  if (others && std::none_of(rules.begin(), rules.end(), names_others)) return true;
  return std::all_of(body.members().begin(), body.members().end(), [&](const Json::Member& member) {
    return member_allowed(rules, member, others);
  });
}

}  // namespace

std::uint16_t capability_of(std::string_view name) {
  if (name == "deny") return kDeny;
  for (const Named& one : kCapabilities)
    if (one.name == name) return one.bit;
  return 0;
}

std::vector<std::string> capability_names(std::uint16_t capabilities) {
  std::vector<std::string> names;
  if ((capabilities & kDeny) == 0)
    for (const Named& one : kCapabilities)
      if ((capabilities & one.bit) != 0) names.emplace_back(one.name);
  if (names.empty()) names.emplace_back("deny");
  return names;
}

void deny(PathRule& rule, int line) {
  PathRule denied;
  denied.expiration = rule.expiration;
  denied.pattern = std::move(rule.pattern);
  denied.prefix = rule.prefix;
  denied.segments = rule.segments;
  denied.capabilities = kDeny;
  denied.line = line;
  rule = std::move(denied);
}

void unite_names(Parameters& parameters) {
  std::stable_sort(parameters.begin(), parameters.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  Parameters once;
  for (auto& parameter : parameters) {
    if (once.empty() || once.back().first != parameter.first) {
      once.push_back(std::move(parameter));
      continue;
    }
    std::vector<Json>& values = once.back().second;
    if (values.empty() || parameter.second.empty())
      values.clear();
    else
      std::move(parameter.second.begin(), parameter.second.end(), std::back_inserter(values));
  }
  parameters = std::move(once);
}

WrappingLimits wrapping_limits(RulesOfPattern rules) {
  WrappingLimits limits;
  for (const PathRule* rule : rules) {
    take_smaller(limits.min, rule->min_wrapping_ttl);
    take_smaller(limits.max, rule->max_wrapping_ttl);
  }
  return limits;
}

std::int64_t pagination_limit(RulesOfPattern rules) {
  std::int64_t limit = 0;
  for (const PathRule* rule : rules)
    if (rule->pagination_limit > 0 && (limit == 0 || rule->pagination_limit < limit))
      limit = rule->pagination_limit;
  return limit;
}

PathRule merge_rules(RulesOfPattern rules) {
  PathRule merged = *rules.front();
  if (rules.size() == 1) return merged;
  const auto denies = [](const PathRule* rule) { return (rule->capabilities & kDeny) != 0; };
  const auto denial = std::find_if(rules.begin(), rules.end(), denies);
  if (denial != rules.end()) {
    deny(merged, (*denial)->line);
    return merged;
  }
  merged.required.clear();
  std::unordered_set<std::string_view> required;
  for (const PathRule* rule : rules) {
    merged.capabilities |= rule->capabilities;
    merged.has_allowed |= rule->has_allowed;
    merged.has_denied |= rule->has_denied;
    for (const std::string& name : rule->required)
      if (required.insert(name).second) merged.required.push_back(name);
  }
  merged.allowed = united(rules, &PathRule::allowed);
  merged.denied = united(rules, &PathRule::denied);
  const WrappingLimits wrapping = wrapping_limits(rules);
  merged.min_wrapping_ttl = wrapping.min;
  merged.max_wrapping_ttl = wrapping.max;
  merged.pagination_limit = pagination_limit(rules);
  return merged;
}

bool segments_match(std::string_view pattern, bool prefix, std::string_view path) {
  for (bool pattern_ends = false, path_ends = false;;) {
    if (path_ends) return false;
    const std::string_view wanted = take_segment(pattern, pattern_ends);
    const std::string_view given = take_segment(path, path_ends);
    const bool same = wanted == "+" || wanted == given;
    if (!same) return pattern_ends && prefix && given.starts_with(wanted);
    if (pattern_ends) return prefix || path_ends;
  }
}

bool segments_may_match_below(std::string_view pattern, bool prefix, std::string_view folder) {
  if (folder.ends_with('/')) folder.remove_suffix(1);
  for (bool pattern_ends = false, folder_ends = false; !folder_ends;) {
    if (pattern_ends) return false;
    const std::string_view wanted = take_segment(pattern, pattern_ends);
    const std::string_view given = take_segment(folder, folder_ends);
    if (wanted == "+" || wanted == given) {
      if (pattern_ends) return prefix;
      continue;
    }
    return pattern_ends && prefix && given.starts_with(wanted);
  }
  return true;
}

bool parameters_permit(RulesOfPattern rules, const Json& body) {
  for (const PathRule* rule : rules)
    for (const std::string& name : rule->required)
      if (body.find(name) == nullptr) return false;
  if (body.size() == 0) return true;
  return !any_denied(rules, body) && all_allowed(rules, body);
}

namespace {

bool has_segment_wildcard(std::string_view pattern) {
  return pattern == "+" || pattern.starts_with("+/") || pattern.find("/+") != pattern.npos;
}

int order_of(const PathRule& rule) { return rule.segments ? 2 : rule.prefix ? 1 : 0; }

bool comes_before(const PathRule& a, const PathRule& b) {
  if (order_of(a) != order_of(b)) return order_of(a) < order_of(b);
  if (a.pattern != b.pattern) return a.pattern < b.pattern;
  return a.prefix < b.prefix;
}

}  // namespace

void arrange(Policy& policy) {
  std::stable_sort(policy.rules.begin(), policy.rules.end(), comes_before);
  std::vector<PathRule> merged;
  for (std::size_t i = 0; i < policy.rules.size();) {
    std::vector<const PathRule*> same;
    for (const PathRule& first = policy.rules[i]; i < policy.rules.size(); ++i) {
      const PathRule& rule = policy.rules[i];
      if (comes_before(first, rule) || first.expiration != rule.expiration) break;
      same.push_back(&rule);
    }
    merged.push_back(merge_rules(same));
  }
  policy.rules = std::move(merged);
  for (const PathRule& rule : policy.rules) {
    if (order_of(rule) == 0) ++policy.exact_rules;
    if (order_of(rule) == 1) ++policy.prefix_rules;
  }
}

bool set_pattern(PathRule& rule, std::string_view path) {
  if (path.starts_with('/')) path.remove_prefix(1);
  if (path.find("+*") != path.npos) return false;
  rule.prefix = path.ends_with('*');
  if (rule.prefix) path.remove_suffix(1);
  rule.segments = has_segment_wildcard(path);
  rule.pattern = path;
  return true;
}

}  // namespace leasehold::policy
