#pragma once
// What a token's policies decide about a request: policy::PolicySet, asked in the core's words.
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
#include "vault/policy/policy_set.h"

namespace leasehold::core {

using namespace policy;

// "default" and "response-wrapping" as a new vault has them.
std::string_view default_policy_text();
std::string_view response_wrapping_policy_text();

// The capability that an operation needs; 0: none.
std::uint16_t needed_for(Operation operation);

class Acl : public PolicySet {
 public:
  using PolicySet::capabilities;
  using PolicySet::PolicySet;

  // `needs_sudo`: the route is root-protected.
  Decision decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                  const std::optional<Seconds>& wrap_ttl) const;
  Decision decide(Operation operation, std::string_view path, const Json& body, bool needs_sudo,
                  const std::optional<Seconds>& wrap_ttl, Slash slash) const;
  std::vector<std::string> capabilities(std::string_view path, Slash slash) const;
};

}  // namespace leasehold::core
