#pragma once
// Opens the sockets that connections arrive on. TCP: one socket per io thread on the same port
// (SO_REUSEPORT), after a probe without that option: it alone notices that another process has the
// port.
//
//   VAULT_TRY_ASSIGN(TcpSockets opened, listen_tcp("127.0.0.1:8200", 2));
//
// Errors (Code::invalid) name the address and what to do. Thread safety: functions.

#include <sys/socket.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "api/server/peer_rules.h"
#include "vault/base/descriptor.h"
#include "vault/base/result.h"

namespace leasehold::server {

// Of the file of a unix socket.
struct SocketAccess {
  mode_t mode = 0600;
  uid_t user = static_cast<uid_t>(-1);  // as the server's, as is the next
  gid_t group = static_cast<gid_t>(-1);
};

struct TcpSockets {
  std::vector<Descriptor> sockets;
  std::string address;  // as bound: "127.0.0.1:8200", "[::1]:8200"
  bool loopback = false;
};

// "host:port", "[v6]:port", ":port" (every address); port 0 takes a free one.
Result<TcpSockets> listen_tcp(const std::string& address, unsigned count);
// Whether only this machine reaches it there. Nothing is opened.
Result<bool> is_loopback(const std::string& address);
// What is warned of when plain HTTP is spoken elsewhere.
std::string plain_http_warning(const std::string& address);
// Replaces a socket file that nobody listens on.
Result<Descriptor> listen_unix(const std::string& path, const SocketAccess& access);

Peer peer_of(const sockaddr_storage& address);

}  // namespace leasehold::server
