#pragma once
// The lines of a file from its end to its beginning, in memory bounded by the longest line.
// Thread safety: a value; reads with pread(), so the file's position stays.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leasehold::audit {

class LinesBackward {
 public:
  LinesBackward(int fd, std::uint64_t size) : fd_(fd), at_(size) {}

  // First: what stands behind the last newline, empty when nothing does.
  std::optional<std::string> half_line();
  // Then the next whole line towards the beginning, without its newline, valid until the next call;
  // nothing at the beginning of the file, or when it could not be read.
  std::optional<std::string_view> next();
  // The file cannot be read, or holds more bytes without a newline than a line may have.
  bool failed() const { return failed_; }

 private:
  bool grow();

  const int fd_;
  std::uint64_t at_;     // the file's bytes from here on are in buffer_ ...
  std::string buffer_;   // ... and the first end_ of them were not handed out
  std::size_t end_ = 0;  // behind a newline, once half_line() has run
  bool failed_ = false;
};

}  // namespace leasehold::audit
