#include "api/client/url.h"

#include <algorithm>
#include <charconv>

#include "vault/base/encoding.h"
#include "vault/base/url_path.h"

namespace leasehold::client {
namespace {

Error malformed(std::string_view text) {
  if (text.find('@') != std::string_view::npos)  // a password may stand before it: not repeated
    return failure(Code::invalid,
                   "the address has an \"@\", and no user or password can stand in one; write "
                   "https://HOST:PORT, http://HOST:PORT or unix:///PATH");
  return failure(Code::invalid, "\"" + std::string(text) +
                                    "\" is not an address; write https://HOST:PORT, "
                                    "http://HOST:PORT or unix:///PATH");
}

// In any case (RFC 3986, section 3.1).
bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (lower_case(text.substr(0, prefix.size())) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool parse_port(std::string_view text, int& port) {
  const auto end = text.data() + text.size();
  const auto outcome = std::from_chars(text.data(), end, port);
  return outcome.ec == std::errc() && outcome.ptr == end && port > 0 && port < 65536;
}

// It goes into the header `Host` as it is.
bool is_host(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 127 && std::string_view("/?#@\\").find(c) == std::string_view::npos;
  });
}

bool parse_authority(std::string_view text, Url& url) {
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return false;
    url.host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (!text.empty() && text.front() != ':') return false;
  } else {
    const auto colon = text.find(':');
    url.host = text.substr(0, colon);
    text.remove_prefix(std::min(colon, text.size()));
  }
  if (!is_host(url.host)) return false;
  url.host = lower_case(url.host);  // it is the same in any case, and compared with certificates
  return text.empty() || parse_port(text.substr(1), url.port);
}

}  // namespace

std::string Url::authority() const {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string Url::origin() const {
  if (scheme == Scheme::unix_socket) return "unix://" + host;
  return (scheme == Scheme::https ? "https://" : "http://") + authority();
}

Result<Url> parse_url(std::string_view text) {
  std::string_view rest = text;
  Url url;
  if (take_prefix(rest, "unix://")) {
    if (rest.empty() || rest.front() != '/') return malformed(text);
    url.scheme = Url::Scheme::unix_socket;
    url.host = rest;
    url.port = 0;
    return url;
  }
  if (take_prefix(rest, "http://")) {
    url.scheme = Url::Scheme::http;
    url.port = 80;
  } else if (!take_prefix(rest, "https://")) {
    return malformed(text);
  }
  const auto slash = std::min(rest.find('/'), rest.size());
  if (!parse_authority(rest.substr(0, slash), url)) return malformed(text);
  url.path = rest.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  return url;
}

std::string escape_query(const Fields& fields) {
  std::string out;
  for (const auto& field : fields) {
    out += out.empty() ? '?' : '&';
    out += percent_encoded(field.first, "") + "=" + percent_encoded(field.second, "");
  }
  return out;
}

}  // namespace leasehold::client
