#pragma once
// The help of a path (`?help=1`, HELP, `leasehold path-help`), made of its route: request, matching
// route, parameters, description, and as an OpenAPI document. Functions; no state.

#include "vault/core/contract/engine.h"

namespace leasehold::core {

// Of a route; of the whole engine, as the list of its paths, when there is none. `path` is what
// was asked for, behind the mount.
Response help_of(const MountInfo& mount, const Engine& engine, const Route* route,
                 std::string_view path);

}  // namespace leasehold::core
