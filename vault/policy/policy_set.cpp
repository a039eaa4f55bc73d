#include "vault/policy/policy_set.h"

#include <algorithm>
#include <map>
#include <utility>

#include "vault/policy/patterns.h"
#include "vault/policy/rules.h"

namespace leasehold::policy {
namespace {

// A rule that speaks about a path. Several only when several policies (or
// expirations) have the pattern.
struct Match {
  const Policy* policy = nullptr;
  const PathRule* rule = nullptr;
};
using Matches = std::vector<Match>;
using Policies = std::vector<const Policy*>;
using Rules = std::span<const PathRule>;

Rules exact_rules(const Policy& policy) { return Rules(policy.rules).first(policy.exact_rules); }
Rules prefix_rules(const Policy& policy) {
  return Rules(policy.rules).subspan(policy.exact_rules, policy.prefix_rules);
}
Rules segment_rules(const Policy& policy) {
  return Rules(policy.rules).subspan(policy.exact_rules + policy.prefix_rules);
}

bool in_force(const PathRule& rule, WallTime now) {
  return !rule.expiration || now < *rule.expiration;
}

bool pattern_below(const PathRule& rule, std::string_view text) { return rule.pattern < text; }
bool pattern_above(std::string_view text, const PathRule& rule) { return text < rule.pattern; }

void find_exact(const Policies& policies, std::string_view path, WallTime now, Matches& matches) {
  for (const Policy* policy : policies) {
    const Rules rules = exact_rules(*policy);
    auto at = std::lower_bound(rules.begin(), rules.end(), path, pattern_below);
    for (; at != rules.end() && at->pattern == path; ++at)
      if (in_force(*at, now)) matches.push_back({policy, &*at});
  }
}

std::size_t common_length(std::string_view a, std::string_view b) {
  const std::size_t most = std::min(a.size(), b.size());
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
      a.begin());
}

// The longest pattern in force that `path` begins with. The greatest pattern
// not above the key either is one, or shows how short a better one must be.
const PathRule* longest_prefix(Rules rules, std::string_view path, WallTime now) {
  auto end = rules.end();
  std::string_view key = path;
  for (;;) {
    end = std::upper_bound(rules.begin(), end, key, pattern_above);
    if (end == rules.begin()) return nullptr;
    const PathRule& rule = *(end - 1);
    const bool matches = key.starts_with(rule.pattern);
    if (matches && in_force(rule, now)) return &rule;
    if (matches)
      --end;
    else
      key = key.substr(0, common_length(key, rule.pattern));
  }
}

// Keeps the most specific pattern, with every rule that has it.
void consider(Matches& matches, const Policy& policy, const PathRule& rule) {
  if (!matches.empty()) {
    const PathRule& best = *matches.front().rule;
    if (less_specific(rule, best)) return;
    if (less_specific(best, rule)) matches.clear();
  }
  matches.push_back({&policy, &rule});
}

void find_wildcard(const Policies& policies, std::string_view path, WallTime now,
                   Matches& matches) {
  for (const Policy* policy : policies) {
    const Rules prefixes = prefix_rules(*policy);
    const PathRule* longest = longest_prefix(prefixes, path, now);
    // The same pattern stands twice when only their expirations differ.
    for (const PathRule* rule = longest; rule != nullptr && rule->pattern == longest->pattern;
         rule = rule == prefixes.data() ? nullptr : rule - 1)
      if (in_force(*rule, now)) consider(matches, *policy, *rule);
    for (const PathRule& rule : segment_rules(*policy))
      if (in_force(rule, now) && segments_match(rule.pattern, rule.prefix, path))
        consider(matches, *policy, rule);
  }
}

std::string_view without_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

Matches find_rules(const Policies& policies, std::string_view path, bool list, WallTime now) {
  Matches matches;
  matches.reserve(policies.size());
  find_exact(policies, path, now, matches);
  if (matches.empty() && list) find_exact(policies, without_slash(path), now, matches);
  if (matches.empty()) find_wildcard(policies, path, now, matches);
  if (matches.empty() && list) find_wildcard(policies, without_slash(path), now, matches);
  return matches;
}

bool restricts(const PathRule& rule) {
  return rule.has_allowed || rule.has_denied || !rule.required.empty() || rule.min_wrapping_ttl ||
         rule.max_wrapping_ttl || rule.pagination_limit > 0;
}

std::uint16_t united(const Matches& matches) {
  std::uint16_t capabilities = 0;
  for (const Match& match : matches) capabilities |= match.rule->capabilities;
  return (capabilities & kDeny) != 0 ? static_cast<std::uint16_t>(kDeny) : capabilities;
}

// The one whose rule says so: it denies, or grants what is needed, or is the
// first.
const Match& spokesman(const Matches& matches, std::uint16_t capability) {
  for (const Match& match : matches)
    if ((match.rule->capabilities & capability) != 0) return match;
  return matches.front();
}

bool wrapping_permits(RulesOfPattern rules, const std::optional<Seconds>& wrap_ttl) {
  const WrappingLimits limits = wrapping_limits(rules);
  if (!limits.min && !limits.max) return true;
  return wrap_ttl && (!limits.min || *wrap_ttl >= *limits.min) &&
         (!limits.max || *wrap_ttl <= *limits.max);
}

// Why the limits of the matching rules refuse; empty when they permit.
std::string_view refused_by_limits(const Matches& matches, const Asked& asked, const Json& body,
                                   Decision& decision) {
  const bool any = std::any_of(matches.begin(), matches.end(),
                               [](const Match& match) { return restricts(*match.rule); });
  if (!any) return {};
  std::vector<const PathRule*> rules;
  rules.reserve(matches.size());
  for (const Match& match : matches) rules.push_back(match.rule);
  decision.pagination_limit = pagination_limit(rules);
  if (!wrapping_permits(rules, asked.wrap_ttl)) return "wrapping";
  if (asked.has_parameters && !parameters_permit(rules, body)) return "parameters";
  return {};
}

Json described(const PathRule& rule) {
  Json result = Json::object();
  result.set("capabilities", Json(capability_names(rule.capabilities)));
  const auto set_parameters = [&result](std::string_view key, const auto& parameters) {
    Json map = Json::object();
    for (const auto& parameter : parameters) {
      Json values = Json::array();
      for (const Json& value : parameter.second) values.push(value);
      map.set(parameter.first, std::move(values));
    }
    if (map.size() > 0) result.set(key, std::move(map));
  };
  set_parameters("allowed_parameters", rule.allowed);
  set_parameters("denied_parameters", rule.denied);
  if (!rule.required.empty()) result.set("required_parameters", Json(rule.required));
  if (rule.min_wrapping_ttl) result.set("min_wrapping_ttl", Json(rule.min_wrapping_ttl->count()));
  if (rule.max_wrapping_ttl) result.set("max_wrapping_ttl", Json(rule.max_wrapping_ttl->count()));
  if (rule.pagination_limit > 0) result.set("pagination_limit", Json(rule.pagination_limit));
  return result;
}

bool grants(const PathRule& rule) {
  return rule.capabilities != 0 && (rule.capabilities & kDeny) == 0;
}

// Whether a policy has a denial of exactly this pattern.
bool denied_by_any(const Policies& policies, const PathRule& rule, WallTime now) {
  const auto by_pattern = [](const PathRule& other, std::string_view pattern) {
    return other.pattern < pattern;
  };
  for (const Policy* policy : policies) {
    const Rules rules = rule.segments ? segment_rules(*policy)
                        : rule.prefix ? prefix_rules(*policy)
                                      : exact_rules(*policy);
    auto at = std::lower_bound(rules.begin(), rules.end(), rule.pattern, by_pattern);
    for (; at != rules.end() && at->pattern == rule.pattern; ++at)
      if ((at->capabilities & kDeny) != 0 && at->prefix == rule.prefix && in_force(*at, now))
        return true;
  }
  return false;
}

bool lies_below(const PathRule& rule, std::string_view folder) {
  if (rule.segments) return segments_may_match_below(rule.pattern, rule.prefix, folder);
  return rule.pattern.starts_with(folder);
}

}  // namespace

