#pragma once
// The answer of the core to a request. It knows no HTTP beyond a status code: api/server turns a
// Response into bytes. The value of one request, on its io thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/result.h"
#include "vault/core/contract/login.h"

namespace leasehold::core {

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

struct WrapInfo {  // in place of an answer that was wrapped; `wrap_info` of the envelope
  SecretBytes token;
  std::string accessor;
  Seconds ttl{0};
  WallTime creation_time;
  std::string creation_path;
  std::string wrapped_accessor;
};

// What an answer hands out that must end when the answer does not arrive; "": none.
struct Issued {
  std::string lease_id, accessor;
  std::string wrapping_accessor;  // of the token that opens the answer
  bool nothing() const { return lease_id.empty() && accessor.empty() && wrapping_accessor.empty(); }
};

// What the core does besides sending the answer.
struct Orders {
  struct Wrapping {
    Seconds ttl{0};
    std::string creation_path;
  };
  std::optional<Login> login;  // of an auth method: the core makes `auth` of it
  bool login_refused = false;  // a wrong name, password or secret: counts towards the lockout
  // By what an operator set, and not for what the client sent: Response::reason goes into the
  // server's log, too.
  bool tells_log = false;
  // Policies that what was written grants; who wrote it is warned of those that are not there.
  std::vector<std::string> named_policies;
  // The answer must leave wrapped: for how long at most, and what it counts as.
  std::optional<Wrapping> must_wrap;
  // Records of leases and jobs that must be gone before the answer leaves; many are sorted.
  std::vector<barrier::PhysicalKey> awaited;
  bool forgets = false;   // what their target refuses ends in time all the same: it is forgotten
  bool due_work = false;  // the engine's due work in this mount begins now
  // Of an answer that is worth nothing without its change, and with it the only copy of what counts
  // from then on: it leaves also when storage cannot say whether the change was made, with this
  // warning.
  std::string warning_in_doubt = {};
  // What follows in memory from the request's batch, once it is durable and before the answer
  // leaves.
  std::function<void()> on_commit = {};
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
  std::string data_accessor;  // of the credential in `data`, where it has one
  // What lies inside an answer that is wrapped, or was.
  std::optional<Issued> inside;
  std::vector<std::string> warnings;
  // Of an answer without a body, which stays one: told beside it.
  std::vector<std::string> quiet_warnings;
  std::vector<std::string> errors;  // an error answer, whatever else is set
  // Of a refusal, more than the client may know: for the audit log alone. No secret.
  std::string reason;
  bool is_error = false;
  std::optional<Seconds> retry_after;
  // What a rate limit counted, for clients that are to see it.
  struct RateLimit {
    std::int64_t limit = 0, remaining = 0;
    Seconds reset{0};
  };
  std::optional<RateLimit> rate_limit;
  std::string request_id;  // set by the core
  Orders orders;

  bool has_body() const {
    return !data.empty() || auth || wrap || !warnings.empty() || !lease_id.empty();
  }
  static Response none() { return {}; }            // 204
  static Response of(const Json& data);            // 200
  static Response of_text(SecretBytes json_text);  // 200, spliced
  static Response bare(int status, const Json& data);
  static Response refused(int status, std::string message);     // {"errors":[message]}
  static Response keys(const std::vector<std::string>& names);  // {"keys":[…]}; 404 when empty
  static Response of_login(Login login);
  static Response refused_login(std::string message, std::string reason = {});  // 400
};

Issued issued_by(const Response& answer);

// The one table from Code to HTTP status. `message` is rendered as Vault does: see response.cpp.
Response error_response(const Error& error);
// Go's multierror text: "1 error occurred:\n\t* permission denied\n\n".
std::string multierror(std::string_view message);

// Where the answer goes: a connection, or a test. deliver() runs on the loop that the request began
// on, exactly once.
class Exchange {
 public:
  virtual void deliver(Response&& answer) = 0;
  // Asked on the same loop: nobody is there any more to read the answer.
  virtual bool has_gone() const { return false; }

 protected:
  ~Exchange() = default;
};

}  // namespace leasehold::core
