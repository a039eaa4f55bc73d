#pragma once
// Hex, base64 (RFC 4648), base62, and the lower case of ASCII. Decoders are strict: no white
// space, no stray bits. Free functions, from any thread.

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "vault/base/bytes.h"

namespace leasehold {

// Of ASCII letters; every other byte stays.
constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
std::string lower_case(std::string_view text);

std::string hex(ByteView bytes);  // lower case
std::optional<Bytes> from_hex(std::string_view text);
// Null, too, when the text stands for any other number of bytes.
template <class Array>
std::optional<Array> array_from_hex(std::string_view text) {
  const auto bytes = from_hex(text);
  Array array{};
  if (!bytes || bytes->size() != array.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), array.begin());
  return array;
}

std::string base64(ByteView bytes);                       // standard alphabet, padded
std::optional<Bytes> from_base64(std::string_view text);  // standard, padding required
std::string base64url(ByteView bytes);  // RFC 4648, section 5: "-" and "_", no padding
std::optional<Bytes> from_base64url(std::string_view text);
// Fixed width: the number, big-endian, in digits 0-9A-Za-z, so that text order is byte order.
std::string base62(ByteView bytes, std::size_t width);
std::optional<Bytes> from_base62(std::string_view text, std::size_t size);
// For secrets that leave as text: same result, in wiped memory.
SecretBytes hex_secret(ByteView bytes);
SecretBytes base64_secret(ByteView bytes);

}  // namespace leasehold
