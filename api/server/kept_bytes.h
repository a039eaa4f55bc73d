#pragma once
// How much the connections of one io thread keep in memory: messages that are not whole, answers
// that are not sent, bodies of requests in flight, handshakes. Over the limit a connection that
// keeps more than an equal share gives way. One that keeps less never has to, unless it is one of
// many handshakes: a few large requests cannot displace many small ones. Memory that was needed for
// a while goes back to the system. Thread safety: one thread.

#include <malloc.h>

#include <cstddef>

namespace leasehold::server {

class KeptBytes {
 public:
  KeptBytes(std::size_t limit, std::size_t connections)
      : limit_(limit), share_(limit / connections) {}

  // What OpenSSL takes for one: a message, the records of both directions, the rest.
  static constexpr std::size_t kHandshake = 64u << 10;

  std::size_t limit() const { return limit_; }
  std::size_t share() const { return share_; }
  bool fits(std::size_t more) const { return total_ + more <= limit_; }
  // One connection keeps `now` bytes instead of `before`.
  void change(std::size_t before, std::size_t now) {
    if (before == now) return;
    total_ += now - before;
    if (total_ > peak_) peak_ = total_;
    if (peak_ > kWorthReturning && total_ < peak_ / 8) give_back();
  }

 private:
  static constexpr std::size_t kWorthReturning = 64u << 20;

  // The allocator holds on to what is freed between blocks in use.
  void give_back() {
    peak_ = total_;
    ::malloc_trim(0);
  }

  const std::size_t limit_, share_;
  std::size_t total_ = 0;
  std::size_t peak_ = 0;  // since memory was last given back
};

}  // namespace leasehold::server
