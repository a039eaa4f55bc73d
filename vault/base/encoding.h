#pragma once
// Hex, base64 (RFC 4648), base62. Decoders are strict: no white space, no stray bits.

#include <optional>
#include <string>
#include <string_view>

#include "vault/base/bytes.h"

namespace leasehold {

std::string lower_case(std::string_view text);  // of ASCII letters
std::string hex(ByteView bytes);                // lower case
std::optional<Bytes> from_hex(std::string_view text);
std::string base64(ByteView bytes);                       // standard alphabet, padded
std::optional<Bytes> from_base64(std::string_view text);  // standard, padding required
std::string base64_url(ByteView bytes);                   // URL alphabet, no padding
std::optional<Bytes> from_base64_url(std::string_view text);
// Fixed width: the number, big-endian, in digits 0-9A-Za-z, so that text order is byte order.
std::string base62(ByteView bytes, std::size_t width);
std::optional<Bytes> from_base62(std::string_view text, std::size_t size);
// For secrets that leave as text: same result, in wiped memory.
SecretBytes hex_secret(ByteView bytes);
SecretBytes base64_secret(ByteView bytes);

}  // namespace leasehold
