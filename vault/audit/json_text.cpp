#include "vault/audit/json_text.h"

#include <algorithm>
#include <array>

#include "vault/base/json.h"

namespace leasehold::audit {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Two hex digits per byte, so that a digest costs 32 copies.
constexpr auto kHexPairs = [] {
  std::array<std::array<char, 2>, 256> pairs{};
  for (unsigned i = 0; i < 256; ++i) pairs[i] = {kHex[i >> 4], kHex[i & 15]};
  return pairs;
}();

}  // namespace

void append_hex(std::string& out, ByteView bytes) {
  const std::size_t at = out.size();
  out.resize(at + 2 * bytes.size());
  char* to = out.data() + at;
  for (const std::uint8_t byte : bytes) to = std::copy_n(kHexPairs[byte].data(), 2, to);
}

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void append_time(std::string& out, WallTime time) {
  constexpr std::int64_t kNanos = 1'000'000'000;
  struct Second {
    std::int64_t number = -1;
    std::array<char, 19> text{};  // 2027-01-15T08:00:00
  };
  static thread_local std::array<Second, 4> seconds;
  if (time.ns < 0) return write_json_string(out, rfc3339(time));
  Second& second = seconds[static_cast<std::size_t>(time.seconds()) % seconds.size()];
  if (second.number != time.seconds()) {
    const std::string text = rfc3339(WallTime{time.seconds() * kNanos});
    std::copy_n(text.data(), second.text.size(), second.text.data());
    second.number = time.seconds();
  }
  std::array<char, 32> whole;
  char* end = whole.data();
  *end++ = '"';
  end = std::copy(second.text.begin(), second.text.end(), end);
  if (std::int64_t rest = time.ns % kNanos; rest != 0) {
    *end = '.';
    for (int i = 9; i > 0; --i, rest /= 10) end[i] = static_cast<char>('0' + rest % 10);
    end += 10;
    while (end[-1] == '0') --end;
  }
  *end++ = 'Z';
  *end++ = '"';
  out.append(whole.data(), end);
}

// Put together first: one append costs less than four.
std::string& Members::member(std::string_view name) {
  std::array<char, 48> text;
  VAULT_ASSERT(name.size() + 4 <= text.size());
  char* end = text.data();
  if (!first_) *end++ = ',';
  first_ = false;
  *end++ = '"';
  end = std::copy(name.begin(), name.end(), end);
  *end++ = '"';
  *end++ = ':';
  return out_.append(text.data(), end);
}

void Members::texts(std::string_view name, std::span<const std::string> values) {
  if (values.empty()) return;
  member(name) += '[';
  for (const std::string& value : values) {
    if (&value != values.data()) out_ += ',';
    write_json_string(out_, value);
  }
  out_ += ']';
}

}  // namespace leasehold::audit
