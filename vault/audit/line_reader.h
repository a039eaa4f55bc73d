#pragma once
// Lines of a file, one at a time, in memory bounded by the longest line. Thread safety: a value.

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "vault/audit/format.h"

namespace leasehold::audit {

class LineReader {
 public:
  // Code::not_found when the file cannot be read.
  static Result<LineReader> open(const std::string& path);

  enum class Next { line, torn, end, too_long, unreadable };
  // The next line without its newline, valid until the next call. `torn`: bytes without a newline
  // at the end of the file.
  Next next(std::string_view& line);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  explicit LineReader(std::FILE* file) : file_(file) {}
  bool fill();

  std::unique_ptr<std::FILE, Close> file_;
  std::string buffer_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace leasehold::audit
