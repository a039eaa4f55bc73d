#pragma once
// The address of a server, taken apart: `https://host:8200`, `http://[::1]:8200/prefix`,
// `unix:///run/leasehold.sock`. And the escaping of queries (RFC 3986).
// Thread safety: values.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::client {

struct Url {
  enum class Scheme { http, https, unix_socket };
  Scheme scheme = Scheme::https;
  std::string host;  // without brackets; of a unix socket its path
  int port = 443;
  std::string path;  // "/prefix", no slash at the end; with a query when it came from a redirect

  std::string authority() const;  // "127.0.0.1:8200", "[::1]:8200"
  std::string origin() const;     // "https://127.0.0.1:8200"
};

// Code::invalid, with a sentence that says what an address looks like.
Result<Url> parse_url(std::string_view text);

using Fields = std::vector<std::pair<std::string, std::string>>;
std::string escape_query(const Fields& fields);  // "?a=b&c=d"; empty without fields

}  // namespace leasehold::client
