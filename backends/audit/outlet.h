#pragma once
// Where the lines of a queued device go: a socket, the system's log, a plain file. Used by the one
// thread of its device; each call returns within `patience`, but for what a resolver of names
// takes.

#include <memory>
#include <string>
#include <string_view>

#include "vault/base/clock.h"
#include "vault/base/result.h"

namespace leasehold::audit {

class Outlet {
 public:
  virtual ~Outlet() = default;
  // Anew; what was open before is closed.
  virtual Status connect(Nanos patience) = 0;
  // One line, without newline. Code::limited: this line is too long for it, others are not; after
  // any other failure it must be connected anew, and the line sent again.
  virtual Status send(std::string_view line, Nanos patience) = 0;
  // True once what it writes to was moved or removed (a file).
  virtual bool moved() { return false; }
  virtual std::string where() const = 0;  // "socket tcp://127.0.0.1:9000"
};

enum class Transport { tcp, udp, unix_stream };

// `address`: "host:port" (an IPv6 address in brackets), or a path for unix_stream.
std::unique_ptr<Outlet> make_socket_outlet(Transport transport, const std::string& address,
                                           Clock& clock);
// Lines for the system's log at `path` (RFC 3164, section 4.1, as local programs send it).
// `priority` is facility * 8 + severity.
std::unique_ptr<Outlet> make_syslog_outlet(const std::string& path, int priority,
                                           const std::string& tag, Clock& clock);
// Appends to a file of its own, with `mode` when it is new; a symbolic link is refused.
std::unique_ptr<Outlet> make_file_outlet(const std::string& path, unsigned mode);

}  // namespace leasehold::audit
