#pragma once
// The proxy on the way to a server: `http://proxy:3128`, `http://user:password@proxy:3128`. Plain
// requests are handed to it whole, TLS goes through it by CONNECT. Thread safety: values.

#include <optional>
#include <string>
#include <string_view>

namespace leasehold::client {

struct Proxy {
  std::string host;
  int port = 80;
  std::string user;  // empty: none
  std::string password;

  std::string origin() const;  // "http://proxy:3128", without the user
};

// Nothing when it is no such address. User and password are percent-encoded (RFC 3986).
std::optional<Proxy> parse_proxy(std::string_view text);

}  // namespace leasehold::client
