#pragma once
// A server on loopback that speaks PostgreSQL's protocol, version 3, and answers every query with
// the bytes the test gives it: what a broken, or hostile, "PostgreSQL" could say. It says that each
// session's process is 1.
// Source: PostgreSQL 15 documentation, 55.2 and 55.7. Thread-safe; serves connections side by side.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "vault/base/result.h"

namespace leasehold::testing {

class TalkingServer {
 public:
  // Bytes to send after the query; asked again and again while it returns `more`.
  struct Answer {
    std::string bytes;
    bool more = false;
  };
  using Answers = std::function<Answer(const std::string& query)>;

  // Of what a client begins with, the bytes to send instead of letting it in; "": none.
  using Refusal = std::function<std::string(const std::string& begin)>;

  explicit TalkingServer(Answers answers, Refusal refusal = {})
      : answers_(std::move(answers)), refusal_(std::move(refusal)) {
    listening_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    VAULT_ASSERT(bind(listening_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    VAULT_ASSERT(listen(listening_, 8) == 0);
    VAULT_ASSERT(getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~TalkingServer() {
    stopping_ = true;
    accepting_.join();
    for (std::thread& one : serving_) one.join();
    close(listening_);
  }
  TalkingServer(const TalkingServer&) = delete;
  TalkingServer& operator=(const TalkingServer&) = delete;

  std::string url() const {
    return "postgresql://someone@127.0.0.1:" + std::to_string(port_) + "/app?sslmode=disable";
  }

  static std::string message(char type, const std::string& body) {
    return type + be32(static_cast<std::uint32_t>(body.size() + 4)) + body;
  }
  // RowDescription of text columns.
  static std::string columns(std::size_t count) {
    std::string body = be16(static_cast<std::uint16_t>(count));
    for (std::size_t i = 0; i < count; ++i)
      body += std::string("c\0", 2) + be32(0) + be16(0) + be32(25) + be16(0xffff) +
              be32(0xffffffff) + be16(0);
    return message('T', body);
  }
  static std::string row(const std::vector<std::string>& values) {
    std::string body = be16(static_cast<std::uint16_t>(values.size()));
    for (const auto& value : values) body += be32(static_cast<std::uint32_t>(value.size())) + value;
    return message('D', body);
  }
  static std::string end() { return message('C', std::string("SELECT 1\0", 9)) + ready(); }
  static std::string one_row(const std::vector<std::string>& values) {
    return columns(values.size()) + row(values) + end();
  }

 private:
  static std::string be16(std::uint16_t value) {
    return {static_cast<char>(value >> 8), static_cast<char>(value)};
  }
  static std::string be32(std::uint32_t value) {
    return be16(static_cast<std::uint16_t>(value >> 16)) + be16(static_cast<std::uint16_t>(value));
  }
  static std::string ready() { return message('Z', "I"); }

  bool readable(int fd) const {
    while (!stopping_) {
      pollfd waiting{fd, POLLIN, 0};
      if (poll(&waiting, 1, 20) > 0) return true;
    }
    return false;
  }
  void accept_all() {
    while (readable(listening_)) {
      const int fd = accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) serving_.emplace_back([this, fd] { serve(fd), close(fd); });
    }
  }
  bool take(int fd, std::size_t count, std::string& into) const {
    into.clear();
    while (into.size() < count && readable(fd)) {
      char part[4096];
      const auto got = recv(fd, part, std::min(sizeof part, count - into.size()), 0);
      if (got <= 0) return false;
      into.append(part, static_cast<std::size_t>(got));
    }
    return into.size() == count;
  }
  bool take_sized(int fd, std::string& into) const {  // what a length of four bytes announces
    if (!take(fd, 4, into)) return false;
    std::uint32_t size = 0;
    for (const char c : into) size = size << 8 | static_cast<unsigned char>(c);
    return take(fd, size - 4, into);
  }
  bool give(int fd, const std::string& bytes) const {
    for (std::size_t sent = 0; sent < bytes.size() && !stopping_;) {
      const auto some =
          send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (some > 0) {
        sent += static_cast<std::size_t>(some);
        continue;
      }
      pollfd waiting{fd, POLLOUT, 0};
      if (some < 0 && errno != EAGAIN) return false;
      poll(&waiting, 1, 20);
    }
    return !stopping_;
  }
  void serve(int fd) const {
    std::string text;
    if (!take_sized(fd, text)) return;
    if (const std::string refused = refusal_ ? refusal_(text) : ""; !refused.empty()) {
      give(fd, refused);
      return;
    }
    if (!give(fd, message('R', be32(0)) + message('K', be32(1) + be32(1)) + ready())) return;
    while (take(fd, 1, text) && text == "Q" && take_sized(fd, text)) {
      Answer answer{{}, true};
      while (answer.more) {
        answer = answers_(text);
        if (!give(fd, answer.bytes)) return;
      }
    }
  }

  const Answers answers_;
  const Refusal refusal_;
  std::atomic<bool> stopping_{false};
  int listening_ = -1, port_ = 0;
  std::thread accepting_;
  std::vector<std::thread> serving_;
};

}  // namespace leasehold::testing
