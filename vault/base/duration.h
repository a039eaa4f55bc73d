#pragma once
// Durations as Vault takes them: integer seconds, numeric strings, or Go duration strings with an
// extra `d` ("30s", "1h30m", "72h", "7d"). Saturates instead of overflowing.

#include <string>
#include <string_view>

#include "vault/base/clock.h"
#include "vault/base/result.h"

namespace leasehold {

// Error text as Go's: `time: invalid duration "soon"`. Sub-second parts are truncated. A negative
// duration parses; the caller refuses it in its own words.
Result<Seconds> parse_duration(std::string_view text);
// As Go prints, without zero parts: "768h", "5m", "1h30m", "277h46m39s", "0s".
std::string print_duration(Seconds duration);

}  // namespace leasehold
