// Two forms: postgresql://user:password@hosts/database?keyword=value&..., and keyword = 'value' ...
// Source: PostgreSQL 15 documentation, 34.1.1 (connection strings).

#include "backends/target/postgresql_shown.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace leasehold::postgresql {
namespace {

constexpr std::string_view kHidden = "xxxxx", kPlace = "{{password}}", kSpaces = " \t\n\r\f\v";

// As they are written: a keyword in percent-encoding is not looked through.
constexpr auto kHarmless = std::to_array<std::string_view>({"application_name",
                                                            "channel_binding",
                                                            "client_encoding",
                                                            "connect_timeout",
                                                            "datestyle",
                                                            "dbname",
                                                            "default_query_exec_mode",
                                                            "extra_float_digits",
                                                            "idle_in_transaction_session_timeout",
                                                            "intervalstyle",
                                                            "lock_timeout",
                                                            "pool_max_conns",
                                                            "pool_min_conns",
                                                            "prefer_simple_protocol",
                                                            "search_path",
                                                            "statement_cache_capacity",
                                                            "statement_timeout",
                                                            "timezone",
                                                            "fallback_application_name",
                                                            "gssencmode",
                                                            "gsslib",
                                                            "host",
                                                            "hostaddr",
                                                            "keepalives",
                                                            "keepalives_count",
                                                            "keepalives_idle",
                                                            "keepalives_interval",
                                                            "krbsrvname",
                                                            "options",
                                                            "port",
                                                            "replication",
                                                            "requirepeer",
                                                            "ssl_max_protocol_version",
                                                            "ssl_min_protocol_version",
                                                            "sslcompression",
                                                            "sslmode",
                                                            "sslsni",
                                                            "target_session_attrs",
                                                            "tcp_user_timeout",
                                                            "user"});

std::string shown_value(std::string_view keyword, std::string_view value) {
  const bool harmless = value.empty() || value == kPlace ||
                        std::find(kHarmless.begin(), kHarmless.end(), keyword) != kHarmless.end();
  return std::string(harmless ? value : kHidden);
}

// What stands between the first colon and the last at sign may be a password that was not encoded,
// whatever a reader of URLs would make of it.
std::string shown_authority(std::string_view text) {
  const auto at = text.rfind('@');
  const auto colon = text.substr(0, at).find(':');
  if (at == std::string_view::npos || colon == std::string_view::npos) return std::string(text);
  const std::string_view secret = text.substr(colon + 1, at - colon - 1);
  return std::string(text.substr(0, colon + 1)) +
         std::string(secret.empty() || secret == kPlace ? secret : kHidden) +
         std::string(text.substr(at));
}

std::string shown_query(std::string_view text) {
  std::string shown;
  while (true) {
    const std::string_view pair = text.substr(0, text.find('&'));
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos)
      shown += pair.empty() ? pair : kHidden;
    else
      shown += std::string(pair.substr(0, equals + 1)) +
               shown_value(pair.substr(0, equals), pair.substr(equals + 1));
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

std::string shown_as_url(std::string_view text) {
  const std::string scheme(text.substr(0, text.find("://") + 3));
  text.remove_prefix(scheme.size());
  const std::string_view head = text.substr(0, text.find('?'));
  if (head.size() == text.size()) return scheme + shown_authority(head);
  const std::string_view query = text.substr(head.size() + 1);
  if (is_unclear(head, query)) return scheme + std::string(kHidden);
  return scheme + shown_authority(head) + "?" + shown_query(query);
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

std::string shown_keywords(std::string_view text) {
  std::string shown;
  while (text.find_first_not_of(kSpaces) != std::string_view::npos) {
    std::string_view keyword;
    const std::string_view before = taken_keyword(text, keyword);
    const auto size = value_size(text);
    if (before.empty() || size == std::string_view::npos) return std::string(kHidden);
    shown += std::string(before) + shown_value(keyword, text.substr(0, size));
    text.remove_prefix(size);
  }
  return shown + std::string(text);
}

}  // namespace

std::string shown_url(const std::string& url) {
  const std::string_view scheme = std::string_view(url).substr(0, url.find("://"));
  const bool is_url =
      scheme.size() < url.size() && scheme.find_first_of("= \t\n'") == std::string_view::npos;
  return is_url ? shown_as_url(url) : shown_keywords(url);
}

}  // namespace leasehold::postgresql
