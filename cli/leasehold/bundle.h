#pragma once
// Files in one file, as tar(1) reads it (POSIX.1-2001, pax, "ustar Interchange Format"). And JSON
// without what may be secret. Thread-safe functions.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/clock.h"
#include "vault/base/json.h"

namespace leasehold::cli {

// Names of at most 100 bytes, and their contents.
std::string tar_of(const std::vector<std::pair<std::string, std::string>>& files, WallTime time);

// Values whose name says that they are a token, a key, a password or the like, and texts that look
// like a token, become "[removed]".
Json without_secrets(const Json& value);

}  // namespace leasehold::cli
