#pragma once
// Several policies together, as a token holds them, and what they decide. docs/policy.md says how
// rules match, which of several decides, how rules of one pattern are merged and what parameter
// rules mean.
//
//   const PolicySet held({&*policy}, false, now);
//   const Decision d = held.decide({"secret/a", kRead}, body);
//
// It is built per request and only points into policies. Thread safety: immutable.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/policy/policy.h"

namespace leasehold::policy {

// One request as rules see it.
struct Asked {
  std::string_view path;
  std::uint16_t capability = 0;  // that it needs; 0: help, which everybody may
  bool lists = false;            // rules of the path without its last slash count, too
  bool has_parameters = false;   // its data is held against parameter rules
  bool needs_sudo = false;
  std::optional<Seconds> wrap_ttl{};
};

struct Decision {
  bool allowed = false;
  bool sudo = false;               // the matched rule grants sudo
  const Policy* policy = nullptr;  // whose rule decided; null: none matched
  const PathRule* rule = nullptr;  // of several with one pattern the one that says so
  int line = 0;
  // "no rule matches", "deny", "capability", "parameters", "wrapping", "unreadable policy"
  std::string_view reason;
  std::int64_t pagination_limit = 0;
  bool exact = false;  // the rule is for this very path
};

class PolicySet {
 public:
  // `root`: the policies are exactly {"root"}. Those whose expiration has passed do not count.
  // `keeper` keeps the policies alive; null when the caller does.
  PolicySet(std::vector<const Policy*> policies, bool root, WallTime now,
            std::shared_ptr<const void> keeper = nullptr);

  // `body`: the request's data, for parameter rules.
  Decision decide(const Asked& asked, const Json& body) const;
  // The same for a path that may end in '/': what is served counts, too. A deny of "x" holds for
  // "x/"; where the slash is dropped so does every rule of "x", unless one is for "x/" itself.
  Decision decide(const Asked& asked, const Json& body, bool drops_slash) const;
  // Sorted names as sys/capabilities answers: {"root"}, {"deny"}, {"create","read"}.
  std::vector<std::string> capabilities(std::string_view path) const;
  std::vector<std::string> capabilities(std::string_view path, bool drops_slash) const;
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

}  // namespace leasehold::policy
