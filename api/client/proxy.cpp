#include "api/client/proxy.h"

#include <charconv>

#include "api/client/url.h"

namespace leasehold::client {
namespace {

constexpr std::string_view kScheme = "http://";

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char byte = 0;
    const char* digits = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

bool take_user(std::string_view text, Proxy& proxy) {
  const auto colon = std::min(text.find(':'), text.size());
  const auto user = unescape(text.substr(0, colon));
  const auto password = unescape(text.substr(std::min(colon + 1, text.size())));
  if (!user || user->empty() || !password) return false;
  proxy.user = *user;
  proxy.password = *password;
  return true;
}

}  // namespace

std::string Proxy::origin() const { return Url{Url::Scheme::http, host, port, {}}.origin(); }

std::optional<Proxy> parse_proxy(std::string_view text) {
  if (text.substr(0, kScheme.size()) != kScheme) return std::nullopt;
  text.remove_prefix(kScheme.size());
  Proxy proxy;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    if (!take_user(text.substr(0, at), proxy)) return std::nullopt;
    text.remove_prefix(at + 1);
  }
  const auto url = parse_url(std::string(kScheme) + std::string(text));
  if (!url.ok() || !url->path.empty()) return std::nullopt;
  proxy.host = url->host;
  proxy.port = url->port;
  return proxy;
}

}  // namespace leasehold::client
