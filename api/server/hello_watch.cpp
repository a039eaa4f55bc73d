#include "api/server/hello_watch.h"

#include <algorithm>

namespace leasehold::server {
namespace {

constexpr std::uint8_t kHandshakeRecord = 22;
constexpr int kMessageHeader = 4;

}  // namespace

bool HelloWatch::passes(std::string_view bytes) {
  while (!bytes.empty()) {
    if (record_left_ == 0) {
      record_[record_header_++] = static_cast<std::uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (record_header_ < record_.size()) continue;
      record_header_ = 0;
      record_left_ = record_[3] * std::size_t{256} + record_[4];
      continue;
    }
    const std::string_view part = bytes.substr(0, record_left_);
    if (record_[0] == kHandshakeRecord && !messages_pass(part)) return false;
    record_left_ -= part.size();
    bytes.remove_prefix(part.size());
  }
  return true;
}

bool HelloWatch::messages_pass(std::string_view bytes) {
  while (!bytes.empty()) {
    if (message_left_ > 0) {
      const std::size_t skipped = std::min(message_left_, bytes.size());
      message_left_ -= skipped;
      bytes.remove_prefix(skipped);
      continue;
    }
    message_ = message_ << 8 | static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    if (++message_header_ < kMessageHeader) continue;
    message_header_ = 0;
    message_left_ = message_ & 0xffffff;
    if (message_left_ > kMessageMax) return false;
  }
  return true;
}

}  // namespace leasehold::server
