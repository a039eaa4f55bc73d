#pragma once
// What `leasehold login` must know of a login method before it asks the server; a method that is
// not named here takes all its K=V in the body. Constants.

#include <string_view>

namespace leasehold::cli {

// The user stands in the path, auth/PATH/login/USER, and a password is asked for.
inline constexpr std::string_view kUserInPath[] = {"ldap", "radius", "userpass"};

}  // namespace leasehold::cli
