// Parameters of pgx, lib/pq and JDBC in a connection_url. Only the form of a URL is looked through:
// a keyword string is libpq's own.

#include <libpq-fe.h>

#include <algorithm>

#include "backends/target/postgresql_keywords.h"
#include "backends/target/postgresql_session.h"
#include "vault/base/encoding.h"

namespace leasehold::postgresql {
namespace {

bool is_libpqs(const std::string& name) {
  if (name == "ssl" || name == "requiressl") return true;  // of URLs alone
  PQconninfoOption* const all = PQconndefaults();
  bool known = false;
  for (const PQconninfoOption* one = all; one != nullptr && one->keyword != nullptr; ++one)
    known = known || name == one->keyword;
  PQconninfoFree(all);
  return known;
}

Status take(OtherDrivers& into, std::string_view pair, std::string& kept) {
  const auto equals = pair.find('=');
  const std::string written(pair.substr(0, equals)), name = lower_case(written);
  const bool is_name =
      !name.empty() &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") == std::string::npos;
  if (equals == std::string_view::npos || !is_name || is_libpqs(written)) {
    kept += (kept.empty() ? "?" : "&") + std::string(pair);  // libpq says what is wrong with it
    return {};
  }
  const Keyword* const keyword = find_keyword(name);
  if (keyword != nullptr && keyword->use == Keyword::Use::applied) {
    if (!into.options.empty()) into.options += ' ';
    into.options += startup_option(name, percent_decoded(pair.substr(equals + 1)));
    return {};
  }
  if (keyword == nullptr || keyword->use != Keyword::Use::left_out)
    return failure(Code::invalid,
                   "connection_url must not use the parameter \"" + written +
                       "\": it is not known here, and what it would do is not known either");
  into.notes.push_back("the parameter \"" + written +
                       "\" of connection_url is not used: the vault sets its own limits and speaks "
                       "to the server in its own way");
  return {};
}

}  // namespace

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = text[i] == '%' ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
    if (byte && byte->size() == 1) {
      out += static_cast<char>(byte->front());
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string startup_option(std::string_view name, std::string_view value) {
  std::string out = "-c " + std::string(name) + "=";
  for (const char c : value) {
    if (c == ' ' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

Result<OtherDrivers> OtherDrivers::take_from(const std::string& url) {
  OtherDrivers taken{url, {}, {}};
  const auto scheme = url.find("://");
  const auto mark = scheme == std::string::npos ? scheme : url.find('?', scheme);
  // An at sign behind it: the mark may be part of a password, and is told elsewhere.
  if (mark == std::string::npos || url.find('@', mark) != std::string::npos) return taken;
  std::string kept;
  std::string_view rest = std::string_view(url).substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    VAULT_TRY(take(taken, pair, kept));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
  }
  taken.url = url.substr(0, mark) + kept;
  return taken;
}

}  // namespace leasehold::postgresql
