#pragma once
// Text that others wrote, for a terminal or a log: control characters (C0, DEL, C1) and those that
// turn the direction of text around become escapes like "\x1b", so that it moves no cursor, begins
// no line of its own and reads as what it is. Thread safety: functions.

#include <string>
#include <string_view>

namespace leasehold {

// `kept`: control characters that stay as they are.
std::string printable(std::string_view text, std::string_view kept = {});

// JSON text, in which control characters of C0 are escaped already, with the others escaped in its
// own way ("\u009b"): it means the same.
std::string printable_json(std::string_view json);

}  // namespace leasehold
