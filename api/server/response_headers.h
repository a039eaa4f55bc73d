#pragma once
// `custom_response_headers` of a listener: headers its answers have beside the usual ones, chosen
// by status. What is said of a status goes before what is said of its class, and that before the
// default; each name counts by itself.
//
//   custom_response_headers {
//     "default" = { "Content-Security-Policy" = ["default-src 'none'"] }
//     "4xx"     = { "X-Contact" = ["ops@example.com"] }
//     "404"     = { "X-Contact" = ["help@example.com"] }
//   }
//
// Immutable once read; thread-safe.

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/stanza.h"

namespace leasehold::server {

// One that the listener sets by itself over TLS, unless it is told otherwise here.
inline constexpr std::string_view kTransportSecurity = "Strict-Transport-Security";

class ResponseHeaders {
 public:
  // Of a listener's stanza. Code::invalid with file and line.
  static Result<ResponseHeaders> read(Stanza& listener);
  // Whole lines, each with its end; empty: none.
  std::string_view lines(int status) const;

 private:
  // By name in lower case: the name as written, and its values.
  using Set = std::map<std::string, std::pair<std::string, std::vector<std::string>>>;
  static Result<Set> read_set(const Stanza& block, const HclAttribute& attribute);

  std::string default_;
  std::array<std::string, 5> by_class_;  // "1xx" to "5xx"
  std::map<int, std::string> by_status_;
};

}  // namespace leasehold::server
