#pragma once
// Durations that are only shown, in whole seconds. Thread safety: a function.

#include "vault/base/duration.h"

namespace leasehold {

// As parse_duration(), but rounded toward zero: there half a second becomes a whole one, because 0
// stands for "as long as the default".
Result<Seconds> parse_duration_down(std::string_view text);

}  // namespace leasehold
