#include "vault/base/printable.h"

namespace leasehold {
namespace {

constexpr unsigned char kDelete = 0x7f, kC1Lead = 0xc2, kC1First = 0x80, kC1Last = 0x9f;

void escape(std::string& out, unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 0xf];
}

// U+0080 to U+009F, which terminals take as they take ESC and a letter.
bool is_c1(unsigned char lead, unsigned char byte) {
  return lead == kC1Lead && byte >= kC1First && byte <= kC1Last;
}

}  // namespace

std::string printable(std::string_view text, std::string_view kept) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool control = byte < ' ' || byte == kDelete;
    if (i + 1 < text.size() && is_c1(byte, static_cast<unsigned char>(text[i + 1]))) {
      escape(out, byte);
      escape(out, static_cast<unsigned char>(text[++i]));
    } else if (control && kept.find(text[i]) == std::string_view::npos) {
      escape(out, byte);
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace leasehold
