#pragma once
// A text without what stands around it: blanks, as RFC 9110 (section 5.6.3) means them, or all of
// `around`. A view of `text`. Thread-safe.

#include <algorithm>
#include <string_view>

namespace leasehold {

inline constexpr std::string_view kBlanks = " \t";
inline constexpr std::string_view kBlanksAndLines = " \t\r\n";

constexpr std::string_view trimmed(std::string_view text, std::string_view around = kBlanks) {
  const std::size_t begin = std::min(text.find_first_not_of(around), text.size());
  return text.substr(begin, text.find_last_not_of(around) + 1 - begin);
}

}  // namespace leasehold
