#pragma once
// What this program is: "Leasehold v0.1.0 (abc1234), built 2026-01-31". hvac reads the second word.

#include <string>

namespace leasehold::cli {

std::string version_line();

}  // namespace leasehold::cli
