#include "vault/policy/lint.h"

#include <algorithm>
#include <map>

#include "vault/base/hcl.h"
#include "vault/base/nearest.h"
#include "vault/policy/patterns.h"
#include "vault/policy/rules.h"
#include "vault/policy/sudo_paths.h"

namespace leasehold::policy {
namespace {

using Findings = std::vector<Finding>;

bool denies(const PathRule& rule) { return (rule.capabilities & kDeny) != 0; }

std::string named(const PathRule& rule) { return "path \"" + as_written(rule) + "\""; }

std::string on_line(int line) { return "line " + std::to_string(line); }

void sort_by_line(Findings& findings) {
  std::stable_sort(findings.begin(), findings.end(),
                   [](const Finding& a, const Finding& b) { return a.line < b.line; });
}

std::string nearest_capability(std::string_view typed) {
  Nearest nearest(typed);
  for (const char* name :
       {"create", "read", "update", "patch", "delete", "list", "scan", "sudo", "deny"})
    nearest.consider(name);
  if (typed == "write") return "\"create\", \"update\"";
  return nearest.name().empty() ? "" : "\"" + std::string(nearest.name()) + "\"";
}

// The parser stops at the first one; who mends a policy wants all of them.
void find_unknown_capabilities(const HclBlock& path, Findings& findings) {
  const HclAttribute* const attribute = path.body.find("capabilities");
  if (attribute == nullptr) return;
  std::vector<std::string> words;
  if (attribute->value.is_string()) words.push_back(attribute->value.text());
  for (const Json& item : attribute->value.items())
    if (item.is_string()) words.push_back(item.text());
  for (const std::string& word : words) {
    if (capability_of(word) != 0) continue;
    const std::string meant = nearest_capability(word);
    findings.push_back(
        {attribute->line, "there is no capability \"" + word + "\"" +
                              (meant.empty() ? std::string() : ": did you mean " + meant + "?")});
  }
}

// Beside `deny` nothing else of a rule counts.
void find_voided(const HclBlock& path, Findings& findings) {
  const HclAttribute* const attribute = path.body.find("capabilities");
  if (attribute == nullptr) return;
  std::uint16_t all = 0;
  for (const Json& item : attribute->value.items())
    if (item.is_string()) all = static_cast<std::uint16_t>(all | capability_of(item.text()));
  if ((all & kDeny) == 0 || all == kDeny) return;
  findings.push_back(
      {attribute->line,
       "\"deny\" makes the other capabilities of this rule mean nothing: it denies"});
}

// Patterns that stand twice in a text: the parser takes them together.
void find_repeated(const HclBody& body, Findings& findings) {
  std::map<std::string, int> first;
  for (const HclBlock& block : body.blocks) {
    if (block.type != "path" || block.labels.size() != 1) continue;
    const auto met = first.emplace(block.labels[0], block.line);
    if (met.second) continue;
    findings.push_back({block.line, "path \"" + block.labels[0] + "\" stands on " +
                                        on_line(met.first->second) +
                                        ", too: both are one rule, and a deny in one of them "
                                        "denies what the other grants"});
  }
}

void find_empty(const Policy& policy, Findings& findings) {
  for (const PathRule& rule : policy.rules)
    if (rule.capabilities == 0)
      findings.push_back({rule.line, named(rule) +
                                         " has no capabilities: it grants nothing, and where it is "
                                         "the most specific rule it takes away what wider ones "
                                         "grant"});
}

void find_unreachable(const Policy& policy, Findings& findings) {
  for (const PathRule& rule : policy.rules) {
    if (!rule.segments) continue;
    for (const PathRule& other : policy.rules) {
      if (&other == &rule || other.expiration || is_exact(other)) continue;
      if (!covers(other, rule) || !less_specific(rule, other)) continue;
      findings.push_back({rule.line, named(rule) + " never decides: " + named(other) + " on " +
                                         on_line(other.line) +
                                         " matches all of its paths and ranks higher"});
      break;
    }
  }
}

// What of the protected paths a rule with wildcards grants sudo on.
void find_swallowed(const Policy& policy, Findings& findings) {
  for (const PathRule& rule : policy.rules) {
    if ((rule.capabilities & kSudo) == 0 || is_exact(rule)) continue;
    std::string some;
    int count = 0;
    for (const std::string_view path : kSudoPaths) {
      const std::string_view bare = path.ends_with('*') ? path.substr(0, path.size() - 1) : path;
      if (!pattern_matches(rule, bare) && !pattern_matches(rule, std::string(bare) + "x")) continue;
      if (++count <= 3) some += (some.empty() ? "" : ", ") + std::string(path);
    }
    // One that names a protected folder, such as sys/auth/*, means it.
    if (count < 2) continue;
    findings.push_back({rule.line, named(rule) + " grants sudo on " + std::to_string(count) +
                                       " protected paths (" + some + (count > 3 ? " ..." : "") +
                                       "): name those that are meant"});
  }
}

std::string first_segment(std::string_view path) {
  return std::string(path.substr(0, path.find('/')));
}

bool has_wildcard(const PathRule& rule) { return rule.prefix || rule.segments; }

// What a pattern says before its first wildcard.
std::string_view literal_head(const PathRule& rule) {
  return std::string_view(rule.pattern)
      .substr(0, rule.segments ? first_plus(rule) : std::string::npos);
}

std::string doubt_of_version_two(const PathRule& rule, const MountPoint& mount) {
  const std::string_view head = literal_head(rule);
  if (head.size() <= mount.path.size()) return {};
  const std::string_view rest = head.substr(mount.path.size());
  const std::string word = first_segment(rest);
  const bool is_whole = rest.find('/') != rest.npos || !has_wildcard(rule);
  for (const char* known : {"data", "metadata", "delete", "undelete", "destroy", "subkeys",
                            "config", "detailed-metadata"})
    if (word == known || (!is_whole && std::string_view(known).starts_with(word))) return {};
  return named(rule) + " matches nothing: " + mount.path +
         " is key/value version 2, whose paths have data/, metadata/, delete/, undelete/ or "
         "destroy/ behind the mount: \"" +
         mount.path + "data/" + as_written(rule).substr(mount.path.size()) + "\"?";
}

std::string doubt_of_mount(const PathRule& rule, std::span<const MountPoint> mounts) {
  const std::string_view head = literal_head(rule);
  const std::string typed(head.starts_with("auth/") ? head.substr(0, head.find('/', 5))
                                                    : first_segment(head));
  Nearest nearest(typed);
  for (const MountPoint& mount : mounts) {
    if (head.starts_with(mount.path))
      return mount.is_versioned_kv ? doubt_of_version_two(rule, mount) : std::string();
    // "sec*", "secret", and what lies above several mounts.
    if (std::string_view(mount.path).starts_with(head)) return {};
    nearest.consider(std::string_view(mount.path).substr(0, mount.path.size() - 1));
  }
  std::string text = named(rule) + " lies at no mount";
  if (!nearest.name().empty()) text += ": did you mean " + std::string(nearest.name()) + "/?";
  return text;
}

}  // namespace

Findings lint(std::string_view text, WallTime now) {
  Findings findings;
  const Result<HclBody> body = parse_hcl(text, {"path"});
  if (body.ok())
    for (const HclBlock& block : body->blocks) find_unknown_capabilities(block, findings);
  const bool words_are_known = findings.empty();
  const Result<Policy> policy = parse_new_policy({}, text);
  if (!policy.ok()) {
    if (words_are_known || policy.error().message.find("invalid capability") == std::string::npos)
      findings.push_back({0, policy.error().message});
    return findings;
  }
  for (const HclBlock& block : body->blocks) find_voided(block, findings);
  find_repeated(*body, findings);
  find_empty(*policy, findings);
  find_unreachable(*policy, findings);
  find_swallowed(*policy, findings);
  for (Finding& one : doubts_of(*policy, now)) findings.push_back(std::move(one));
  const Policy* const itself = &*policy;
  for (Finding& one : shadowed_denials(*policy, {&itself, 1})) findings.push_back(std::move(one));
  sort_by_line(findings);
  return findings;
}

Findings shadowed_denials(const Policy& policy, std::span<const Policy* const> others) {
  Findings findings;
  for (const PathRule& rule : policy.rules) {
    if (!denies(rule) || is_exact(rule)) continue;
    for (const Policy* other : others)
      for (const PathRule& grant : other->rules) {
        if (denies(grant) || grant.capabilities == 0 || !covers(rule, grant)) continue;
        if (!is_exact(grant) && !less_specific(rule, grant)) continue;
        findings.push_back(
            {rule.line, named(rule) + " denies, and not what " + named(grant) + " grants on " +
                            on_line(grant.line) +
                            (other->name == policy.name ? "" : " of " + other->name) +
                            ": the more specific rule decides"});
      }
  }
  return findings;
}

Findings off_the_mounts(const Policy& policy, std::span<const MountPoint> mounts) {
  Findings findings;
  for (const auto* rules : {&policy.rules, &policy.templated})
    for (const PathRule& rule : *rules) {
      // What is filled in later is not known here.
      if (literal_head(rule).find("{{") != std::string_view::npos) continue;
      if (std::string text = doubt_of_mount(rule, mounts); !text.empty())
        findings.push_back({rule.line, std::move(text)});
    }
  sort_by_line(findings);
  return findings;
}

}  // namespace leasehold::policy
