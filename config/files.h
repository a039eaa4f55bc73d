#pragma once
// The files that a configuration is made of: which ones are read, and the checks of their owner and
// mode. Errors name the file and what to do. Thread safety: functions without state.

#include <string>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::config {

inline constexpr std::size_t kFileBytesMax = 1u << 20;

// Files stay as they are; a directory becomes its *.hcl and *.json files in alphabetical order.
Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& paths);
// The file's text. Refused: a file any user may write (whoever writes it chooses the seal), a file
// above 1 MiB, anything that is no regular file.
Result<std::string> read_protected_file(const std::string& path);

}  // namespace leasehold::config
