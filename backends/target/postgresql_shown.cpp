// Two forms: postgresql://user:password@hosts/database?keyword=value&..., and keyword = 'value' ...
// Source: PostgreSQL 15 documentation, 34.1.1 (connection strings).

#include "backends/target/postgresql_shown.h"

#include <algorithm>
#include <string_view>

#include "backends/target/postgresql_keywords.h"

namespace leasehold::postgresql {
namespace {

constexpr std::string_view kHidden = "xxxxx", kHiddenQuoted = "'xxxxx'";
constexpr std::string_view kPlace = "{{password}}", kPlaceQuoted = "'{{password}}'";
constexpr std::string_view kSpaces = " \t\n\r\f\v";

// What is hidden on the way through a text, and whether it was hidden before: a read shows the
// mark.
class Hiding {
 public:
  std::string hide(std::string_view secret) {
    has_mark_ = has_mark_ || secret == kHidden || secret == kHiddenQuoted;
    return std::string(kHidden);
  }
  bool has_mark() const { return has_mark_; }

 private:
  bool has_mark_ = false;
};

std::string shown_value(std::string_view keyword, std::string_view value, Hiding& hiding) {
  const Keyword* const known = find_keyword(keyword);
  const bool harmless = value.empty() || value == kPlace || value == kPlaceQuoted ||
                        (known != nullptr && known->part != Keyword::Part::secret);
  return harmless ? std::string(value) : hiding.hide(value);
}

// What stands between the first colon and the last at sign may be a password that was not encoded,
// whatever a reader of URLs would make of it.
std::string shown_authority(std::string_view text, Hiding& hiding) {
  const auto at = text.rfind('@');
  const auto colon = text.substr(0, at).find(':');
  if (text == kHidden) return hiding.hide(text);
  if (at == std::string_view::npos || colon == std::string_view::npos) return std::string(text);
  const std::string_view secret = text.substr(colon + 1, at - colon - 1);
  return std::string(text.substr(0, colon + 1)) +
         (secret.empty() || secret == kPlace ? std::string(secret) : hiding.hide(secret)) +
         std::string(text.substr(at));
}

std::string shown_query(std::string_view text, Hiding& hiding) {
  std::string shown;
  while (true) {
    const std::string_view pair = text.substr(0, text.find('&'));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos)
      shown += pair.empty() ? std::string() : hiding.hide(pair);
    else
      shown += std::string(pair.substr(0, equals + 1)) +
               shown_value(pair.substr(0, equals), pair.substr(equals + 1), hiding);
    if (pair.size() == text.size()) return shown;
    shown += '&';
    text.remove_prefix(pair.size() + 1);
  }
}

// Nothing can be told apart where a question mark may be part of the password.
bool is_unclear(std::string_view head, std::string_view query) {
  return query.find('@') != std::string_view::npos && head.find('@') == std::string_view::npos &&
         (head.find(':') != std::string_view::npos || head.find('/') == std::string_view::npos);
}

std::string shown_as_url(std::string_view text, Hiding& hiding) {
  const std::string scheme(text.substr(0, text.find("://") + 3));
  text.remove_prefix(scheme.size());
  const std::string_view head = text.substr(0, text.find('?'));
  if (head.size() == text.size()) return scheme + shown_authority(head, hiding);
  const std::string_view query = text.substr(head.size() + 1);
  if (is_unclear(head, query)) return scheme + hiding.hide(text);
  return scheme + shown_authority(head, hiding) + "?" + shown_query(query, hiding);
}

// The size of the value at the beginning of `text`, with its quotes; npos when they do not end.
std::size_t value_size(std::string_view text) {
  const bool quoted = !text.empty() && text.front() == '\'';
  for (std::size_t i = quoted ? 1 : 0; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (quoted && text[i] == '\'')
      return i + 1;
    else if (!quoted && kSpaces.find(text[i]) != std::string_view::npos)
      return i;
  }
  return quoted ? std::string_view::npos : text.size();
}

// Keyword, equals sign and the spaces around; empty when `text` does not begin with these.
std::string_view taken_keyword(std::string_view& text, std::string_view& keyword) {
  const auto begin = std::min(text.find_first_not_of(kSpaces), text.size());
  const auto end = text.find_first_of("= \t\n\r\f\v", begin);
  const auto equals = text.find_first_not_of(kSpaces, end);
  if (end == std::string_view::npos || equals == std::string_view::npos || text[equals] != '=')
    return {};
  keyword = text.substr(begin, end - begin);
  const auto value = std::min(text.find_first_not_of(kSpaces, equals + 1), text.size());
  const std::string_view taken = text.substr(0, value);
  text.remove_prefix(value);
  return taken;
}

std::string shown_keywords(std::string_view text, Hiding& hiding) {
  std::string shown;
  while (text.find_first_not_of(kSpaces) != std::string_view::npos) {
    std::string_view keyword;
    const std::string_view before = taken_keyword(text, keyword);
    const auto size = value_size(text);
    if (before.empty() || size == std::string_view::npos) return hiding.hide(text);
    shown += std::string(before) + shown_value(keyword, text.substr(0, size), hiding);
    text.remove_prefix(size);
  }
  return shown + std::string(text);
}

std::string shown(std::string_view url, Hiding& hiding) {
  const std::string_view scheme = url.substr(0, url.find("://"));
  const bool is_url =
      scheme.size() < url.size() && scheme.find_first_of("= \t\n'") == std::string_view::npos;
  return is_url ? shown_as_url(url, hiding) : shown_keywords(url, hiding);
}

}  // namespace

std::string shown_url(const std::string& url) {
  Hiding hiding;
  return shown(url, hiding);
}

bool is_as_shown(const std::string& url) {
  Hiding hiding;
  shown(url, hiding);
  return hiding.has_mark();
}

}  // namespace leasehold::postgresql
