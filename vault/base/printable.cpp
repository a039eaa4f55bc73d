#include "vault/base/printable.h"

#include <algorithm>
#include <array>

namespace leasehold {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

struct Range {
  char32_t first, last;
};
// C1, which terminals take as they take ESC and a letter, and what turns the direction of text
// around, so that it reads in another order than it is meant.
constexpr std::array<Range, 5> kHidden{
    {{0x80, 0x9f}, {0x61c, 0x61c}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}}};

// One character of UTF-8, or one byte that is none.
struct Character {
  std::size_t size = 1;
  char32_t point = 0;
  bool is_control() const { return point < ' ' || point == 0x7f; }
  bool is_hidden() const {
    return std::any_of(kHidden.begin(), kHidden.end(), [this](const Range& range) {
      return point >= range.first && point <= range.last;
    });
  }
};

Character first_of(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = at(0);
  Character one{lead >= 0xf0 ? 4u : lead >= 0xe0 ? 3u : lead >= 0xc2 ? 2u : 1u, lead};
  if (one.size == 1 || lead > 0xf4 || text.size() < one.size) return {1, lead};
  one.point = lead & (0x7fu >> one.size);
  for (std::size_t i = 1; i < one.size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return {1, lead};
    one.point = (one.point << 6) | (at(i) & 0x3fu);
  }
  return one;
}

void escape(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += "\\x";
    out += {kDigits[byte >> 4], kDigits[byte & 0xf]};
  }
}

}  // namespace

std::string printable(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  for (Character one; !text.empty(); text.remove_prefix(one.size)) {
    one = first_of(text);
    const bool stays = one.is_control() ? kept.find(text[0]) != kept.npos : !one.is_hidden();
    if (stays)
      out += text.substr(0, one.size);
    else
      escape(out, text.substr(0, one.size));
  }
  return out;
}

std::string printable_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  for (Character one; !json.empty(); json.remove_prefix(one.size)) {
    one = first_of(json);
    if (one.point != 0x7f && !one.is_hidden()) {
      out += json.substr(0, one.size);
      continue;
    }
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[(one.point >> shift) & 0xf];
  }
  return out;
}

}  // namespace leasehold
