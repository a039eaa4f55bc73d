// One pass over JSON text: every string value leaves as its HMAC. A value without a backslash is
// hashed where it stands; one with escapes is first decoded, because Vault hashes the value and not
// its spelling. Text that is no JSON is hashed whole, so a mistake elsewhere hides data instead of
// showing it; so is text that would become too long, which nobody reads.
#include <algorithm>
#include <optional>

#include "vault/audit/json_text.h"
#include "vault/audit/record.h"

namespace leasehold::audit {
namespace {

constexpr unsigned kDepthMax = 128;
constexpr std::size_t kHmacSize = sizeof "\"hmac-sha256:\"" - 1 + 2 * sizeof(crypto::Digest);

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(SecretBytes& out, std::uint32_t point) {
  std::uint8_t bytes[4];
  std::size_t size = 1;
  if (point < 0x80) {
    bytes[0] = static_cast<std::uint8_t>(point);
  } else {
    size = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (std::size_t i = size - 1; i > 0; --i, point >>= 6)
      bytes[i] = static_cast<std::uint8_t>(0x80 | (point & 0x3f));
    const unsigned lead = size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0;
    bytes[0] = static_cast<std::uint8_t>(lead | point);
  }
  out.append({bytes, size});
}

// The four digits of \uXXXX at the front of `text`.
std::optional<std::uint32_t> utf16_unit(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t unit = 0;
  for (const char c : text.substr(0, 4)) {
    if (hex_digit(c) < 0) return std::nullopt;
    unit = unit << 4 | static_cast<std::uint32_t>(hex_digit(c));
  }
  return unit;
}

// Takes what follows "\u", a second half included; nothing when it is no character.
std::optional<std::uint32_t> take_code_point(std::string_view& text) {
  const auto high = utf16_unit(text);
  if (!high) return std::nullopt;
  text.remove_prefix(4);
  if (*high < 0xd800 || *high > 0xdfff) return high;
  if (*high > 0xdbff || !text.starts_with("\\u")) return std::nullopt;
  const auto low = utf16_unit(text.substr(2));
  if (!low || *low < 0xdc00 || *low > 0xdfff) return std::nullopt;
  text.remove_prefix(6);
  return 0x10000 + ((*high - 0xd800) << 10 | (*low - 0xdc00));
}

std::optional<char> short_escape(char letter) {
  static constexpr std::string_view kLetters = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
  const auto at = kLetters.find(letter);
  if (at == std::string_view::npos) return std::nullopt;
  return kMeanings[at];
}

// The value of what stands between two quotes.
bool unescape(std::string_view raw, SecretBytes& out) {
  out.reserve(raw.size());
  while (!raw.empty()) {
    const std::size_t plain = std::min(raw.find('\\'), raw.size());
    out.append(as_bytes(raw.substr(0, plain)));
    raw.remove_prefix(plain);
    if (raw.empty()) break;
    if (raw.size() < 2) return false;
    const char letter = raw[1];
    raw.remove_prefix(2);
    if (letter == 'u') {
      const auto point = take_code_point(raw);
      if (!point) return false;
      append_utf8(out, *point);
    } else if (const auto meaning = short_escape(letter)) {
      append_utf8(out, static_cast<std::uint8_t>(*meaning));
    } else {
      return false;
    }
  }
  return true;
}

// A reader of RFC 8259 that copies as it goes; every function is false when the text is no JSON.
class Pass {
 public:
  Pass(std::string& out, std::string_view json, const crypto::HmacKey& key,
       std::span<const std::string> clear_keys, std::size_t bytes_max,
       std::span<const std::string> sensitive_keys)
      : out_(out),
        end_(out.size() + bytes_max),
        rest_(json),
        key_(key),
        clear_keys_(clear_keys),
        sensitive_keys_(sensitive_keys) {}

  bool run() { return value(0, true) && (skip_space(), rest_.empty()); }

 private:
  bool value(unsigned depth, bool hide) {
    skip_space();
    if (rest_.empty() || depth > kDepthMax || !has_room(kHmacSize)) return false;
    switch (rest_.front()) {
      case '{':
        return object(depth, hide);
      case '[':
        return array(depth, hide);
      case '"':
        return hide ? hidden_string() : string();
      default:
        return literal() || number();
    }
  }

  bool object(unsigned depth, bool hide) {
    copy(1);
    if (take('}')) return true;
    do {
      skip_space();
      const std::size_t key_at = out_.size();
      if (!string()) return false;
      const std::string_view name = std::string_view(out_).substr(key_at);
      const bool sensitive = depth == 0 && is_among(sensitive_keys_, name);
      const bool clear = depth == 0 && is_among(clear_keys_, name);
      if (!take(':')) return false;
      if (!(sensitive ? sensitive_value() : value(depth + 1, hide && !clear))) return false;
    } while (take(','));
    return take('}');
  }

