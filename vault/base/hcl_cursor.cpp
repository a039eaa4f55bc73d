#include "vault/base/hcl_cursor.h"

#include <algorithm>
#include <charconv>

namespace leasehold {
namespace {

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
constexpr bool is_name_part(char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '.'; }
constexpr bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void append_utf8(std::string& out, unsigned code) {
  const auto put = [&out](unsigned byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xe0 | code >> 12);
    } else {
      put(0xf0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3f));
    }
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

std::string_view trimmed_left(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(" \t"), text.size()));
}

// `<<-` takes the marker's indentation off every line, and none when one line has less (HCL 1).
std::string joined(const std::vector<std::string_view>& lines, std::string_view indentation) {
  const bool all = std::all_of(lines.begin(), lines.end(), [&](std::string_view text) {
    return text.substr(0, indentation.size()) == indentation;
  });
  std::string out;
  for (const std::string_view text : lines) {
    out += text.substr(all ? indentation.size() : 0);
    out += '\n';
  }
  return out;
}

// HCL's `0x10` and `010`, which JSON does not know, as decimal text.
std::optional<std::string> decimal(std::string_view digits, int base) {
  std::uint64_t value = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stop != end) return std::nullopt;
  return std::to_string(value);
}

// The magnitude of a number in JSON's notation, if it is one.
std::optional<std::string> plain_number(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool zero = text.size() > 1 && text[0] == '0';
  if (zero && (text[1] == 'x' || text[1] == 'X')) return decimal(text.substr(2), 16);
  if (zero && is_digit(text[1])) return decimal(text.substr(1), 8);
  // What JSON refuses (1e99999) is no number here either: the values go through both.
  if (!is_digit(text.front()) || !parse_json(text).ok()) return std::nullopt;
  return std::string(text);
}

// What an editor or a web page put in the place of a plain sign.
struct Lookalike {
  std::string_view bytes, advice;
};
constexpr Lookalike kLookalikes[] = {
    {"\xe2\x80\x9c", "a typographic quote (U+201C): write \""},
    {"\xe2\x80\x9d", "a typographic quote (U+201D): write \""},
    {"\xe2\x80\x9e", "a typographic quote (U+201E): write \""},
    {"\xe2\x80\x98", "a typographic quote (U+2018): write \""},
    {"\xe2\x80\x99", "a typographic quote (U+2019): write \""},
    {"\xe2\x80\x93", "a dash (U+2013): write -"},
    {"\xe2\x80\x94", "a dash (U+2014): write -"},
    {"\xe2\x88\x92", "a minus sign (U+2212): write -"},
    {"\xc2\xa0", "a space that does not break (U+00A0): write a plain one"},
    {"\xef\xbb\xbf", "a byte order mark (U+FEFF): save the file as UTF-8 without it"},
    {"'", "a single quote: write \""},
};

std::string_view advice_on(std::string_view text) {
  for (const Lookalike& one : kLookalikes)
    if (text.substr(0, one.bytes.size()) == one.bytes) return one.advice;
  return {};
}

}  // namespace

Error HclCursor::error(std::string_view what) const {
  const std::string_view advice = advice_on(text_.substr(at_));
  if (advice.empty()) return error_at(line_, what);
  return error_at(line_, std::string(what) + ", and there is " + std::string(advice));
}

char HclCursor::take() {
  const char c = peek();
  if (at_end()) return c;
  ++at_;
  if (c == '\n') {
    ++line_;
    line_begin_ = at_;
  }
  return c;
}

bool HclCursor::accept(char c) {
  if (at_end() || peek() != c) return false;
  take();
  return true;
}

Error HclCursor::error_at(int line, std::string_view what) {
  return failure(Code::invalid, "line " + std::to_string(line) + ": " + std::string(what));
}

