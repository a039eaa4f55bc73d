#pragma once
// Templates in the paths of a policy: `kv/{{identity.entity.id}}/*`. They are taken apart once,
// when the policy is compiled, and filled in for each identity. A rule whose template has no value
// there does not apply. Thread safety: functions.

#include "vault/base/function_ref.h"
#include "vault/policy/policy.h"

namespace leasehold::policy {

// The parts of a pattern. Code::invalid for braces that do not pair, or that name nothing of an
// identity; what begins like one and is none this version knows is What::unknown.
Result<std::vector<TemplatePart>> parts_of(std::string_view pattern, int line);

// The value of a part; nothing: it is not defined.
using TemplateValues = FunctionRef<std::optional<std::string_view>(const TemplatePart&)>;

// The templated rules of `policy` with their values, under its name. A value that is empty, or that
// holds what would make the pattern match more than it names (a wildcard, a slash, unless the
// policy lets them), fills in nothing. Where such a rule denies nobody knows what it was to keep
// out: the result is unreadable then, so that its holder is denied everything.
Policy filled(const Policy& policy, TemplateValues values);

}  // namespace leasehold::policy
