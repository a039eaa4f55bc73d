#include "backends/audit/lines_backward.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "vault/audit/format.h"

namespace leasehold::audit {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;

bool read_at(int fd, std::uint64_t at, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::pread(fd, to, size, static_cast<off_t>(at));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    to += count;
    at += static_cast<std::uint64_t>(count);
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

// Twice as much each time, so that a long line is not copied often. False: nothing is left, or it
// failed.
bool LinesBackward::grow() {
  failed_ = failed_ || end_ > kLineBytesMax;
  if (failed_ || at_ == 0) return false;
  const std::size_t step = std::min<std::uint64_t>(std::max(kReadSize, end_), at_);
  std::string longer(step + end_, '\0');
  failed_ = !read_at(fd_, at_ - step, longer.data(), step);
  if (failed_) return false;
  std::copy_n(buffer_.data(), end_, longer.data() + step);
  buffer_ = std::move(longer);
  at_ -= step;
  end_ += step;
  return true;
}

std::optional<std::string> LinesBackward::half_line() {
  std::size_t newline = std::string::npos;
  while (newline == std::string::npos && grow()) newline = buffer_.rfind('\n');
  if (failed_) return std::nullopt;
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  std::string half = buffer_.substr(begin, end_ - begin);
  end_ = begin;
  return half;
}

std::optional<std::string_view> LinesBackward::next() {
  const auto before = [this] {
    return end_ < 2 ? std::string::npos : buffer_.rfind('\n', end_ - 2);
  };
  std::size_t newline = before();
  while (newline == std::string::npos && grow()) newline = before();
  if (failed_ || end_ == 0) return std::nullopt;
  const std::size_t begin = newline == std::string::npos ? 0 : newline + 1;
  const auto line = std::string_view(buffer_).substr(begin, end_ - 1 - begin);
  end_ = begin;
  return line;
}

}  // namespace leasehold::audit
