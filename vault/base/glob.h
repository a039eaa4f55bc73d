#pragma once
// Names with `*` in them, each of which stands for any text, also none: "team-*", "*-ro", "a*b*c".
// Every other byte is itself. Thread-safe functions.

#include <string_view>

namespace leasehold {

bool matches_glob(std::string_view glob, std::string_view text);

}  // namespace leasehold
