#include "api/server/listening.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace leasehold::server {
namespace {

constexpr int kBacklog = 1024;

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

std::string system_reason() { return std::strerror(errno); }

bool has_ipv6() { return Descriptor(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)).get() >= 0; }

Result<Endpoint> resolve(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos)
    return failure(Code::invalid,
                   "listener address \"" + address + "\" has no port: write host:port");
  std::string host = address.substr(0, colon);
  if (host.size() > 1 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (host.empty()) host = has_ipv6() ? "::" : "0.0.0.0";
  const int error = ::getaddrinfo(host.c_str(), address.c_str() + colon + 1, &wanted, &found);
  if (error != 0)
    return failure(Code::invalid,
                   "cannot resolve listener address \"" + address + "\": " + ::gai_strerror(error));
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owned(found, ::freeaddrinfo);
  Endpoint endpoint;
  std::memcpy(&endpoint.storage, found->ai_addr, found->ai_addrlen);
  endpoint.size = found->ai_addrlen;
  return endpoint;
}

void turn_on(int fd, int option) {
  const int one = 1;
  VAULT_ASSERT(::setsockopt(fd, SOL_SOCKET, option, &one, sizeof one) == 0);
}

Result<Descriptor> bind_tcp(const Endpoint& endpoint, bool shared, const std::string& address) {
  Descriptor fd(
      ::socket(endpoint.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0)
    return failure(Code::invalid, "cannot open a socket for " + address + ": " + system_reason());
  turn_on(fd.get(), SO_REUSEADDR);
  if (shared) turn_on(fd.get(), SO_REUSEPORT);
  if (::bind(fd.get(), endpoint.get(), endpoint.size) == 0) return fd;
  if (errno == EADDRINUSE)
    return failure(Code::invalid, "cannot listen on " + address +
                                      ": the address is in use; stop the process that has it, or "
                                      "set another `address` in the listener");
  return failure(Code::invalid, "cannot listen on " + address + ": " + system_reason());
}

Status learn_port(int fd, Endpoint& endpoint) {
  endpoint.size = sizeof endpoint.storage;
  if (::getsockname(fd, endpoint.get(), &endpoint.size) != 0)
    return failure(Code::internal, "cannot read a socket's address: " + system_reason());
  return {};
}

Status start_listening(int fd, const std::string& address) {
  if (::listen(fd, kBacklog) == 0) return {};
  return failure(Code::invalid, "cannot listen on " + address + ": " + system_reason());
}

bool is_loopback(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
  }
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

std::string printed(const sockaddr_storage& storage) {
  const Peer peer = peer_of(storage);
  const bool v6 = peer.address.find(':') != std::string::npos;
  return (v6 ? "[" + peer.address + "]" : peer.address) + ":" + std::to_string(peer.port);
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return failure(Code::invalid,
                   "listener \"unix\" needs an address, a path shorter than 108 "
                   "characters; it has " +
                       std::to_string(path.size()));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

// A file left by a process that died refuses connections.
Status remove_stale(const sockaddr_un& address, const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode))
    return failure(Code::invalid, path + " exists and is no socket; move it away");
  const Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED) {
    ::unlink(path.c_str());
    return {};
  }
  return failure(Code::invalid, "another process listens on " + path + "; stop it first");
}

}  // namespace

Result<TcpSockets> listen_tcp(const std::string& address, unsigned count) {
  VAULT_TRY_ASSIGN(Endpoint endpoint, resolve(address));
  {
    VAULT_TRY_ASSIGN(const Descriptor probe, bind_tcp(endpoint, false, address));
    VAULT_TRY(start_listening(probe.get(), address));
    VAULT_TRY(learn_port(probe.get(), endpoint));
  }
  TcpSockets opened;
  for (unsigned i = 0; i < count; ++i) {
    VAULT_TRY_ASSIGN(Descriptor fd, bind_tcp(endpoint, true, address));
    opened.sockets.push_back(std::move(fd));
  }
  // All are bound before one listens: a connection must not be lost to a socket that comes late.
  for (const Descriptor& fd : opened.sockets) VAULT_TRY(start_listening(fd.get(), address));
  opened.address = printed(endpoint.storage);
  opened.loopback = is_loopback(endpoint.storage);
  return opened;
}

Result<bool> is_loopback(const std::string& address) {
  VAULT_TRY_ASSIGN(const Endpoint endpoint, resolve(address));
  return is_loopback(endpoint.storage);
}

std::string plain_http_warning(const std::string& address) {
  return "listener " + address +
         " speaks plain HTTP beyond this machine: tokens and secrets can be read on the network; "
         "set tls_cert_file and tls_key_file";
}

Result<Descriptor> listen_unix(const std::string& path, const SocketAccess& access) {
  VAULT_TRY_ASSIGN(const sockaddr_un address, unix_address(path));
  VAULT_TRY(remove_stale(address, path));
  Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failure(Code::invalid, "cannot bind " + path + ": " + system_reason());
  if (::chown(path.c_str(), access.user, access.group) != 0)
    return failure(Code::invalid,
                   "cannot give " + path + " to socket_user and socket_group: " + system_reason());
  if (::chmod(path.c_str(), access.mode) != 0)
    return failure(Code::invalid, "cannot set the mode of " + path + ": " + system_reason());
  VAULT_TRY(start_listening(fd.get(), path));  // only now can anybody connect
  return fd;
}

Peer peer_of(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {text, ntohs(v4->sin_port)};
  }
  if (storage.ss_family != AF_INET6) return {};
  const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
    ::inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof text);
  else
    ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  return {text, ntohs(v6->sin6_port)};
}

}  // namespace leasehold::server
