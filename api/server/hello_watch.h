#pragma once
// Looks at the plain records of a TLS handshake on their way to OpenSSL, which takes a ClientHello
// of up to 131,396 bytes, and the zeroed memory for it, as soon as the four bytes of its header are
// there: ten bytes of a stranger for 128 KiB of ours. A message that announces more than OpenSSL
// has set aside for one anyway is refused before (RFC 8446, sections 4 and 5.1).
//
// Headers may come byte by byte, over records as short as one byte, and a second ClientHello may
// follow what is no handshake message. Thread safety: a value of one connection.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leasehold::server {

class HelloWatch {
 public:
  // A ClientHello with a ticket, post-quantum shares and a long list of protocols has 4 KiB.
  static constexpr std::size_t kMessageMax = (16u << 10) - 4;

  // The bytes that follow those of before. False: a message is announced that is too large.
  bool passes(std::string_view bytes);

 private:
  bool messages_pass(std::string_view bytes);

  std::array<std::uint8_t, 5> record_{};  // its header: type, version, size
  std::size_t record_header_ = 0;         // bytes of it that are there
  std::size_t record_left_ = 0;
  std::uint32_t message_ = 0;  // its header: type, size
  int message_header_ = 0;
  std::size_t message_left_ = 0;
};

}  // namespace leasehold::server
