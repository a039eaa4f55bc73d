#pragma once
// A server on loopback that says what it was told to, whatever it is asked. Serves as many
// connections as come, one after the other.
//
//   RawServer server("HTTP/1.1 200 OK\r\n", "X: y\r\n");  // a head that never ends

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>

namespace leasehold::testing {

class RawServer {
 public:
  // Behind the first bytes that it reads it sends `first`, and then `more` again and again with
  // pauses, until the client is gone. Without `more` it closes when `first` says so.
  explicit RawServer(std::string first, std::string more = {}, int pause_millis = 0)
      : first_(std::move(first)),
        more_(std::move(more)),
        pause_millis_(pause_millis),
        listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
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
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;
  ~RawServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  static bool is_gone(int fd, int millis) {
    pollfd watched{fd, POLLRDHUP, 0};
    return ::poll(&watched, 1, millis) != 0;
  }
  static bool send(int fd, const std::string& bytes) {
    return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0;
  }
  void answer(int fd) const {
    char asked[4096];
    if (::recv(fd, asked, sizeof asked, 0) <= 0 || !send(fd, first_)) return;
    while (!more_.empty() && !is_gone(fd, pause_millis_))
      if (!send(fd, more_)) return;
    if (first_.find("Connection: close") == std::string::npos) is_gone(fd, -1);
  }
  void serve() const {
    for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) answer(fd);
  }

  const std::string first_, more_;
  const int pause_millis_;
  int listener_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace leasehold::testing
