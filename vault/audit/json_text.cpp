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

// ASCII that stands in a JSON string as it is.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 0x80; ++c)
    plain[c] = c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
  return plain;
}();

}  // namespace

void append_hex(std::string& out, ByteView bytes) {
  const std::size_t at = out.size();
  out.resize(at + 2 * bytes.size());
  char* to = out.data() + at;
  for (const std::uint8_t byte : bytes) to = std::copy_n(kHexPairs[byte].data(), 2, to);
}

void append_json_text(std::string& out, std::string_view text) {
  for (const char c : text)
    if (!kPlain[static_cast<unsigned char>(c)]) return write_json_string(out, text);
  out += '"';
  out += text;
  out += '"';
}

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

void Members::texts(std::string_view name, std::span<const std::string> values) {
  if (values.empty()) return;
  member(name) += '[';
  for (const std::string& value : values) {
    if (&value != values.data()) out_ += ',';
    append_json_text(out_, value);
  }
  out_ += ']';
}

}  // namespace leasehold::audit
