#pragma once
// What the process says of how it was started, for sys/config/state/sanitized: no secret is in it.
// Said once, before there is a second thread; read from any.

#include "vault/base/json.h"

namespace leasehold {

void set_sanitized_configuration(Json configuration);
const Json& sanitized_configuration();  // an object; empty where nothing was said

}  // namespace leasehold
