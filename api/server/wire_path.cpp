#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "api/server/wire.h"
#include "vault/base/url_path.h"

namespace leasehold::server {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

enum class Plus : bool { literal, space };

// Appends to `out`; false at a malformed escape.
bool percent_decode(std::string_view text, Plus plus, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::space) {
      out.push_back(' ');
      continue;
    }
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    if (text.size() - i < 3) return false;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out.push_back(static_cast<char>(high << 4 | low));
    i += 2;
  }
  return true;
}

// The code point at `text`, which is shortened by it; false when it is not UTF-8 (RFC 3629).
bool next_code_point(std::string_view& text, std::uint32_t& point) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80       ? 1
                           : first >> 5 == 6  ? 2
                           : first >> 4 == 14 ? 3
                           : first >> 3 == 30 ? 4
                                              : 0;
  if (size == 0 || text.size() < size) return false;
  point = size == 1 ? first : first & (0x7fu >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if (byte(i) >> 6 != 2) return false;
    point = point << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  text.remove_prefix(size);
  return point >= kLeast[size] && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

struct Range {
  std::uint32_t from, to;
};
// Controls, white space other than ' ', and what changes how a path looks without being seen:
// direction marks, zero widths, tags, private use. Two paths that look alike must not differ by
// these.
constexpr std::array kUnprintable{
    Range{0x00, 0x1f},     Range{0x7f, 0xa0},     Range{0xad, 0xad},       Range{0x61c, 0x61c},
    Range{0x1680, 0x1680}, Range{0x180e, 0x180e}, Range{0x2000, 0x200f},   Range{0x2028, 0x202f},
    Range{0x205f, 0x206f}, Range{0x3000, 0x3000}, Range{0xe000, 0xf8ff},   Range{0xfeff, 0xfeff},
    Range{0xfff0, 0xfffb}, Range{0xfffe, 0xffff}, Range{0xe0000, 0x10ffff}};

bool printable(std::string_view text, std::string& why) {
  while (!text.empty()) {
    std::uint32_t point = 0;
    if (!next_code_point(text, point)) {
      why = "the path is not valid UTF-8";
      return false;
    }
    const bool hidden = std::any_of(
        kUnprintable.begin(), kUnprintable.end(),
        [point](const Range& range) { return point >= range.from && point <= range.to; });
    if (hidden) {
      why = "the path holds a character that cannot be printed";
      return false;
    }
  }
  return true;
}

bool plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// A trailing slash is no empty segment: it names a folder.
bool segments_canonical(std::string_view path, std::string& why) {
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view segment = path.substr(0, slash);
    if (segment.empty()) why = "the path has an empty segment ('//')";
    if (segment == "." || segment == "..") why = "the path has a relative segment ('.' or '..')";
    if (!why.empty()) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
  return true;
}

}  // namespace

bool canonical_path(std::string_view encoded, std::string& path, std::string& why) {
  path.clear();
  why.clear();
  path.reserve(encoded.size() + 1);
  if (!percent_decode(encoded, Plus::literal, path)) {
    why = "the path holds a malformed percent-encoding";
    return false;
  }
  if (!plain_ascii(path) && !printable(path, why)) return false;
  return segments_canonical(path, why);
}

std::string clean_location(std::string_view path, std::string_view query) {
  std::string decoded, why;
  if (!path.starts_with('/') || !percent_decode(path, Plus::literal, decoded)) return {};
  if (!plain_ascii(decoded) && !printable(decoded, why)) return {};
  std::string clean = "/" + clean_path(decoded);
  if (clean == decoded) return {};
  clean = escape_path(clean);
  if (!query.empty()) clean.append("?").append(query);
  return clean;
}

bool read_query(std::string_view query, Json& object) {
  constexpr std::size_t kMostPairs = 1000;
  std::map<std::string, std::vector<std::string>> values;
  for (std::size_t pairs = 0; !query.empty(); ++pairs) {
    if (pairs == kMostPairs) return false;
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string name, value;
    if (!percent_decode(pair.substr(0, equals), Plus::space, name)) return false;
    if (!percent_decode(pair.substr(std::min(equals + 1, pair.size())), Plus::space, value))
      return false;
    values[std::move(name)].push_back(std::move(value));
  }
  object = values.empty() ? Json() : Json::object();
  for (auto& entry : values)
    object.set(entry.first, entry.second.size() == 1 ? Json(std::move(entry.second.front()))
                                                     : Json(entry.second));
  return true;
}

}  // namespace leasehold::server
