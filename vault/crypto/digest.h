#pragma once
// Plain digests by the names that clients of Vault use: "sha2-256", "sha3-512". Function, from any
// thread.

#include <optional>
#include <string_view>

#include "vault/base/bytes.h"

namespace leasehold::crypto {

// Nothing: no digest has this name. sha2- and sha3-, each with 224, 256, 384 and 512.
std::optional<Bytes> digest(std::string_view algorithm, ByteView bytes);

}  // namespace leasehold::crypto
