#pragma once
// Vault's ACL language: policies in HCL or JSON, compiled once, and the set of those a token holds.
// docs/policy.md says how rules match, which of several decides, how rules of one pattern are
// merged and what parameter rules mean.
//
//   VAULT_TRY_ASSIGN(const auto policy, parse_policy("app", text));
//   const Acl acl({&*policy}, false, now);
//   const Decision d = acl.decide(Operation::read, "secret/a", body, sudo_path, wrap_ttl);
//
// A compiled policy is immutable and shared between threads; an Acl is built per request and only
// points into policies.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/result.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/contract/request.h"

namespace leasehold::core {

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

struct Policy {
  std::string name;
  std::string text;  // byte for byte as given
  // One per pattern, in the order that matching wants: exact ones, then prefixes, then those with
  // `+`, each sorted by pattern.
  std::vector<PathRule> rules;
  std::size_t exact_rules = 0, prefix_rules = 0;
  // Patterns with `{{...}}`: they grant nothing until an identity fills them in.
  std::vector<PathRule> templated;
  // Stored, and cannot be read any more: what it denied is not known, so whoever holds it is denied
  // everything.
  bool unreadable = false;

  std::size_t weight() const { return sizeof(*this) + 4 * text.size(); }  // bytes, about
};

// Code::invalid "failed to parse policy: ..." as Vault words it, with a line number.
Result<Policy> parse_policy(std::string name, std::string_view text);
// What a policy may hold when it is written, beside its size. Each request of a token looks through
// the rules of all its policies, so Code::invalid says which bound was passed and by what.
inline constexpr std::size_t kPolicyPathsMax = 4096;
inline constexpr std::size_t kPolicyParametersMax = 1024;  // names and values of one path
Status within_bounds(const Policy& policy);
// Rules that match less than they seem to, in the order of their lines: for who writes the policy.
std::vector<std::string> doubts_about(const Policy& policy, WallTime now);
// "default" and "response-wrapping" as a new vault has them.
std::string_view default_policy_text();
std::string_view response_wrapping_policy_text();

struct Decision {
  bool allowed = false;
  bool sudo = false;               // the matched rule grants sudo
  const Policy* policy = nullptr;  // whose rule decided; null: none matched
  int line = 0;
  // "no rule matches", "deny", "capability", "parameters", "wrapping", "unreadable policy"
  std::string_view reason;
  std::int64_t pagination_limit = 0;
  bool exact = false;  // the rule is for this very path
};

class Acl {
 public:
  // `root`: the token's policies are exactly {"root"}.
  // `keeper` keeps the policies alive; null when the caller does.
  Acl(std::vector<const Policy*> policies, bool root, WallTime now,
      std::shared_ptr<const void> keeper = nullptr);

  // `needs_sudo`: the route is root-protected. `body`: the request's data, for parameter rules.
  Decision decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                  const std::optional<Seconds>& wrap_ttl) const;
  // The same for a path that may end in '/': what is served counts, too. A deny of "x" holds for
  // "x/"; where the slash is dropped so does every rule of "x", unless one is for "x/" itself.
  Decision decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                  const std::optional<Seconds>& wrap_ttl, Slash slash) const;
  // Sorted names as sys/capabilities answers: {"root"}, {"deny"}, {"create","read"}.
  std::vector<std::string> capabilities(std::string_view path) const;
  std::vector<std::string> capabilities(std::string_view path, Slash slash) const;
  // Whether anything below `prefix` (a mount path) may be reached, for sys/internal/ui/mounts.
  bool may_reach(std::string_view prefix) const;
  // data of sys/internal/ui/resultant-acl.
  Json resultant() const;
  bool is_root() const { return root_; }

 private:
  std::vector<const Policy*> policies_;
  const Policy* unreadable_ = nullptr;  // one of them
  bool root_;
  WallTime now_;
  std::shared_ptr<const void> keeper_;
};

}  // namespace leasehold::core
