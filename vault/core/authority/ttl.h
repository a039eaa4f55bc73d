#pragma once
// How long a token or a lease may live: what was asked for, within what its mount, its role and its
// own maximum allow. Whole seconds; sums saturate. Pure functions.

#include <string>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/result.h"

namespace leasehold::core {

// What a TTL is resolved from: resolve_ttl() gives the shortest of what these allow.
struct TtlTerms {
  Seconds increment{0};     // asked for; 0: the default
  Seconds period{0};        // > 0: each renewal gives this much, no maximum but explicit_max
  Seconds default_ttl{0};   // of the mount, never 0
  Seconds max_ttl{0};       // of the mount, never 0
  Seconds backend_ttl{0};   // of the role; 0: none
  Seconds backend_max{0};   // of the role; 0: none
  Seconds explicit_max{0};  // 0: none
  WallTime issued, now;
};
struct ResolvedTtl {
  Seconds ttl{0};
  std::vector<std::string> warnings;
};
// Code::invalid "past the max TTL, cannot renew" when nothing is left. Never 0, never unbounded.
Result<ResolvedTtl> resolve_ttl(const TtlTerms& terms);

}  // namespace leasehold::core
