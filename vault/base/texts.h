#pragma once
// Texts back to back in one allocation: made by appending, read as views, cleared for reuse.
// Thread safety: a value.

#include <string>
#include <string_view>
#include <vector>

namespace leasehold {

class Texts {
 public:
  // Append the next text here, then end() it.
  std::string& next() { return text_; }
  void end() { ends_.push_back(text_.size()); }
  void push_back(std::string_view text) {
    text_ += text;
    end();
  }

  std::size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  std::size_t bytes() const { return text_.size(); }
  std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }
  // Valid until the next change.
  void append_views(std::vector<std::string_view>& to) const {
    for (std::size_t i = 0; i < size(); ++i) to.push_back((*this)[i]);
  }
  std::vector<std::string_view> views() const {
    std::vector<std::string_view> all;
    append_views(all);
    return all;
  }
  // Keeps what was allocated, up to `kept` bytes.
  void clear(std::size_t kept = 64u << 10) {
    if (text_.capacity() > kept) text_ = std::string();
    text_.clear();
    ends_.clear();
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

}  // namespace leasehold
