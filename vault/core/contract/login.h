#pragma once
// What a login of an auth method hands to the core, which mints the token: the handler says who
// logged in and what its role grants, and never sees a token. A value; not thread-shared.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/clock.h"

namespace leasehold::core {

// Of the networks that a token is bound to, in bytes: its record is written anew as a whole.
inline constexpr std::size_t kBoundCidrsMax = 16u << 10;

struct Login {
  std::string alias;  // who it is within the mount: the same name is the same entity
  std::map<std::string, std::string> alias_metadata;  // kept with that name
  std::vector<std::string> groups;                    // it is in, by their names within the mount
  std::string display_name;  // behind the mount's path; empty: the path alone
  std::vector<std::string> policies;
  bool no_default_policy = false;
  std::vector<std::pair<std::string, std::string>> metadata;
  Seconds ttl{0}, max_ttl{0};  // 0: the mount's
  Seconds explicit_max_ttl{0}, period{0};
  std::int64_t num_uses = 0;             // 0: unlimited
  std::vector<std::string> bound_cidrs;  // the token is valid from there alone; empty: anywhere
  bool strictly_bind_ip = false;         // and only from the very address that logged in
  std::string token_type = "default";    // default, service, batch, default-service, default-batch
  std::string renew_data;                // kept in the token, for Engine::renew_login
};

}  // namespace leasehold::core
