#pragma once
// One HTTP exchange, without knowledge of Vault: request out, response in, within `timeout` as a
// whole. `http.cpp` implements it over cpp-httplib; it and answer_stream.h are the only files that
// see that library. Not thread-safe: one per thread.
//
// Errors by what the reader would do:
//   unavailable  nobody answers at that address, or the proxy does not lead there
//   invalid      TLS on one side only, bad settings
//   denied       the server's certificate is not trusted   deadline  no answer in time
//   internal     the connection broke before the answer

#include <memory>
#include <string>

#include "api/client/settings.h"
#include "api/client/url.h"

namespace leasehold::client {

inline constexpr std::size_t kResponseBytesMax = 64u << 20;

struct RawRequest {
  std::string method;
  std::string target;  // "/v1/secret/a?list=true", escaped; one that is not is never sent
  Fields headers;
  std::string body;
};

struct RawResponse {
  int status = 0;
  std::string content_type;
  std::string location;  // as it came, as are the two below
  std::string retry_after;
  std::vector<std::string> warnings;  // `Warning` headers as they came
  std::string request_id;             // of an error of Leasehold's
  std::string body;
};

class Transport {
 public:
  virtual ~Transport() = default;
  virtual Result<RawResponse> exchange(const Url& server, const RawRequest& request) = 0;
};

// Keeps the connection to the last server open. `settings` must outlive it.
std::unique_ptr<Transport> make_http_transport(const Settings& settings);

}  // namespace leasehold::client
