#pragma once
// The version of Vault whose API this is. Bare, because clients parse it strictly and gate features
// on it; what is ours stands in `leasehold_version`.

namespace leasehold::core {

inline constexpr char kApiVersion[] = "1.17.0";

}  // namespace leasehold::core
