#pragma once
// What a read shows of a connection_url: values that are known to be harmless. Everything else
// reads xxxxx, so that a keyword that is new in libpq cannot give a secret away.
//
//   shown_url("postgresql://vault:pa@ss@db/app?sslmode=require")
//       == "postgresql://vault:xxxxx@db/app?sslmode=require"
//
// Thread safety: a function.

#include <string>

namespace leasehold::postgresql {

// Its own input when nothing in it could be a password; "{{password}}" is none.
std::string shown_url(const std::string& url);
// Whether xxxxx stands where a password is hidden: then it was read, and says nothing of the
// password.
bool is_as_shown(const std::string& url);

}  // namespace leasehold::postgresql
