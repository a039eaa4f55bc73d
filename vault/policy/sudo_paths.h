#pragma once
// The paths where Vault, or Leasehold, asks for `sudo` besides the capability of the operation; a
// `*` at the end is any rest. What the server itself asks comes from its routes, each of which is
// here (tests/advisories/surface_test.cpp); this is for who has no server.
// Thread-safe functions.

#include <string_view>

namespace leasehold::policy {

inline constexpr std::string_view kSudoPaths[] = {
    "auth/token/accessors",
    "auth/token/revoke-orphan",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/config/ui/headers/*",
    "sys/generate-root",
    "sys/generate-root-token/*",
    "sys/generate-root/*",
    "sys/internal/inspect/*",
    "sys/jobs",
    "sys/jobs/*",
    "sys/leases",
    "sys/leases/lookup/*",
    "sys/leases/reconcile/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/plugins/catalog/*",
    "sys/raw",
    "sys/raw/*",
    "sys/rekey-recovery-key/*",
    "sys/rekey/*",
    "sys/remount",
    "sys/revoke-force/*",
    "sys/revoke-prefix/*",
    "sys/rotate",
    "sys/rotate/*",
    "sys/seal",
    "sys/step-down",
    "sys/storage/backup",
    "sys/storage/backup/*",
    "sys/storage/restored",
};

// Whether `path` is one of them.
inline bool needs_sudo(std::string_view path) {
  for (std::string_view pattern : kSudoPaths) {
    if (pattern.back() != '*') {
      if (path == pattern) return true;
      continue;
    }
    pattern.remove_suffix(1);
    if (path.size() > pattern.size() && path.starts_with(pattern)) return true;
  }
  return false;
}

}  // namespace leasehold::policy