  bool array(unsigned depth, bool hide) {
    copy(1);
    if (take(']')) return true;
    do {
      if (!value(depth + 1, hide)) return false;
    } while (take(','));
    return take(']');
  }

  // What stands between the quotes; control characters are no JSON and would end our line.
  std::optional<std::string_view> take_string(bool& escaped) {
    if (rest_.empty() || rest_.front() != '"') return std::nullopt;
    escaped = false;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      const char c = rest_[i];
      if (c == '"') {
        const std::string_view inside = rest_.substr(1, i - 1);
        rest_.remove_prefix(i + 1);
        return inside;
      }
      if (static_cast<unsigned char>(c) < 0x20) return std::nullopt;
      if (c == '\\') {
        escaped = true;
        ++i;
      }
    }
    return std::nullopt;
  }

  bool string() {
    bool escaped = false;
    const auto inside = take_string(escaped);
    if (!inside || !has_room(inside->size() + 2)) return false;
    if (escaped) {
      SecretBytes checked;
      if (!unescape(*inside, checked)) return false;
    }
    out_ += '"';
    out_ += *inside;
    out_ += '"';
    return true;
  }

  bool hidden_string() {
    bool escaped = false;
    const auto inside = take_string(escaped);
    if (!inside) return false;
    if (!escaped) {
      append_hmac(out_, as_bytes(*inside), key_);
      return true;
    }
    SecretBytes value;
    if (!unescape(*inside, value)) return false;
    append_hmac(out_, value.reveal(), key_);
    return true;
  }

  bool literal() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!rest_.starts_with(word)) continue;
      copy(word.size());
      return true;
    }
    return false;
  }

  // RFC 8259, section 6; not only its letters, so that nothing else passes as a number.
  bool number() {
    std::size_t at = rest_.front() == '-' ? 1 : 0;
    const std::size_t whole = digits(at);
    if (whole == 0 || (whole > 1 && rest_[at] == '0')) return false;
    at += whole;
    if (at < rest_.size() && rest_[at] == '.') {
      const std::size_t fraction = digits(at + 1);
      if (fraction == 0) return false;
      at += 1 + fraction;
    }
    if (at < rest_.size() && (rest_[at] == 'e' || rest_[at] == 'E')) {
      ++at;
      if (at < rest_.size() && (rest_[at] == '+' || rest_[at] == '-')) ++at;
      const std::size_t exponent = digits(at);
      if (exponent == 0) return false;
      at += exponent;
    }
    if (!has_room(at)) return false;
    copy(at);
    return true;
  }

  std::size_t digits(std::size_t at) const {
    std::size_t count = 0;
    while (at + count < rest_.size() && is_digit(rest_[at + count])) ++count;
    return count;
  }

  // Whatever it is: a string as its HMAC, anything else as that of its text.
  bool sensitive_value() {
    skip_space();
    if (rest_.starts_with('"')) return has_room(kHmacSize) && hidden_string();
    const std::string_view from = rest_;
    const std::size_t at = out_.size();
    const bool read = value(1, false);
    wipe(out_.data() + at, out_.size() - at);
    out_.resize(at);
    if (read && has_room(kHmacSize))
      append_hmac(out_, as_bytes(from.substr(0, from.size() - rest_.size())), key_);
    return read && has_room(0);
  }

  static bool is_among(std::span<const std::string> keys, std::string_view quoted) {
    const auto same = [inside = quoted.substr(1, quoted.size() - 2)](const std::string& key) {
      return inside == key;
    };
    return std::any_of(keys.begin(), keys.end(), same);
  }

  void skip_space() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(" \t\r\n"), rest_.size()));
  }
  bool has_room(std::size_t size) const { return out_.size() + size <= end_; }
  bool take(char wanted) {
    skip_space();
    if (rest_.empty() || rest_.front() != wanted) return false;
    copy(1);
    return true;
  }
  void copy(std::size_t size) {
    out_ += rest_.substr(0, size);
    rest_.remove_prefix(size);
  }

  std::string& out_;
  const std::size_t end_;  // out_ grows up to here
  std::string_view rest_;
  const crypto::HmacKey& key_;
  std::span<const std::string> clear_keys_, sensitive_keys_;
};

}  // namespace

void append_hmac(std::string& out, ByteView value, const crypto::HmacKey& key) {
  out += "\"hmac-sha256:";
  append_hex(out, key.mac(value));
  out += '"';
}

std::string hmac_text(std::string_view value, const crypto::HmacKey& key) {
  std::string out = "hmac-sha256:";
  append_hex(out, key.mac(as_bytes(value)));
  return out;
}

void hmac_json(std::string& out, std::string_view json, const crypto::HmacKey& key,
               std::span<const std::string> clear_keys, std::size_t bytes_max,
               std::span<const std::string> sensitive_keys) {
  const std::size_t before = out.size();
  if (Pass(out, json, key, clear_keys, bytes_max, sensitive_keys).run()) return;
  out.resize(before);
  append_hmac(out, as_bytes(json), key);
}

}  // namespace leasehold::audit
