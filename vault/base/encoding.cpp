#include "vault/base/encoding.h"

#include <algorithm>
#include <array>

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

// The last two digits of the alphabet.
struct Last {
  unsigned char first, second;
};
constexpr Last kStandard{'+', '/'}, kUrl{'-', '_'};

constexpr char base64_digit(unsigned value, Last last) {
  const unsigned digit = within(value, 0, 25) * ('A' + value) +
                         within(value, 26, 51) * ('a' + value - 26) +
                         within(value, 52, 61) * ('0' + value - 52) +
                         within(value, 62, 62) * last.first + within(value, 63, 63) * last.second;
  return static_cast<char>(digit);
}

constexpr int base64_value(char digit, Last last) {
  const unsigned c = static_cast<unsigned char>(digit);
  const unsigned found =
      within(c, 'A', 'Z') * (c - 'A' + 1) + within(c, 'a', 'z') * (c - 'a' + 27) +
      within(c, '0', '9') * (c - '0' + 53) + within(c, last.first, last.first) * 63 +
      within(c, last.second, last.second) * 64;
  return static_cast<int>(found) - 1;
}

std::size_t base64_size(std::size_t size) { return (size + 2) / 3 * 4; }

void hex_into(ByteView bytes, char* out) {
  for (const std::uint8_t byte : bytes) {
    *out++ = hex_digit(byte >> 4);
    *out++ = hex_digit(byte & 15);
  }
}

void base64_into(ByteView bytes, char* out, Last last = kStandard) {
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t here = std::min<std::size_t>(3, bytes.size() - at);
    unsigned group = 0;
    for (std::size_t i = 0; i < 3; ++i) group = group << 8 | (i < here ? bytes[at + i] : 0u);
    for (std::size_t i = 0; i < 4; ++i)
      *out++ = i <= here ? base64_digit(group >> (18 - 6 * i) & 63, last) : '=';
  }
}

