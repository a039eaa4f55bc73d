#pragma once
// A non-blocking connection, plain or TLS, watched edge-triggered: it remembers whether the kernel
// may have more to read, so that a request costs one recv and one send, under TLS too.
//
//   socket.note_readable();                 // the loop saw EPOLLIN
//   const IoResult got = socket.read(into);  // bytes, or would_block, ended, failed
//
// Thread safety: one thread.

#include <openssl/ssl.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "api/server/hello_watch.h"

namespace leasehold::server {

enum class Io : std::uint8_t { done, would_block, ended, failed };
struct IoResult {
  Io status = Io::done;
  std::size_t bytes = 0;
};

class Socket {
 public:
  // Takes the descriptor over. `context` null: plain.
  Socket(int fd, SSL_CTX* context);
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket();

  int fd() const { return fd_; }
  bool secure() const { return tls_ != nullptr; }
  bool usable() const { return fd_ >= 0; }

  void note_readable() { readable_ = true; }
  // The peer sent its FIN: after the data there is an end to read.
  void note_peer_closed() { readable_ = peer_closed_ = true; }

  // Under TLS a turn reads only so much: what brings no data to this side (key updates, records
  // without content) would else be read on and on inside of one read(). When it is over, read() and
  // handshake() say would_block, and there may be more.
  void begin_turn() { left_in_turn_ = kTurnBytes; }
  bool turn_is_over() const { return tls_ && left_in_turn_ == 0 && readable_; }
  // The kernel may have something to read.
  bool readable() const { return readable_; }

  // done, would_block or failed.
  Io handshake();
  // The peer spoke plain HTTP to a TLS socket.
  bool plain_http_seen() const { return plain_http_; }
  // Of the certificate that the client showed, in decimal; empty: none. After the handshake.
  std::string certificate_serial() const;
  IoResult read(std::span<char> into);
  IoResult write(std::string_view what);
  // What is there, below the TLS layer; it stays to be read, up to what take() removes. After a
  // look that was not enough, rest() until more comes.
  IoResult peek(std::span<char> into);
  void take(std::span<char> into);
  void rest() { readable_ = false; }
  // Reads what nobody will look at, below the TLS layer.
  IoResult discard(std::span<char> into) { return receive(into); }
  // As write, past the TLS layer.
  void write_plain(std::string_view what);
  // No more from us; the peer may go on sending.
  void shut_writing();
  // All that was sent, and the end of it, is acknowledged by the peer's machine; over a unix socket
  // it was read. Stays false when the connection breaks first.
  bool all_arrived() const;
  bool is_lost() const { return lost_; }  // an error ended it

 private:
  friend int socket_bio_read(BIO*, char*, int);
  friend int socket_bio_write(BIO*, const char*, int);
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  static constexpr std::size_t kTurnBytes = 32u << 10;
  // From one piece of application data to the next: a handshake, or a record with renewed keys
  // around it, has less.
  static constexpr std::size_t kIdleBytes = 32u << 10;

  bool lost();
  bool may_send_hello() const;
  IoResult receive(std::span<char> into);
  IoResult receive_records(std::span<char> into);
  IoResult send(std::string_view what);
  IoResult tls_outcome(int result);

  int fd_;
  bool readable_ = false;
  bool peer_closed_ = false;
  bool plain_http_ = false;
  bool lost_ = false;  // a call said that the connection is broken
  std::size_t left_in_turn_ = kTurnBytes;
  HelloWatch hello_;
  std::size_t idle_bytes_ = 0;  // since there was application data
  bool broken_ = false;         // after a fatal TLS error OpenSSL must not be asked to shut down
  std::unique_ptr<SSL, SslFree> tls_;
};

}  // namespace leasehold::server
