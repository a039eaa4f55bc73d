#pragma once
// HTTP <-> core: a framed message becomes a `core::Request`, a `core::Response` becomes bytes. The
// wire forms are Vault's: which verb is which operation, where a token may
// stand, the eight keys of the envelope in their order, `{"errors":[...]}`.
//
//   WireError refusal;
//   core::Request request;
//   if (!read_request(message, peer, request, refusal)) ... answer refusal
//   encode_reply(answer, options, out);   // send out.view()
//
// The path that is authorised, routed and audited is the one made here, or the request is refused:
// decoded once, valid UTF-8, printable, no empty, "." or ".." segment. One that is not clean is
// never served: the client is sent to the clean one (307), as Go's router does. Thread safety:
// functions of their arguments.

#include <span>
#include <string>
#include <string_view>

#include "api/server/http_parser.h"
#include "api/server/peer_rules.h"
#include "api/server/response_headers.h"
#include "vault/core/contract/request.h"
#include "vault/core/contract/response.h"

namespace leasehold::server {

// An answer made before the core was asked; an empty message is `{"errors":[]}`.
struct WireError {
  int status = 0;
  std::string message;
  std::string location;  // of a 307: path and query, percent-encoded
};

// A large body is left to the core (Request::late_body). `asked`: names of headers, in lower case,
// that the request is to carry.
bool read_request(const HttpMessage& message, const Peer& peer, core::Request& request,
                  WireError& refusal, std::span<const std::string> asked = {});

// Percent-decodes once ("%2F" is a slash, as Vault's clients send it) and judges the part of the
// target behind "/v1/". False: `why` says what is wrong.
bool canonical_path(std::string_view encoded, std::string& path, std::string& why);
// Where to send a client whose path, decoded, has empty or dot segments: the clean path, encoded,
// and the query as it came. It begins with one slash, so it never leaves this server. Empty: the
// path is clean, or cannot be cleaned.
std::string clean_location(std::string_view path, std::string_view query);
// `a=1&b=2` as an object of strings (a repeated name: a list of strings), or null when empty.
// False when a percent-encoding is malformed.
bool read_query(std::string_view query, Json& object);

struct ReplyOptions {
  bool head = false;        // the request was HEAD: no body, the length it would have
  bool close = false;       // the connection ends after this answer
  bool keep_alive = false;  // an HTTP/1.0 client has to be told
  bool secure = false;      // over TLS: no client may come back without it
  std::string_view date;    // empty: none
  std::string_view location;
  const ResponseHeaders* headers = nullptr;  // the listener's own
};

// Head and body in one buffer that is reused; wiped by wipe_used() once the bytes have left.
class ReplyBuffer {
 public:
  std::string_view view() const { return std::string_view(bytes_).substr(begin_); }
  void wipe_used();

 private:
  friend void encode_reply(const core::Response& answer, const ReplyOptions& options,
                           ReplyBuffer& out);
  std::string bytes_, head_;
  std::size_t begin_ = 0;
};

void encode_reply(const core::Response& answer, const ReplyOptions& options, ReplyBuffer& out);
core::Response reply_of(const WireError& refusal);

}  // namespace leasehold::server