std::optional<Bytes> from_base64_digits(std::string_view digits, Last last) {
  if (digits.size() % 4 == 1) return std::nullopt;
  Bytes bytes;
  bytes.reserve(digits.size() * 3 / 4);
  unsigned group = 0;
  unsigned bits = 0;
  for (const char digit : digits) {
    const int value = base64_value(digit, last);
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

// The text without its padding; nothing when the padding is not exactly as it must be.
std::optional<std::string_view> unpadded(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  return text;
}

// Five digits at a time: 62^5 is the largest power below 2^32.
constexpr std::size_t kDigitsPerStep = 5;
constexpr std::uint32_t kStep = 62u * 62 * 62 * 62 * 62;
constexpr std::size_t kNumberBytesMax = 64;

constexpr char base62_digit(unsigned value) {
  return static_cast<char>('0' + value + ((9u - value) >> 31) * ('A' - '9' - 1) +
                           ((35u - value) >> 31) * ('a' - 'Z' - 1));
}

constexpr int base62_value(char digit) {
  const unsigned c = static_cast<unsigned char>(digit);
  const unsigned found = within(c, '0', '9') * (c - '0' + 1) +
                         within(c, 'A', 'Z') * (c - 'A' + 11) +
                         within(c, 'a', 'z') * (c - 'a' + 37);
  return static_cast<int>(found) - 1;
}

// An unsigned number of as many bytes as it was made with, most significant limb first.
class Number {
 public:
  explicit Number(std::size_t bytes) : size_(bytes), limbs_((bytes + 3) / 4) {
    VAULT_ASSERT(bytes <= kNumberBytesMax);
  }
  ~Number() { wipe(limb_.data(), sizeof limb_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;

  void load(ByteView bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      const std::size_t place = bytes.size() - 1 - i;
      limb_[limbs_ - 1 - place / 4] |= std::uint32_t{bytes[i]} << (8 * (place % 4));
    }
  }
  Bytes store() const {
    Bytes bytes(size_);
    for (std::size_t i = 0; i < size_; ++i) {
      const std::size_t place = size_ - 1 - i;
      bytes[i] = static_cast<std::uint8_t>(limb_[limbs_ - 1 - place / 4] >> (8 * (place % 4)));
    }
    return bytes;
  }
  std::uint32_t divide_by_step() {  // and gives the rest
    std::uint64_t rest = 0;
    for (std::size_t i = 0; i < limbs_; ++i) {
      const std::uint64_t part = rest << 32 | limb_[i];
      limb_[i] = static_cast<std::uint32_t>(part / kStep);
      rest = part % kStep;
    }
    return static_cast<std::uint32_t>(rest);
  }
  bool multiply_add(std::uint32_t factor, std::uint32_t summand) {  // false: does not fit
    std::uint64_t carry = summand;
    for (std::size_t i = limbs_; i-- > 0;) {
      const std::uint64_t part = std::uint64_t{limb_[i]} * factor + carry;
      limb_[i] = static_cast<std::uint32_t>(part);
      carry = part >> 32;
    }
    const unsigned spare_bits = static_cast<unsigned>(8 * (4 * limbs_ - size_));
    const std::uint64_t most = std::uint64_t{0xffffffff} >> spare_bits;
    return carry == 0 && (limbs_ == 0 || limb_[0] <= most);
  }
  bool is_zero() const {
    return std::all_of(limb_.begin(), limb_.end(), [](std::uint32_t limb) { return limb == 0; });
  }

 private:
  const std::size_t size_, limbs_;
  std::array<std::uint32_t, kNumberBytesMax / 4> limb_{};
};

}  // namespace

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_case(c);
  return lower;
}

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

std::string base64(ByteView bytes) {
  std::string text(base64_size(bytes.size()), '\0');
  base64_into(bytes, text.data());
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
  const auto digits = unpadded(text);
  return digits ? from_base64_digits(*digits, kStandard) : std::nullopt;
}

std::string base64url(ByteView bytes) {
  std::string text(base64_size(bytes.size()), '\0');
  base64_into(bytes, text.data(), kUrl);
  text.resize((bytes.size() * 4 + 2) / 3);
  return text;
}

std::optional<Bytes> from_base64url(std::string_view text) {
  return from_base64_digits(text, kUrl);
}

std::string base62(ByteView bytes, std::size_t width) {
  Number number(bytes.size());
  number.load(bytes);
  std::string text(width, '0');
  std::uint32_t rest = 0;
  for (std::size_t at = width, left = 0; at-- > 0; --left, rest /= 62) {
    if (left == 0) {
      rest = number.divide_by_step();
      left = kDigitsPerStep;
    }
    text[at] = base62_digit(rest % 62);
  }
  VAULT_ASSERT(number.is_zero() && rest == 0);
  return text;
}

std::optional<Bytes> from_base62(std::string_view text, std::size_t size) {
  Number number(size);
  while (!text.empty()) {
    // The first step takes the odd digits, so that all others are whole.
    const std::size_t odd = text.size() % kDigitsPerStep;
    const std::size_t here = odd != 0 ? odd : kDigitsPerStep;
    std::uint32_t factor = 1, part = 0;
    for (const char digit : text.substr(0, here)) {
      const int value = base62_value(digit);
      if (value < 0) return std::nullopt;
      factor *= 62;
      part = part * 62 + static_cast<std::uint32_t>(value);
    }
    if (!number.multiply_add(factor, part)) return std::nullopt;
    text.remove_prefix(here);
  }
  return number.store();
}

SecretBytes hex_secret(ByteView bytes) {
  SecretBytes text(bytes.size() * 2);
  hex_into(bytes, reinterpret_cast<char*>(text.writable().data()));
  return text;
}

SecretBytes base64_secret(ByteView bytes) {
  SecretBytes text(base64_size(bytes.size()));
  base64_into(bytes, reinterpret_cast<char*>(text.writable().data()));
  return text;
}

}  // namespace leasehold
