#pragma once
// What cpp-httplib writes a request and reads its answer through. The library bounds the length of
// a header once it has read it, and neither their number nor a line that does not end; and a long
// first line ends the process, because it is matched with a recursive regular expression. Here that
// line, the head of an answer and all of its bytes are bounded, as is the time they take: beyond
// that the connection reads as broken.
//
// Not thread-safe; the socket, which does not block, the TLS session and the rest outlive it.

#include <httplib.h>

#include <array>
#include <string>
#include <string_view>

#include "api/client/deadline.h"
#include "vault/base/bytes.h"

namespace leasehold::client {

inline constexpr std::size_t kFirstLineMax = 1u << 10;
inline constexpr std::size_t kHeadBytesMax = 64u << 10;
// Of an answer as it comes: its body and what chunks add to it.
inline constexpr std::size_t kAnswerBytesMax = 128u << 20;

// Of the answer that is read, between the stream and the caller.
struct AnswerProgress {
  bool reads_ahead = true;       // set by the caller: not where TLS follows the head
  bool head_is_over = false;     // set by the caller when the body begins
  std::string_view too_large{};  // what is, in words: set by the stream, which read no further
  std::string head{};            // as it came, with those that came before it
};

class AnswerStream final : public httplib::Stream {
 public:
  // `tls`: null for a plain connection.
  AnswerStream(int socket, SSL* tls, const Deadline& deadline, AnswerProgress& progress)
      : socket_(socket), tls_(tls), deadline_(deadline), progress_(progress) {}

  // What was read and not asked for may be part of a secret.
  ~AnswerStream() override { wipe(buffer_.data(), buffer_.size()); }
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* to, std::size_t size) override;
  ssize_t write(const char* bytes, std::size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return socket_; }

 private:
  std::string_view too_large() const;
  ssize_t receive(char* to, std::size_t size);

  const int socket_;
  SSL* const tls_;
  const Deadline& deadline_;
  AnswerProgress& progress_;
  std::size_t handed_over_ = 0;
  std::size_t line_ = 0;  // where the line of the head begins
  // The library reads lines byte by byte.
  std::array<char, 4096> buffer_;
  std::size_t from_ = 0, to_ = 0;
};

}  // namespace leasehold::client
