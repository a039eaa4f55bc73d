#pragma once
// A file of what policies have to permit and to deny (docs/policies.md has its form):
//
//   policies = { app = "app.hcl" }
//   test "the app reads its own secrets and no others" {
//     who    = ["app"]
//     what   = ["read secret/data/app/x", "list secret/metadata/app/"]
//     expect = "allow"
//   }
//
// Thread safety: values.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/policy/policy_set.h"

namespace leasehold::cli {

// One request that is asked about.
struct PolicyCheck {
  std::string test;              // its name
  std::vector<std::string> who;  // names of policies
  std::string what;              // "read secret/data/app/x", as written
  std::uint16_t capability = 0;
  std::string path;
  bool is_allowed = false;  // expected
  Json parameters;          // an object
  std::optional<Seconds> wrap_ttl;
  std::optional<WallTime> at;  // now, when it is not said
  // What only rules as they stand can answer: not the capabilities of a token.
  bool needs_rules() const { return parameters.size() > 0 || wrap_ttl || at; }
};

struct PolicyTests {
  std::map<std::string, std::string> files;  // by name of the policy, as written
  std::vector<PolicyCheck> checks;
  std::size_t tests = 0;
};

// Code::invalid "line N: ..."
Result<PolicyTests> parse_policy_tests(std::string_view text);

// What the policies together decide about it.
policy::Decision judge(const PolicyCheck& check, std::vector<const policy::Policy*> held,
                       WallTime now);
// Whether a token with these capabilities at the path may do it; `sudo` where Vault asks for it.
bool suffices(const PolicyCheck& check, const std::vector<std::string>& capabilities);

}  // namespace leasehold::cli
