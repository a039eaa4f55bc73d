#pragma once
// Statement templates: {{name}} and {{username}}, {{password}}, {{expiration}} are replaced as they
// stand, so a value that could leave its quotes is refused before anything is sent. Thread-safe.

#include <string>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/result.h"

namespace leasehold::postgresql {

struct Substitutions {
  std::string_view name;
  std::string_view password;
  std::string_view expiration;
};

// True for printable ASCII without quotes, backslash, `$`, `;` and backtick: stays inside '…' and
// "…".
bool stays_quoted(std::string_view text);
// An operator's own statements, to be run with the search path the server gives the manager.
std::vector<std::string> on_operators_path(const std::vector<std::string>& statements);
// The statements as one message, one after the other. Holds the password: wipe it after use.
std::string render(const std::vector<std::string>& statements, const Substitutions& values);
// "2006-01-02 15:04:05-0700" in UTC.
std::string expiration_text(WallTime time);

}  // namespace leasehold::postgresql
