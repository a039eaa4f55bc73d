#pragma once
// Secrets that were handed over in environment variables. Thread safety: functions without state;
// others may look at the environment meanwhile.

#include <cstdlib>
#include <cstring>
#include <string>

#include "vault/base/bytes.h"

namespace leasehold {

// Once the secret is in use. The variable stays, empty: /proc and child processes see no more of
// it.
inline void forget_in_environment(const std::string& variable) {
  if (char* const value = std::getenv(variable.c_str())) wipe(value, std::strlen(value));
}

}  // namespace leasehold
