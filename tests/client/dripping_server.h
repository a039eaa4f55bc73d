#pragma once
// A server on loopback whose answer never ends: a byte of a header every 100 ms, until the client
// is gone. Serves as many connections as come, one after the other.

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace leasehold::testing {

class DrippingServer {
 public:
  DrippingServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof any;
    auto* address = reinterpret_cast<sockaddr*>(&any);
    REQUIRE(::bind(listener_, address, size) == 0);
    REQUIRE(::listen(listener_, 4) == 0);
    REQUIRE(::getsockname(listener_, address, &size) == 0);
    port_ = ntohs(any.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  DrippingServer(const DrippingServer&) = delete;
  DrippingServer& operator=(const DrippingServer&) = delete;
  ~DrippingServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  static bool is_gone(int fd, int millis) {
    pollfd watched{fd, POLLRDHUP, 0};
    return ::poll(&watched, 1, millis) != 0;
  }
  void serve() const {
    for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) {
      const std::string start = "HTTP/1.1 200 OK\r\nX-Slow: ";
      if (::send(fd, start.data(), start.size(), MSG_NOSIGNAL) < 0) continue;
      while (!is_gone(fd, 100) && ::send(fd, "a", 1, MSG_NOSIGNAL) == 1) continue;
    }
  }

  int listener_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace leasehold::testing
