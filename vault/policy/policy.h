#pragma once
// What the text of a policy says: Vault's ACL language, in HCL or JSON, compiled once.
// docs/policy.md says how its rules match and decide. How one matches is in rules.h; which of them
// decides is in policy_set.h.
//
//   VAULT_TRY_ASSIGN(const auto policy, parse_policy("app", text));
//
// A compiled policy is immutable and shared between threads.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold::policy {

enum Capability : std::uint16_t {
  kDeny = 1,
  kCreate = 2,
  kRead = 4,
  kUpdate = 8,
  kDelete = 16,
  kList = 32,
  kSudo = 64,
  kPatch = 128,
  kScan = 256,
};

// By name, in lower case, each once; no values: any value.
using Parameters = std::vector<std::pair<std::string, std::vector<Json>>>;

struct PathRule {
  std::string pattern;    // as written, leading '/' stripped, without the final '*' when `prefix`
  bool prefix = false;    // ended in '*'
  bool segments = false;  // contains '+' wildcards
  std::uint16_t capabilities = 0;
  Parameters allowed, denied;
  bool has_allowed = false, has_denied = false;
  std::vector<std::string> required;
  std::optional<Seconds> min_wrapping_ttl, max_wrapping_ttl;
  std::optional<WallTime> expiration;
  std::int64_t pagination_limit = 0;
  int line = 0;
};

// A piece of a templated pattern (template.h).
struct TemplatePart {
  enum class What : std::uint8_t {
    text,
    unknown,  // has no value
    entity_id,
    entity_name,
    entity_metadata,
    alias_id,
    alias_name,
    alias_metadata,
    alias_custom_metadata,
    group_id,
    group_name,
    group_metadata,
  };
  What what = What::text;
  std::string text = {};  // itself, or the key of the metadata
  std::string of = {};    // of an alias: the accessor of its mount; of a group: which
  bool by_name = false;   // the group is named, not given by its id
};

struct Policy {
  std::string name;
  std::string text;  // byte for byte as given
  // One per pattern, in the order that matching wants: exact ones, then prefixes, then those with
  // `+`, each sorted by pattern.
  std::vector<PathRule> rules;
  std::size_t exact_rules = 0, prefix_rules = 0;
  // Patterns with `{{...}}`: they grant nothing until an identity fills them in (template.h).
  std::vector<PathRule> templated;
  // As it was stored with: from then on it is as if it were not there.
  std::optional<WallTime> expiration;
  std::vector<std::vector<TemplatePart>> template_parts;  // of each
  // What the values of templates may hold: `*` and `+`; `/`.
  bool wildcards_in_values = false, slashes_in_values = false;
  // Stored, and cannot be read any more: what it denied is not known, so whoever holds it is denied
  // everything.
  bool unreadable = false;

  std::size_t weight() const { return sizeof(*this) + 4 * text.size(); }  // bytes, about
};

// Code::invalid "failed to parse policy: ..." as Vault words it, with a line number. What was
// stored is read by this.
Result<Policy> parse_policy(std::string name, std::string_view text);
// What a policy may hold when it is written. Each request of a token looks through the rules of all
// its policies.
inline constexpr std::size_t kPolicyBytesMax = 256u << 10;
inline constexpr std::size_t kPolicyPathsMax = 4096;
inline constexpr std::size_t kPolicyParametersMax = 1024;  // names and values of one path
// The same for a text that is to be written, which must also be within those bounds, and deny
// nothing that this version cannot deny: Code::invalid says what is in the way.
Result<Policy> parse_new_policy(std::string name, std::string_view text);
// Rules that match less than they seem to, in the order of their lines: for who writes the policy.
std::vector<std::string> doubts_about(const Policy& policy, WallTime now);

}  // namespace leasehold::policy
