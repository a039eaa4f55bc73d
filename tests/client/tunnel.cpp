#include "tests/client/tunnel.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace leasehold::testing {
namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

// Whether there was something to pass on.
bool pass(int from, int to) {
  char buffer[4096];
  const ssize_t got = ::read(from, buffer, sizeof buffer);
  return got > 0 && ::write(to, buffer, static_cast<std::size_t>(got)) == got;
}

void pump(int one, int other) {
  pollfd ends[] = {{one, POLLIN, 0}, {other, POLLIN, 0}};
  while (::poll(ends, 2, -1) > 0) {
    if (ends[0].revents != 0 && !pass(one, other)) return;
    if (ends[1].revents != 0 && !pass(other, one)) return;
  }
}

}  // namespace

Tunnel::Tunnel(int port) : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const sockaddr_in any = loopback(0);
  REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
  REQUIRE(::listen(listener_, 1) == 0);
  thread_ = std::thread([this, port] { serve(port); });
}

Tunnel::~Tunnel() {
  ::shutdown(listener_, SHUT_RDWR);  // ends an accept that nobody came to
  if (thread_.joinable()) thread_.join();
  ::close(listener_);
}

std::string Tunnel::address() const {
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size);
  return "127.0.0.1:" + std::to_string(ntohs(own.sin_port));
}

std::string Tunnel::request() {
  thread_.join();
  return request_;
}

void Tunnel::serve(int port) {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  char c = 0;
  while (request_.find("\r\n\r\n") == std::string::npos && ::read(client, &c, 1) == 1)
    request_ += c;
  const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in to = loopback(port);
  constexpr std::string_view kDone = "HTTP/1.1 200 OK\r\n\r\n";
  if (::connect(server, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0 &&
      ::write(client, kDone.data(), kDone.size()) > 0)
    pump(client, server);
  ::close(server);
  ::close(client);
}

}  // namespace leasehold::testing
