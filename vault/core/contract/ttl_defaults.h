#pragma once
// How long leases and tokens last where neither a mount nor a role says otherwise. A value.

#include "vault/base/clock.h"

namespace leasehold::core {

struct TtlDefaults {
  Seconds default_ttl{768 * 3600};
  Seconds max_ttl{768 * 3600};
};

}  // namespace leasehold::core
