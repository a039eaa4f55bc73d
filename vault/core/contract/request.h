#pragma once
// A request as the core sees it, and its answer. Neither knows HTTP beyond a status code:
// api/server turns bytes into a Request and a Response into bytes. Values of one request, on its io
// thread.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold::core {

// `write` becomes create or update once the route's existence check has spoken.
enum class Operation : std::uint8_t { read, list, create, update, patch, remove, help, head };
std::string_view operation_name(Operation operation);  // as Vault's audit log: "read", "delete" ...

struct Request {
  Operation operation = Operation::read;
  std::string path;   // canonical: no leading slash, no "/v1/", no empty, "." or ".." segment
  std::string token;  // as presented; wiped with the request. Empty: none
  Json body;          // object, or null when there was none; for read, list, remove: the query
  std::optional<Seconds> wrap_ttl;
  std::string purpose;  // X-Leasehold-Purpose, for policy conditions and the audit log
  std::string remote_address;
  int remote_port = 0;
  bool internal = false;  // made by the vault itself (expiry, self-init); never from a listener

  Request() = default;
  Request(Request&&) = default;
  Request& operator=(Request&&) = default;
  ~Request() { wipe(token); }
};

struct AuthInfo {  // a token handed out or renewed; `auth` of the envelope
  SecretBytes client_token;
  std::string accessor;
  std::vector<std::string> policies, token_policies, identity_policies;
  std::vector<std::pair<std::string, std::string>> metadata;
  Seconds lease_duration{0};
  bool renewable = false;
  std::string entity_id;
  std::string token_type = "service";
  bool orphan = false;
  std::int64_t num_uses = 0;
  bool renewed = false;  // the token existed before this answer
};

struct WrapInfo {
  SecretBytes token;
  std::string accessor;
  Seconds ttl{0};
  WallTime creation_time;
  std::string creation_path;
  std::string wrapped_accessor;
};

struct Response {
  enum class Form : std::uint8_t {
    envelope,  // Vault's eight keys around `data`
    injected,  // the same, with the keys of `data` repeated at top level
    bare,      // `data` alone is the body
    raw,       // `data` as it is, with `content_type`
  };
  int status = 0;  // 0: 200 with a body, 204 without
  Form form = Form::envelope;
  SecretBytes data;  // JSON text, spliced into the envelope; empty: null
  std::string content_type;
  std::string lease_id;
  bool renewable = false;
  Seconds lease_duration{0};
  std::optional<AuthInfo> auth;
  std::optional<WrapInfo> wrap;
  std::vector<std::string> warnings;
  std::vector<std::string> errors;  // an error answer, whatever else is set
  bool is_error = false;
  std::optional<Seconds> retry_after;
  // Records of leases and jobs that must be gone before this answer leaves.
  std::vector<barrier::PhysicalKey> awaited;
  std::string request_id;  // set by the core

  bool has_body() const {
    return !data.empty() || auth || wrap || !warnings.empty() || !lease_id.empty();
  }
  static Response none() { return {}; }            // 204
  static Response of(const Json& data);            // 200
  static Response of_text(SecretBytes json_text);  // 200, spliced
  static Response bare(int status, const Json& data);
  static Response refused(int status, std::string message);     // {"errors":[message]}
  static Response keys(const std::vector<std::string>& names);  // {"keys":[…]}; 404 when empty
};

// What an answer hands out that must end when the answer does not arrive; "": none.
struct Issued {
  std::string lease_id, accessor;
  bool nothing() const { return lease_id.empty() && accessor.empty(); }
};
Issued issued_by(const Response& answer);

// The one table from Code to HTTP status. `message` is rendered as Vault does: see error.cpp.
Response error_response(const Error& error);
// Go's multierror text: "1 error occurred:\n\t* permission denied\n\n".
std::string multierror(std::string_view message);

// Who asked. deliver() runs on the loop the request began on, exactly once.
class Exchange {
 public:
  virtual void deliver(Response&& answer) = 0;
  // The client hung up before the answer could leave: what was issued must be revoked.
  virtual bool gone() const = 0;

 protected:
  ~Exchange() = default;
};

}  // namespace leasehold::core
