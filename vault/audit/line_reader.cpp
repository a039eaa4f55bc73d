#include "vault/audit/line_reader.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace leasehold::audit {
namespace {
constexpr std::size_t kReadSize = 256 * 1024;
}  // namespace

Result<LineReader> LineReader::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr)
    return failure(Code::not_found, path + ": " + std::generic_category().message(errno));
  return LineReader(file);
}

bool LineReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t before = buffer_.size();
  buffer_.resize(before + kReadSize);
  const std::size_t count = std::fread(buffer_.data() + before, 1, kReadSize, file_.get());
  buffer_.resize(before + count);
  failed_ = std::ferror(file_.get()) != 0;
  return count > 0;
}

LineReader::Next LineReader::next(std::string_view& line) {
  std::size_t sought = 0;  // without a newline, from at_ on
  for (;;) {
    const std::size_t newline = buffer_.find('\n', at_ + sought);
    if (newline != std::string::npos) {
      line = std::string_view(buffer_).substr(at_, newline - at_);
      at_ = newline + 1;
      return Next::line;
    }
    sought = buffer_.size() - at_;
    if (sought > kLineBytesMax) return Next::too_long;
    if (fill()) continue;
    if (failed_) return Next::unreadable;
    line = std::string_view(buffer_).substr(at_);
    at_ = buffer_.size();
    return line.empty() ? Next::end : Next::torn;
  }
}

}  // namespace leasehold::audit
