#pragma once
// Bytes of a connection, which may be secret: wiped wherever they have been. Copies blocks, where a
// vector with an allocator of its own goes byte by byte. Thread safety: a value of one connection.

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "vault/base/bytes.h"

namespace leasehold::server {

class WipedBuffer {
 public:
  WipedBuffer() = default;
  WipedBuffer(const WipedBuffer&) = delete;
  WipedBuffer& operator=(const WipedBuffer&) = delete;
  ~WipedBuffer() { release(); }

  char* data() { return data_ + begin_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  std::span<char> bytes() { return {data(), size_}; }
  std::string_view text() const { return {data_ + begin_, size_}; }

  void append(std::string_view more) {
    if (more.empty()) return;
    if (capacity_ - begin_ - size_ < more.size()) grow(size_ + more.size());
    std::memcpy(data() + size_, more.data(), more.size());
    size_ += more.size();
  }
  // Keeps the first `size` bytes.
  void shorten(std::size_t size) {
    wipe(data() + size, size_ - size);
    size_ = size;
  }
  // Keeps what follows the first `count` bytes, in less than twice the memory that needs: it moves
  // only when half of it is gone, so that dropping many small pieces copies each byte twice at
  // most.
  void drop_front(std::size_t count) {
    wipe(data(), count);
    begin_ += count;
    size_ -= count;
    if (size_ == 0) return release();
    if (size_ <= capacity_ / 2) move_to(size_);
  }
  void release() {
    if (data_ != nullptr) {
      wipe(data(), size_);
      std::free(data_);
    }
    data_ = nullptr;
    begin_ = size_ = capacity_ = 0;
  }

 private:
  void grow(std::size_t least) { move_to(least > 2 * capacity_ ? least : 2 * capacity_); }
  void move_to(std::size_t capacity) {
    char* fresh = static_cast<char*>(std::malloc(capacity));
    VAULT_ASSERT(fresh != nullptr);
    if (size_ > 0) std::memcpy(fresh, data(), size_);
    const std::size_t size = size_;
    release();
    data_ = fresh;
    size_ = size;
    capacity_ = capacity;
  }

  char* data_ = nullptr;
  std::size_t begin_ = 0;  // of what is kept
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace leasehold::server
