#pragma once
// Vectors are written in hexadecimal, as their sources print them.

#include "vault/base/encoding.h"

namespace leasehold::testing {

inline Bytes from_vector(std::string_view text) {
  auto bytes = from_hex(text);
  VAULT_ASSERT(bytes.has_value());
  return *std::move(bytes);
}
inline Bytes repeated(std::uint8_t byte, std::size_t count) { return Bytes(count, byte); }
inline Bytes counting(std::uint8_t first, std::size_t count) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

}  // namespace leasehold::testing
