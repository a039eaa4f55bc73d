// Streams (TCP, unix) carry a line with its newline; datagrams (UDP, the system's log) carry one
// line each.

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "backends/audit/outlet.h"
#include "vault/base/descriptor.h"

namespace leasehold::audit {
namespace {

std::string reason(int error) { return std::generic_category().message(error); }

// Until something can be done with the socket; false when the time is over.
bool wait_for(int fd, short events, Instant until, Clock& clock) {
  for (;;) {
    const std::int64_t left = (until.ns - clock.instant().ns) / 1'000'000;
    pollfd one{fd, events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::max<std::int64_t>(left, 0)));
    if (ready > 0) return true;
    if (ready == 0) return false;
    if (errno != EINTR) return false;
  }
}

// An error number; 0: connected.
int connect_to(int fd, const sockaddr* address, socklen_t size, Instant until, Clock& clock) {
  if (::connect(fd, address, size) == 0) return 0;
  if (errno != EINPROGRESS && errno != EINTR) return errno;
  if (!wait_for(fd, POLLOUT, until, clock)) return ETIMEDOUT;
  int error = 0;
  socklen_t length = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

// What all of them do; where they connect to is theirs.
class SocketOutlet : public Outlet {
 public:
  Status connect(Nanos patience) override {
    socket_.reset();
    const auto until = add(clock_.instant(), patience);
    VAULT_TRY(open(until));
    return {};
  }

  Status send(std::string_view line, Nanos patience) override {
    const auto until = add(clock_.instant(), patience);
    if (is_datagram_) return send_datagram(line, until);
    VAULT_TRY(check_peer());
    std::string text(line);
    text += '\n';
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t count = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (count > 0) {
        rest.remove_prefix(static_cast<std::size_t>(count));
      } else {
        VAULT_TRY(after_failure(until));
      }
    }
    return {};
  }

  std::string where() const override { return where_; }

 protected:
  SocketOutlet(std::string where, Clock& clock) : clock_(clock), where_(std::move(where)) {}
  virtual Status open(Instant until) = 0;

  Error fault(std::string_view what, const std::string& why) const {
    return failure(Code::internal, where_ + ": " + std::string(what), why);
  }
  Status take(int fd, bool is_datagram, const sockaddr* address, socklen_t size, Instant until) {
    Descriptor made(fd);
    if (fd < 0) return fault("cannot connect", reason(errno));
    const int error = connect_to(fd, address, size, until, clock_);
    if (error != 0) return fault("cannot connect", reason(error));
    socket_ = std::move(made);
    is_datagram_ = is_datagram;
    return {};
  }
  Status open_unix(const std::string& path, int kind, Instant until) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
      return fault("cannot connect", "the path is longer than a socket's may be");
    path.copy(address.sun_path, path.size());
    return take(::socket(AF_UNIX, kind | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), kind == SOCK_DGRAM,
                reinterpret_cast<const sockaddr*>(&address), sizeof address, until);
  }

  Clock& clock_;

 private:
  Status send_datagram(std::string_view line, Instant until) {
    while (::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0) {
      if (errno == EMSGSIZE)
        return failure(Code::limited, where_ + ": a record is too long for a datagram",
                       std::to_string(line.size()) + " bytes");
      // Of a datagram before this one, for which nobody listened.
      if (errno == ECONNREFUSED) return fault("cannot send", reason(errno));
      VAULT_TRY(after_failure(until));
    }
    return {};
  }
  // A stream's peer that went away is told by what can be read: the end. What it says is not ours.
  Status check_peer() const {
    char ignored[512];
    for (;;) {
      const ssize_t count = ::recv(socket_.get(), ignored, sizeof ignored, MSG_DONTWAIT);
      if (count > 0) continue;
      if (count == 0) return fault("cannot send", "the peer closed the connection");
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return {};
      return fault("cannot send", reason(errno));
    }
  }
  Status after_failure(Instant until) const {
    if (errno == EINTR) return {};
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS)
      return fault("cannot send", reason(errno));
    if (wait_for(socket_.get(), POLLOUT, until, clock_)) return {};
    return fault("cannot send", "the peer takes nothing");
  }

  const std::string where_;
  Descriptor socket_;
  bool is_datagram_ = false;
};

class NetworkOutlet final : public SocketOutlet {
 public:
  NetworkOutlet(Transport transport, const std::string& address, Clock& clock)
      : SocketOutlet(
            "socket " + std::string(transport == Transport::udp ? "udp" : "tcp") + "://" + address,
            clock),
        kind_(transport == Transport::udp ? SOCK_DGRAM : SOCK_STREAM) {
    const std::size_t colon = address.rfind(':');
    host_ = address.substr(0, colon);
    port_ = address.substr(colon + 1);
    if (host_.size() > 2 && host_.front() == '[' && host_.back() == ']')
      host_ = host_.substr(1, host_.size() - 2);
  }

 private:
  Status open(Instant until) override {
    addrinfo wanted{};
    wanted.ai_socktype = kind_;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host_.c_str(), port_.c_str(), &wanted, &list);
    if (error != 0) return fault("cannot resolve its address", ::gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo*)> found(list, ::freeaddrinfo);
    Status last = fault("cannot connect", "its name has no address");
    for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
      last = take(::socket(one->ai_family, kind_ | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol),
                  kind_ == SOCK_DGRAM, one->ai_addr, one->ai_addrlen, until);
      if (last.ok()) break;
    }
    return last;
  }

  const int kind_;
  std::string host_, port_;
};

class UnixOutlet final : public SocketOutlet {
 public:
  UnixOutlet(std::string path, Clock& clock)
      : SocketOutlet("socket unix://" + path, clock), path_(std::move(path)) {}

 private:
  Status open(Instant until) override { return open_unix(path_, SOCK_STREAM, until); }
  const std::string path_;
};

class SyslogOutlet final : public SocketOutlet {
 public:
  SyslogOutlet(std::string path, int priority, const std::string& tag, Clock& clock)
      : SocketOutlet("syslog " + path, clock),
        path_(std::move(path)),
        priority_("<" + std::to_string(priority) + ">"),
        tag_(" " + tag + "[" + std::to_string(::getpid()) + "]: ") {}

  Status send(std::string_view line, Nanos patience) override {
    const std::time_t now = clock_.now().seconds();
    std::tm parts{};
    ::localtime_r(&now, &parts);
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    char time[32];
    std::snprintf(time, sizeof time, "%s %2d %02d:%02d:%02d", kMonths[parts.tm_mon % 12],
                  parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
    std::string text = priority_;
    text.append(time).append(tag_).append(line);
    return SocketOutlet::send(text, patience);
  }

 private:
  // Some systems listen on a stream.
  Status open(Instant until) override {
    if (open_unix(path_, SOCK_DGRAM, until).ok()) return {};
    return open_unix(path_, SOCK_STREAM, until);
  }
  const std::string path_, priority_, tag_;
};

}  // namespace

std::unique_ptr<Outlet> make_socket_outlet(Transport transport, const std::string& address,
                                           Clock& clock) {
  if (transport == Transport::unix_stream) return std::make_unique<UnixOutlet>(address, clock);
  return std::make_unique<NetworkOutlet>(transport, address, clock);
}

std::unique_ptr<Outlet> make_syslog_outlet(const std::string& path, int priority,
                                           const std::string& tag, Clock& clock) {
  return std::make_unique<SyslogOutlet>(path, priority, tag, clock);
}

}  // namespace leasehold::audit
