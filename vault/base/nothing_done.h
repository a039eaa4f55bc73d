#pragma once
// How a warning begins that says: what a request was about is not there, so nothing came of it. The
// API answers as if something had, as Vault does; the command line knows by this that there is no
// success to tell.

#include <string>
#include <string_view>

namespace leasehold {

inline constexpr std::string_view kNothingDone = "nothing was done: ";
// Vault's own words, of auth/token/revoke-accessor.
inline constexpr std::string_view kNoSuchAccessor = "No token found with this accessor";

inline std::string nothing_done(std::string_view why) {
  return std::string(kNothingDone).append(why);
}

}  // namespace leasehold
