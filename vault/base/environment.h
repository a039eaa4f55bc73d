#pragma once
// Environment variables of a process that gets secrets in them. The C library compares and copies
// in vector registers, with what stands behind a name; threads that start next inherit these, and
// the dynamic linker saves them on stacks, where nobody wipes them. So names are looked for byte by
// byte, and whoever has copied a secret says forget_in_registers(). Thread safety: functions
// without state; others may look at the environment meanwhile.

#include <string>

#include "vault/base/bytes.h"

namespace leasehold {

// Null: it is not set.
char* find_in_environment(const std::string& variable);
// Empty: it is not set, or empty.
SecretBytes secret_in_environment(const std::string& variable);
// Once the secret is in use. The variable stays, empty: /proc and child processes see no more of
// it.
void forget_in_environment(const std::string& variable);
// After a secret was copied: something else is.
void forget_in_registers();

}  // namespace leasehold
