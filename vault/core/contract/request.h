#pragma once
// A request as the core sees it. It knows no HTTP: api/server turns bytes into a Request. The value
// of one request, on its io thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/bytes.h"
#include "vault/base/clock.h"
#include "vault/base/json.h"
#include "vault/base/result.h"

namespace leasehold::core {

// A POST or PUT arrives as create or update; Core::authorize says which, where the route can tell.
enum class Operation : std::uint8_t {
  read,
  list,
  create,
  update,
  patch,
  remove,
  help,
  head,
  scan,  // a list of all that lies below, folders of folders too
};
// Asks for names: its path ends in a slash.
constexpr bool lists_names(Operation operation) {
  return operation == Operation::list || operation == Operation::scan;
}
std::string_view operation_name(Operation operation);  // as Vault's audit log: "read", "delete" ...

// What a handler that is asked for no list takes "x/" for: what lies below x, or x.
enum class Slash : std::uint8_t { names_a_folder, is_dropped };

// What a listener lets callers without a token do, and shows them. Their shares are what they prove
// themselves by; without this they could also disturb a ceremony of others.
struct ListenerTraits {
  bool unauthenticated_rekey = false;
  bool unauthenticated_generate_root = false;
  // In the answers to strangers: sys/health, sys/seal-status, sys/leader.
  bool redact_addresses = false, redact_cluster_name = false, redact_version = false;
};

// Reading a larger body takes longer than the others on an io thread may wait, and so does all that
// is done with it: both are done on a worker. In bytes as it came.
inline constexpr std::size_t kSmallBodyMax = 64u << 10;
// Nor has a small one more values: a list of zeros takes fifty times as long as one text.
inline constexpr std::size_t kSmallBodyValues = 4096;
// As Vault says it of a body that is not read.
inline constexpr std::string_view kBodyTooLarge = "http: request body too large";

// A large body that is still text. It is read once, by a caller with a valid token (Core::handle).
class LateBody {
 public:
  virtual ~LateBody() = default;
  virtual Status read(Json& body) = 0;
  // The most that it takes in memory, as text or read.
  virtual std::size_t weight() const = 0;
};

struct Request {
  Operation operation = Operation::read;
  std::string path;   // canonical: no leading slash, no "/v1/", no empty, "." or ".." segment
  std::string token;  // as presented; wiped with the request. Empty: none
  Json body;          // object, or null when there was none; for read, list, remove: the query
  std::size_t body_size = 0;            // of the body as it came, in bytes
  std::unique_ptr<LateBody> late_body;  // instead of `body`, until it is read
  bool body_unread = false;  // too large for a caller without a valid token: nothing is done
  std::string name_space;    // canonical: no slash at either end; the root's is empty
  std::optional<Seconds> wrap_ttl;
  std::string purpose;  // X-Leasehold-Purpose, for policy conditions and the audit log
  std::string remote_address;
  int remote_port = 0;
  // The serial number, in decimal, of the client's certificate, where the listener verified one.
  std::string certificate_serial;
  // Those that were asked for (asked_headers.h), as they came: the name in lower case, the value.
  std::vector<std::pair<std::string, std::string>> headers;
  ListenerTraits listener;

  Request() = default;
  Request(Request&&) = default;
  Request& operator=(Request&&) = default;
  ~Request() {
    wipe(token);
    for (auto& header : headers) wipe(header.second);
  }
};

}  // namespace leasehold::core
