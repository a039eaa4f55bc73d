#include "vault/base/json.h"

#include <algorithm>
#include <cstring>

namespace leasehold {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// The length of the UTF-8 character at the front of `text` (RFC 3629), 0 when it is none.
std::size_t utf8_length(std::string_view text) {
  const auto at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  const bool too_long = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool surrogate = first == 0xed && at(1) > 0x9f;
  const bool too_high = first == 0xf4 && at(1) > 0x8f;
  return too_long || surrogate || too_high ? 0 : size;
}

char short_escape(char c) {
  switch (c) {
    case '"':
    case '\\':
      return c;
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    default:
      return 0;
  }
}

void write_ascii(std::string& out, char c) {
  if (const char letter = short_escape(c); letter != 0) {
    out += '\\';
    out += letter;
  } else if (static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>' || c == '&') {
    out += "\\u00";
    out += {kHex[c >> 4], kHex[c & 15]};
  } else {
    out += c;
  }
}

constexpr std::uint64_t each(unsigned char byte) { return 0x0101010101010101u * byte; }

// Zero when no byte of the word is zero; which byte it was is not exact.
constexpr std::uint64_t zeros(std::uint64_t word) { return (word - each(1)) & ~word & each(0x80); }

// True when all eight bytes stand in a JSON string as they are (ASCII, nothing to escape).
constexpr bool plain(std::uint64_t word) {
  const std::uint64_t control = (word - each(0x20)) & ~word & each(0x80);
  return ((word & each(0x80)) | control | zeros(word ^ each('"')) | zeros(word ^ each('\\')) |
          zeros(word ^ each('<')) | zeros(word ^ each('>')) | zeros(word ^ each('&'))) == 0;
}

bool is_plain(std::string_view text) {
  std::uint64_t word = 0;
  for (; text.size() >= sizeof word; text.remove_prefix(sizeof word)) {
    std::memcpy(&word, text.data(), sizeof word);
    if (!plain(word)) return false;
  }
  if (text.empty()) return true;
  word = each(' ');
  std::memcpy(&word, text.data(), text.size());
  return plain(word);
}

// One value, on one line or over several.
class Writer {
 public:
  Writer(std::string& out, unsigned indent) : out_(out), indent_(indent) {}

  void value(const Json& json) {
    switch (json.kind()) {
      case Json::Kind::null:
        out_ += "null";
        break;
      case Json::Kind::boolean:
        out_ += json.boolean() ? "true" : "false";
        break;
      case Json::Kind::number:
        out_ += json.text();
        break;
      case Json::Kind::string:
        write_json_string(out_, json.text());
        break;
      case Json::Kind::array:
        array(json);
        break;
      case Json::Kind::object:
        object(json);
        break;
    }
  }

 private:
  void array(const Json& json) {
    open('[');
    bool first = true;
    for (const Json& item : json.items()) {
      separate(first);
      value(item);
    }
    close(']', first);
  }
  void object(const Json& json) {
    open('{');
    bool first = true;
    for (const Json::Member& member : json.members()) {
      separate(first);
      write_json_string(out_, member.first);
      out_ += indent_ == 0 ? ":" : ": ";
      value(member.second);
    }
    close('}', first);
  }

  void open(char bracket) {
    out_ += bracket;
    ++depth_;
  }
  void separate(bool& first) {
    if (!first) out_ += ',';
    first = false;
    new_line();
  }
  void close(char bracket, bool empty) {
    --depth_;
    if (!empty) new_line();
    out_ += bracket;
  }
  void new_line() {
    if (indent_ == 0) return;
    out_ += '\n';
    out_.append(std::size_t{indent_} * depth_, ' ');
  }

  std::string& out_;
  unsigned indent_;
  unsigned depth_ = 0;
};

constexpr std::size_t kEscapeMax = 6;  // bytes that a character becomes

// What write_json_string() makes of it, in bytes; a few characters that may be escaped count as
// if they were.
std::size_t room_of(std::string_view text) {
  if (is_plain(text)) return text.size() + 2;
  std::size_t room = 2;
  while (!text.empty()) {
    const std::size_t size = std::max<std::size_t>(utf8_length(text), 1);
    const auto c = static_cast<unsigned char>(text[0]);
    const bool plain = size == 1 ? is_plain(text.substr(0, 1)) : true;
    room += !plain || c == 0xE2 ? kEscapeMax : size;
    text.remove_prefix(size);
  }
  return room;
}

// At least what `json` takes on one line.
std::size_t room_for(const Json& json) {
  switch (json.kind()) {
    case Json::Kind::null:
    case Json::Kind::boolean:
      return 5;
    case Json::Kind::number:
      return json.text().size();
    case Json::Kind::string:
      return room_of(json.text());
    case Json::Kind::array:
    case Json::Kind::object:
      break;
  }
  std::size_t room = 2;
  if (json.kind() == Json::Kind::array)
    for (const Json& item : json.items()) room += room_for(item) + 1;
  else
    for (const Json::Member& member : json.members())
      room += room_of(member.first) + room_for(member.second) + 2;
  return room;
}

}  // namespace

void write_json_string(std::string& out, std::string_view text) {
  if (is_plain(text)) {
    out += '"';
    out += text;
    out += '"';
    return;
  }
  out += '"';
  while (!text.empty()) {
    const std::size_t size = utf8_length(text);
    const std::string_view character = text.substr(0, size == 0 ? 1 : size);
    if (size == 0)
      out += "\\ufffd";
    else if (size == 1)
      write_ascii(out, text[0]);
    else if (character == "\xE2\x80\xA8" || character == "\xE2\x80\xA9")
      out += character.back() == '\xA8' ? "\\u2028" : "\\u2029";
    else
      out += character;
    text.remove_prefix(character.size());
  }
  out += '"';
}

void Json::write(std::string& out) const { Writer(out, 0).value(*this); }

// In one buffer: one that grew would leave what it held behind, and it may hold a secret.
std::string Json::dump() const {
  std::string out;
  out.reserve(room_for(*this));
  write(out);
  return out;
}

std::string Json::pretty(unsigned indent) const {
  std::string out;
  Writer(out, indent).value(*this);
  return out;
}

}  // namespace leasehold
