#pragma once
// What is likely wrong with a policy that can be read: for who writes it, before it is written.
// Nothing here decides anything.
//
//   for (const Finding& one : lint(text, now)) ... one.line, one.text
//
// Thread-safe functions.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/policy/policy.h"

namespace leasehold::policy {

struct Finding {
  int line = 0;  // 0: of the text as a whole
  std::string text;
};

// Of one text, by line: what keeps it from being read, every unknown capability, rules that grant
// nothing or never decide, wildcards that are none, globs with `sudo` over protected paths.
std::vector<Finding> lint(std::string_view text, WallTime now);

// As doubts_about, without the line in the text.
std::vector<Finding> doubts_of(const Policy& policy, WallTime now);

// Denials of `policy` that a rule of one of `others` (it may be among them) takes a part from: of
// two patterns the more specific one decides, also when the other denies.
std::vector<Finding> shadowed_denials(const Policy& policy, std::span<const Policy* const> others);

struct MountPoint {
  std::string path;              // "secret/", "auth/token/"
  bool is_versioned_kv = false;  // its paths begin with data/, metadata/ ...
};
// Rules that lie at no mount, with the one that was probably meant.
std::vector<Finding> off_the_mounts(const Policy& policy, std::span<const MountPoint> mounts);

}  // namespace leasehold::policy
