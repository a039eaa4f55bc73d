#pragma once
// What a read shows of a connection_url. The engine does not know the library that takes it, and
// need not: what is known to be harmless is shown, everything else reads xxxxx.
//
//   shown_url("postgresql://vault:pa@ss@db/app?sslmode=require")
//       == "postgresql://vault:xxxxx@db/app?sslmode=require"
//
// Thread safety: a function.

#include <string>

namespace leasehold::engine::database {

// Its own input when nothing in it could be a password; "{{password}}" is none.
std::string shown_url(const std::string& url);

}  // namespace leasehold::engine::database
