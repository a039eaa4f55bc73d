#pragma once
// Words of a command line whose dash is not `-`: editors and web pages make a typographic one of
// it. Thread-safe function.

#include <string>
#include <string_view>

namespace leasehold {

// "–policy=app" gives "-policy=app": what a word means that begins with one of U+2010 to U+2015 or
// U+2212. Empty for any other word.
std::string with_plain_dash(std::string_view word);

}  // namespace leasehold
