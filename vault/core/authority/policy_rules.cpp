#include "vault/core/authority/policy_rules.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "vault/base/encoding.h"

namespace leasehold::core {
namespace {

using Parameters = std::vector<std::pair<std::string, std::vector<Json>>>;

struct Named {
  std::string_view name;
  std::uint16_t bit;
};
constexpr std::array kCapabilities{Named{"create", kCreate}, Named{"delete", kDelete},
                                   Named{"list", kList},     Named{"patch", kPatch},
                                   Named{"read", kRead},     Named{"scan", kScan},
                                   Named{"sudo", kSudo},     Named{"update", kUpdate}};

std::vector<Json>* values_of(Parameters& parameters, std::string_view name) {
  for (auto& parameter : parameters)
    if (parameter.first == name) return &parameter.second;
  return nullptr;
}

void merge_parameters(Parameters& into, const Parameters& other) {
  for (const auto& parameter : other) {
    std::vector<Json>* values = values_of(into, parameter.first);
    if (values == nullptr)
      into.push_back(parameter);
    else if (values->empty() || parameter.second.empty())
      values->clear();
    else
      values->insert(values->begin(), parameter.second.begin(), parameter.second.end());
  }
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
  for (const auto& parameter : parameters)
    if (parameter.first == name) return &parameter.second;
  return nullptr;
}

bool any_denied(const PathRule& rule, const Json& body) {
  if (rule.denied.empty()) return false;
  if (find_values(rule.denied, "*") != nullptr) return true;
  for (const Json::Member& member : body.members()) {
    const std::vector<Json>* values = find_values(rule.denied, lower_case(member.first));
    if (values != nullptr && listed(*values, member.second)) return true;
  }
  return false;
}

bool all_allowed(const PathRule& rule, const Json& body) {
  if (rule.allowed.empty()) return true;
  const bool others = find_values(rule.allowed, "*") != nullptr;
  if (others && rule.allowed.size() == 1) return true;
  for (const Json::Member& member : body.members()) {
    const std::vector<Json>* values = find_values(rule.allowed, lower_case(member.first));
    if (values == nullptr ? !others : !listed(*values, member.second)) return false;
  }
  return true;
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

void merge_rule(PathRule& into, const PathRule& other) {
  if ((into.capabilities & kDeny) != 0) return;
  if ((other.capabilities & kDeny) != 0) return deny(into, other.line);
  into.capabilities |= other.capabilities;
  merge_parameters(into.allowed, other.allowed);
  merge_parameters(into.denied, other.denied);
  into.has_allowed |= other.has_allowed;
  into.has_denied |= other.has_denied;
  for (const std::string& name : other.required)
    if (std::find(into.required.begin(), into.required.end(), name) == into.required.end())
      into.required.push_back(name);
  take_smaller(into.min_wrapping_ttl, other.min_wrapping_ttl);
  take_smaller(into.max_wrapping_ttl, other.max_wrapping_ttl);
  if (other.pagination_limit > 0 &&
      (into.pagination_limit == 0 || other.pagination_limit < into.pagination_limit))
    into.pagination_limit = other.pagination_limit;
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

bool parameters_permit(const PathRule& rule, const Json& body) {
  for (const std::string& name : rule.required)
    if (body.find(name) == nullptr) return false;
  if (body.size() == 0) return true;
  return !any_denied(rule, body) && all_allowed(rule, body);
}

}  // namespace leasehold::core