Status HclCursor::skip_blank() {
  while (!at_end()) {
    if (is_blank(peek())) {
      take();
    } else if (peek() == '#' || (peek() == '/' && peek(1) == '/')) {
      take_line();
    } else if (peek() == '/' && peek(1) == '*') {
      VAULT_TRY(skip_block_comment());
    } else {
      break;
    }
  }
  return {};
}

Status HclCursor::skip_block_comment() {
  const int start = line_;
  const std::size_t end = text_.find("*/", at_ + 2);
  if (end == std::string_view::npos) return error_at(start, "the comment is not closed, add `*/`");
  while (at_ < end + 2) take();
  return {};
}

std::string_view HclCursor::take_line() {
  const std::size_t start = at_;
  while (!at_end() && peek() != '\n') take();
  const std::string_view found = since(start);
  take();
  return found;
}

bool HclCursor::at_name() const { return is_letter(peek()); }

std::string_view HclCursor::name() {
  const std::size_t start = at_;
  while (is_name_part(peek())) take();
  return since(start);
}

// Bytes up to the closing quote, escapes as they are written.
std::size_t HclCursor::size_in_quotes() const {
  std::size_t end = at_;
  while (end < text_.size() && text_[end] != '"' && text_[end] != '\n')
    end += text_[end] == '\\' ? 2 : 1;
  return std::min(end, text_.size()) - at_;
}

Result<std::string> HclCursor::quoted() {
  std::string out;
  take();
  // One allocation: what a growing string leaves behind is not wiped, and this may be a key.
  out.reserve(size_in_quotes());
  while (peek() != '"') {
    if (at_end() || peek() == '\n') return error("the string is not closed, add `\"`");
    if (accept('\\'))
      VAULT_TRY(escape(out));
    else
      out += take();
  }
  take();
  return out;
}

Status HclCursor::escape(std::string& out) {
  static constexpr std::string_view kLetters = "abfnrtv\\\"'";
  static constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\\"'";
  if (peek() == 'x') return code_point(out, 2);
  if (peek() == 'u') return code_point(out, 4);
  if (peek() == 'U') return code_point(out, 8);
  const std::size_t found = kLetters.find(peek());
  if (at_end() || found == std::string_view::npos)
    return error("unknown escape in a string; write `\\\\` for a backslash");
  take();
  out += kMeanings[found];
  return {};
}

Status HclCursor::code_point(std::string& out, unsigned digits) {
  take();
  const std::string_view text = text_.substr(at_, digits);
  unsigned code = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failed] = std::from_chars(text.data(), end, code, 16);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  if (text.size() != digits || failed != std::errc() || stop != end || surrogate || code == 0 ||
      code > 0x10ffff)
    return error("the escape does not name a character");
  at_ += digits;
  append_utf8(out, code);
  return {};
}

Result<std::string> HclCursor::heredoc() {
  const int start = line_;
  at_ += 2;
  const bool indented = accept('-');
  const std::string_view marker = name();
  if (marker.empty()) return error("`<<` needs a marker, as in `<<EOF`");
  if (accept('\r'), !accept('\n')) return error("after `<<` and its marker the line must end");
  std::vector<std::string_view> lines;
  while (!at_end()) {
    std::string_view text = take_line();
    const std::string_view bare = trimmed_left(text.substr(0, text.find_last_not_of('\r') + 1));
    if (bare == marker) {
      const auto depth = static_cast<std::size_t>(bare.data() - text.data());
      return joined(lines, indented ? text.substr(0, depth) : std::string_view());
    }
    lines.push_back(text);
  }
  return error_at(start, "the text that begins with `<<` is not closed, add its marker");
}

Result<Json> HclCursor::number() {
  const bool negative = accept('-');
  const std::size_t digits = at_;
  while (is_name_part(peek()) || (peek() == '+' && (text_[at_ - 1] | 0x20) == 'e')) take();
  auto magnitude = plain_number(since(digits));
  if (!magnitude) return error("this is not a number; put quotes around a text such as \"30s\"");
  return Json::number((negative ? "-" : "") + *magnitude);
}

}  // namespace leasehold
