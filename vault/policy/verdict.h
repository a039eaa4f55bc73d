#pragma once
// A decision in words: which policy, rule and line decided, or what none of them grants. For people
// and for what outlives the policies. Thread-safe functions.

#include <string>
#include <string_view>
#include <vector>

#include "vault/policy/policy_set.h"

namespace leasehold::policy {

struct Verdict {
  std::string reason;        // Decision::reason; "": it is allowed
  std::string missing;       // the capability that no rule grants; "": none is missing
  std::string policy, rule;  // that decided; "": none did
  int line = 0;
};

// `needed`: the capability of the operation.
Verdict verdict_of(const Decision& decision, std::uint16_t needed);
// As one sentence; `held`: the policies by which `path` was judged.
std::string sentence_of(const Verdict& verdict, std::string_view path,
                        const std::vector<std::string>& held);

}  // namespace leasehold::policy
