#pragma once
// Text that others wrote, for a terminal or a log: control characters (C0, DEL, C1) become escapes
// like "\x1b", so that it moves no cursor and begins no line of its own. Thread safety: a function.

#include <string>
#include <string_view>

namespace leasehold {

// `kept`: control characters that stay as they are.
std::string printable(std::string_view text, std::string_view kept = {});

}  // namespace leasehold
