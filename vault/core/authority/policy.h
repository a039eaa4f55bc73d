#pragma once
// The policies that a token holds, and what they decide. docs/policy.md says how rules match, which
// of several decides, how rules of one pattern are merged and what parameter rules mean.
//
//   const Acl acl({&*policy}, false, now);
//   const Decision d = acl.decide(Operation::read, "secret/a", body, sudo_path, wrap_ttl);
//
// An Acl is built per request and only points into policies.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/contract/policy_names.h"
#include "vault/core/contract/request.h"
#include "vault/policy/policy.h"

namespace leasehold::core {

using namespace policy;

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
