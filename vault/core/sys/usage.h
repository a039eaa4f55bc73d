#pragma once
// How much of what is stored: tokens, leases, secrets. Counted by walking over keys, so what was
// counted is kept, and counted anew only after fifty times as long as it took, at least ten
// seconds: whoever asks often costs little. Thread-safe.

#include <map>
#include <memory>
#include <string>

#include "vault/core/road/unsealed.h"

namespace leasehold::core {

struct Usage {
  std::int64_t tokens = 0;
  std::int64_t leases = 0;    // of secrets, ACTIVE or not
  std::int64_t expiring = 0;  // leases and tokens that have an end
  std::int64_t overdue = 0;   // leases that ended a minute ago, and whose account is not seen gone
  std::int64_t entities = 0;
  std::map<std::string, std::int64_t> secrets;  // by the path of the kv mount
  // Of tokens, while there are few enough to look at each.
  bool knows_tokens = true;
  std::map<std::string, std::int64_t> by_policy, by_auth, by_ttl;
};

// On a worker: it may take as long as a list of all tokens does.
Result<std::shared_ptr<const Usage>> usage_of(Unsealed& live);

// Where the last count of an open vault is kept, as long as somebody has this: its own routes do.
class UsageCount;
std::shared_ptr<UsageCount> keep_usage(Unsealed& live);

}  // namespace leasehold::core
