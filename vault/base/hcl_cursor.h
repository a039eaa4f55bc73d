#pragma once
// The reading end of an HCL text: where we stand, on which line, and the literals of the language.
// Used by hcl.cpp (native syntax) and hcl_json.cpp (the same tree from JSON) only. Errors are
// `Code::invalid`, begin with "line N: " and quote none of the text.

#include <string>
#include <string_view>
#include <vector>

#include "vault/base/hcl.h"

namespace leasehold {

inline constexpr std::size_t kHclBytesMax = 1u << 20;
inline constexpr int kHclDepthMax = 32;

class HclCursor {
 public:
  explicit HclCursor(std::string_view text) : text_(text) {}

  int line() const { return line_; }
  int column() const { return static_cast<int>(at_ - line_begin_) + 1; }  // in bytes, from 1
  bool at_end() const { return at_ == text_.size(); }
  char peek(std::size_t ahead = 0) const {  // NUL past the end; the text itself holds none
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  char take();
  bool accept(char c);
  std::size_t position() const { return at_; }
  std::string_view since(std::size_t start) const { return text_.substr(start, at_ - start); }

  Status skip_blank();  // white space and comments
  bool at_name() const;
  std::string_view name();        // letters, digits, `_`, `-`, `.`
  Result<std::string> quoted();   // from `"` to `"`
  Result<std::string> heredoc();  // from `<<` to the end of the marker
  Result<Json> number();          // hexadecimal and octal become decimal
  Error error(std::string_view what) const;
  static Error error_at(int line, std::string_view what);

 private:
  Status skip_block_comment();
  std::size_t size_in_quotes() const;
  Status escape(std::string& out);
  Status code_point(std::string& out, unsigned digits);
  std::string_view take_line();  // without its end

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t line_begin_ = 0;
  int line_ = 1;
};

// hcl_json.cpp; `text` is of bounded size and begins with `{`.
Result<HclBody> parse_hcl_json(std::string_view text, const std::vector<std::string>& block_types);

}  // namespace leasehold
