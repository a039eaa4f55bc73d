#pragma once
// Account names from an operator's template, in the language of Vault's username_template:
//
//   v-{{.DisplayName | truncate 8}}-{{ .RoleName | lowercase }}-{{random 20}}-{{unix_time}}
//   {{ printf "v_%s_%s" (.RoleName | truncate 8) (random 20) | truncate 63 }}
//
// Functions: random, truncate, truncate_sha256, uppercase, lowercase, replace, sha256, base64,
// unix_time, unix_time_millis, timestamp, uuid, printf (with %s, %d and %v). Each lease needs a
// name of its own: a template is refused when two of its names do not differ in eight places,
// because revoking by name could then end another lease's account. Thread safety: a value.

#include <string>

#include "vault/base/clock.h"
#include "vault/base/random.h"
#include "vault/base/result.h"

namespace leasehold::target {

struct NameParts {
  std::string display_name, role_name;
};

// Code::invalid: the template is wrong, or makes no names of a lease's own.
Result<std::string> name_from_template(const std::string& text, const NameParts& parts,
                                       WallTime now, Random& random);

}  // namespace leasehold::target
