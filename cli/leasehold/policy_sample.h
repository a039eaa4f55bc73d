#pragma once
// The policy that a call needs, as -output-policy prints it. Thread safety: a function.
//
//   path "secret/data/app" {
//     capabilities = ["read"]
//   }

#include <string>

#include "api/client/client.h"

namespace leasehold::cli {

std::string policy_for(const client::Call& call);

}  // namespace leasehold::cli
