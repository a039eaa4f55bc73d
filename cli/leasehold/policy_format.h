#pragma once
// A policy laid out by its braces: two spaces a level, one blank line at most between lines, `=` of
// neighbouring lines in one column. Comments stay where they are, heredocs untouched.

#include <string>
#include <string_view>

namespace leasehold::cli {

std::string format_policy(std::string_view text);

}  // namespace leasehold::cli
