#pragma once
// A user's name, or the number where nobody gave it one. Not beside other threads (getpwuid).

#include <pwd.h>

#include <string>

namespace leasehold::server_process {

inline std::string user_name(uid_t user) {
  const passwd* const entry = ::getpwuid(user);
  return entry != nullptr ? entry->pw_name : std::to_string(user);
}

}  // namespace leasehold::server_process
