#pragma once
// The `Date` header (RFC 9110, section 6.6.1), made anew once a second: a client that caches by
// age, as the agents do, refuses an answer without it. Not thread-safe: one per io thread.

#include <array>
#include <string_view>

#include "vault/base/clock.h"

namespace leasehold::server {

class HttpDate {
 public:
  // "Sun, 06 Nov 1994 08:49:37 GMT"; valid until the next call.
  std::string_view text(WallTime now) {
    if (now.seconds() != second_) print(now.seconds());
    return {text_.data(), kSize};
  }

 private:
  static constexpr std::size_t kSize = 29;
  void print(std::int64_t second);

  std::int64_t second_ = -1;
  std::array<char, kSize + 1> text_{};
};

}  // namespace leasehold::server