PolicySet::PolicySet(std::vector<const Policy*> policies, bool root, WallTime now,
                     std::shared_ptr<const void> keeper)
    : policies_(std::move(policies)), root_(root), now_(now), keeper_(std::move(keeper)) {
  const auto is_over = [now](const Policy* policy) {
    return policy->expiration && *policy->expiration <= now;
  };
  policies_.erase(std::remove_if(policies_.begin(), policies_.end(), is_over), policies_.end());
  for (const Policy* policy : policies_)
    if (policy->unreadable) unreadable_ = policy;
}

Decision PolicySet::decide(const Asked& asked, const Json& body) const {
  Decision decision;
  decision.allowed = decision.sudo = root_;
  if (root_) return decision;
  if (unreadable_ != nullptr) {
    decision.policy = unreadable_;
    decision.reason = "unreadable policy";
    return decision;
  }
  if (asked.capability == 0) {
    decision.allowed = true;
    return decision;
  }
  const Matches matches = find_rules(policies_, asked.path, asked.lists, now_);
  decision.reason = "no rule matches";
  if (matches.empty()) return decision;
  const std::uint16_t capabilities = united(matches);
  const bool denied = (capabilities & kDeny) != 0;
  const Match& speaker =
      spokesman(matches, denied ? static_cast<std::uint16_t>(kDeny) : asked.capability);
  decision.policy = speaker.policy;
  decision.rule = speaker.rule;
  decision.line = speaker.rule->line;
  decision.exact = is_exact(*speaker.rule);
  decision.sudo = (capabilities & kSudo) != 0;
  decision.reason = denied ? "deny" : "capability";
  if ((capabilities & asked.capability) == 0 || denied || (asked.needs_sudo && !decision.sudo))
    return decision;
  decision.reason = refused_by_limits(matches, asked, body, decision);
  decision.allowed = decision.reason.empty();
  return decision;
}

