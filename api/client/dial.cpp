#include "api/client/dial.h"

#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <memory>

namespace leasehold::client {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* addresses) const { ::freeaddrinfo(addresses); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

Addresses look_up(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return {};
  return Addresses(found);
}

Descriptor make_socket(int family) {
  return Descriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool is_connected(const Descriptor& socket, const sockaddr* address, socklen_t size,
                  const Deadline& deadline, int share) {
  if (::connect(socket.get(), address, size) == 0) return true;
  if (errno != EINPROGRESS || !deadline.is_ready(socket.get(), POLLOUT, share)) return false;
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

Error no_connection(const std::string& where, const Deadline& deadline) {
  if (deadline.passed()) return failure(Code::deadline, "dial " + where + ": i/o timeout");
  return failure(Code::unavailable, "dial " + where + ": connection refused or no route");
}

}  // namespace

Result<Descriptor> dial(const std::string& host, int port, const std::string& where,
                        const Deadline& deadline) {
  const Addresses addresses = look_up(host, port);
  if (!addresses)
    return failure(Code::unavailable,
                   "dial " + where + ": the name \"" + host + "\" could not be resolved");
  int left = 0;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next) ++left;
  for (const addrinfo* at = addresses.get(); at != nullptr; at = at->ai_next, --left) {
    Descriptor socket = make_socket(at->ai_family);
    if (socket.get() < 0 || !is_connected(socket, at->ai_addr, at->ai_addrlen, deadline, left))
      continue;
    const int yes = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return socket;
  }
  return no_connection(where, deadline);
}

Result<Descriptor> dial_unix(const std::string& path, const Deadline& deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  Descriptor socket = make_socket(AF_UNIX);
  if (path.size() >= sizeof address.sun_path) return no_connection(path, deadline);
  std::copy(path.begin(), path.end(), address.sun_path);
  if (is_connected(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline,
                   1))
    return socket;
  return no_connection(path, deadline);
}

}  // namespace leasehold::client
