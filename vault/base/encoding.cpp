#include "vault/base/encoding.h"

#include <algorithm>

namespace leasehold {
namespace {

// Digits are computed, not looked up: no memory access depends on a secret.
constexpr char hex_digit(unsigned value) {
  return static_cast<char>('0' + value + (((9u - value) >> 8) & ('a' - '0' - 10)));
}

// 1 when low <= c <= high, without a branch.
constexpr unsigned within(unsigned c, unsigned low, unsigned high) {
  return 1u & ~((c - low) >> 31) & ~((high - c) >> 31);
}

constexpr int hex_value(char digit) {
  const unsigned c = static_cast<unsigned char>(digit);
  const unsigned found = within(c, '0', '9') * (c - '0' + 1) +
                         within(c, 'a', 'f') * (c - 'a' + 11) +
                         within(c, 'A', 'F') * (c - 'A' + 11);
  return static_cast<int>(found) - 1;
}

struct Alphabet {
  char c62, c63;
  bool padded;
};
constexpr Alphabet kStandard{'+', '/', true};
constexpr Alphabet kUrl{'-', '_', false};

constexpr char base64_digit(unsigned value, const Alphabet& alphabet) {
  const unsigned digit = within(value, 0, 25) * ('A' + value) +
                         within(value, 26, 51) * ('a' + value - 26) +
                         within(value, 52, 61) * ('0' + value - 52) +
                         within(value, 62, 62) * static_cast<unsigned char>(alphabet.c62) +
                         within(value, 63, 63) * static_cast<unsigned char>(alphabet.c63);
  return static_cast<char>(digit);
}

constexpr int base64_value(char digit, const Alphabet& alphabet) {
  const unsigned c = static_cast<unsigned char>(digit);
  const unsigned c62 = static_cast<unsigned char>(alphabet.c62);
  const unsigned c63 = static_cast<unsigned char>(alphabet.c63);
  const unsigned found =
      within(c, 'A', 'Z') * (c - 'A' + 1) + within(c, 'a', 'z') * (c - 'a' + 27) +
      within(c, '0', '9') * (c - '0' + 53) + within(c, c62, c62) * 63 + within(c, c63, c63) * 64;
  return static_cast<int>(found) - 1;
}

std::size_t base64_size(std::size_t size, const Alphabet& alphabet) {
  return alphabet.padded ? (size + 2) / 3 * 4 : (size * 4 + 2) / 3;
}

void hex_into(ByteView bytes, char* out) {
  for (const std::uint8_t byte : bytes) {
    *out++ = hex_digit(byte >> 4);
    *out++ = hex_digit(byte & 15);
  }
}

void base64_into(ByteView bytes, const Alphabet& alphabet, char* out) {
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - at);
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < here ? bytes[at + i] : 0u);
    for (std::size_t i = 0; i < 4; ++i) {
      if (i <= here)
        *out++ = base64_digit(group >> (18 - 6 * i) & 63, alphabet);
      else if (alphabet.padded)
        *out++ = '=';
    }
  }
}

std::string base64_text(ByteView bytes, const Alphabet& alphabet) {
  std::string text(base64_size(bytes.size(), alphabet), '\0');
  base64_into(bytes, alphabet, text.data());
  return text;
}

// The text without its padding; nothing when the padding is not exactly as it must be.
std::optional<std::string_view> unpadded(std::string_view text, const Alphabet& alphabet) {
  if (!alphabet.padded) return text;
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return text;
}

std::optional<Bytes> base64_bytes(std::string_view text, const Alphabet& alphabet) {
  const auto digits = unpadded(text, alphabet);
  if (!digits || digits->size() % 4 == 1) return std::nullopt;
  Bytes bytes;
  bytes.reserve(digits->size() * 3 / 4);
  unsigned group = 0;
  unsigned bits = 0;
  for (const char digit : *digits) {
    const int value = base64_value(digit, alphabet);
    if (value < 0) return std::nullopt;
    group = (group << 6 | static_cast<unsigned>(value)) & 0xfff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<std::uint8_t>(group >> bits));
  }
  // Two texts must not mean the same bytes: the bits left over have to be zero.
  if ((group & ((1u << bits) - 1)) != 0) return std::nullopt;
  return bytes;
}

constexpr char kBase62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

int base62_value(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'A' && digit <= 'Z') return digit - 'A' + 10;
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 36;
  return -1;
}

}  // namespace

std::string hex(ByteView bytes) {
  std::string text(bytes.size() * 2, '\0');
  hex_into(bytes, text.data());
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<std::uint8_t>(high << 4 | low));
  }
  return bytes;
}

std::string base64(ByteView bytes) { return base64_text(bytes, kStandard); }
std::optional<Bytes> from_base64(std::string_view text) { return base64_bytes(text, kStandard); }
std::string base64_url(ByteView bytes) { return base64_text(bytes, kUrl); }
std::optional<Bytes> from_base64_url(std::string_view text) { return base64_bytes(text, kUrl); }

std::string base62(ByteView bytes, std::size_t width) {
  Bytes number = to_bytes(bytes);
  std::string text(width, '0');
  for (std::size_t at = width; at-- > 0;) {
    unsigned rest = 0;
    for (std::uint8_t& byte : number) {
      const unsigned part = rest << 8 | byte;
      byte = static_cast<std::uint8_t>(part / 62);
      rest = part % 62;
    }
    text[at] = kBase62[rest];
  }
  VAULT_ASSERT(std::all_of(number.begin(), number.end(), [](auto byte) { return byte == 0; }));
  return text;
}

std::optional<Bytes> from_base62(std::string_view text, std::size_t size) {
  Bytes number(size);
  for (const char digit : text) {
    const int value = base62_value(digit);
    if (value < 0) return std::nullopt;
    unsigned carry = static_cast<unsigned>(value);
    for (std::size_t at = size; at-- > 0;) {
      const unsigned part = number[at] * 62u + carry;
      number[at] = static_cast<std::uint8_t>(part);
      carry = part >> 8;
    }
    if (carry != 0) return std::nullopt;
  }
  return number;
}

SecretBytes hex_secret(ByteView bytes) {
  SecretBytes text(bytes.size() * 2);
  hex_into(bytes, reinterpret_cast<char*>(text.writable().data()));
  return text;
}

SecretBytes base64_secret(ByteView bytes) {
  SecretBytes text(base64_size(bytes.size(), kStandard));
  base64_into(bytes, kStandard, reinterpret_cast<char*>(text.writable().data()));
  return text;
}

}  // namespace leasehold
