#pragma once
// A connection to a host, a proxy or a unix socket: one descriptor, which never blocks. Each
// address of a name gets its share of the time.
//
//   VAULT_TRY_ASSIGN(const Socket socket, dial("vault.test", 8200, "vault.test:8200", deadline));
//
// `where` stands in the error: Code::unavailable, or Code::deadline. Thread safety: values. How
// long a name is looked up is the resolver's matter (resolv.conf(5)).

#include <unistd.h>

#include <string>
#include <utility>

#include "api/client/deadline.h"

namespace leasehold::client {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  int get() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

Result<Socket> dial(const std::string& host, int port, const std::string& where,
                    const Deadline& deadline);
Result<Socket> dial_unix(const std::string& path, const Deadline& deadline);

}  // namespace leasehold::client