Decision PolicySet::decide(const Asked& asked, const Json& body, bool drops_slash) const {
  const Decision sent = decide(asked, body);
  if (!sent.allowed || root_ || asked.lists || !asked.path.ends_with('/')) return sent;
  Asked without = asked;
  without.path = without_slash(asked.path);
  Decision bare = decide(without, body);
  if (bare.reason == "deny") return bare;
  if (!drops_slash || sent.exact || bare.policy == nullptr) return sent;
  bare.sudo = bare.sudo && sent.sudo;
  return bare;
}

std::vector<std::string> PolicySet::capabilities(std::string_view path) const {
  if (root_) return {"root"};
  if (unreadable_ != nullptr) return {"deny"};
  return capability_names(united(find_rules(policies_, path, true, now_)));
}

// As decide() has it: a list by the rules of a list, all else by those of what
// is served.
std::vector<std::string> PolicySet::capabilities(std::string_view path, bool drops_slash) const {
  if (root_ || unreadable_ != nullptr || !drops_slash || !path.ends_with('/'))
    return capabilities(path);
  constexpr unsigned kListing = kList | kScan;
  const Matches sent = find_rules(policies_, path, false, now_);
  const Matches bare = find_rules(policies_, without_slash(path), false, now_);
  unsigned served = united(sent);
  const unsigned said_of_bare = united(bare);
  const bool is_meant = !sent.empty() && is_exact(*sent.front().rule);
  if ((said_of_bare & kDeny) != 0 || (!bare.empty() && !is_meant)) served &= said_of_bare;
  served &= ~(kListing | kDeny);
  const unsigned listing = united(find_rules(policies_, path, true, now_)) & kListing;
  return capability_names(static_cast<std::uint16_t>(served | listing));
}

bool PolicySet::may_reach(std::string_view prefix) const {
  if (root_) return true;
  if (unreadable_ != nullptr) return false;
  const std::uint16_t here = united(find_rules(policies_, prefix, true, now_));
  if (here != 0 && (here & kDeny) == 0) return true;
  for (const Policy* policy : policies_)
    for (const PathRule& rule : policy->rules)
      if (grants(rule) && in_force(rule, now_) && lies_below(rule, prefix) &&
          !denied_by_any(policies_, rule, now_))
        return true;
  return false;
}

Json PolicySet::resultant() const {
  Json result = Json::object();
  result.set("root", root_);
  if (root_) return result;
  using ByPattern = std::map<std::string, std::vector<const PathRule*>>;
  ByPattern exact, globs;
  const Policies none;
  for (const Policy* policy : unreadable_ != nullptr ? none : policies_)
    for (const PathRule& rule : policy->rules) {
      if (rule.segments || !in_force(rule, now_)) continue;
      (rule.prefix ? globs : exact)[rule.pattern].push_back(&rule);
    }
  const auto paths = [](const ByPattern& rules) {
    Json map = Json::object();
    for (const auto& one : rules) map.set(one.first, described(merge_rules(one.second)));
    return map;
  };
  result.set("exact_paths", paths(exact));
  result.set("glob_paths", paths(globs));
  return result;
}

}  // namespace leasehold::policy
