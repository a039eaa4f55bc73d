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

  char* data() { return data_; }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::size_t capacity() const { return capacity_; }
  std::span<char> bytes() { return {data_, size_}; }
  std::string_view text() const { return {data_, size_}; }

  void append(std::string_view more) {
    if (more.empty()) return;
    if (capacity_ - size_ < more.size()) grow(size_ + more.size());
    std::memcpy(data_ + size_, more.data(), more.size());
    size_ += more.size();
  }
  // Keeps the first `size` bytes.
  void shorten(std::size_t size) {
    wipe(data_ + size, size_ - size);
    size_ = size;
  }
  // Keeps what follows the first `count` bytes, in no more memory than that needs.
  void drop_front(std::size_t count) {
    WipedBuffer rest;
    rest.append(text().substr(count));
    std::swap(data_, rest.data_);
    std::swap(size_, rest.size_);
    std::swap(capacity_, rest.capacity_);
  }
  void release() {
    if (data_ != nullptr) {
      wipe(data_, size_);
      std::free(data_);
    }
    data_ = nullptr;
    size_ = capacity_ = 0;
  }

 private:
  void grow(std::size_t least) {
    const std::size_t capacity = least > 2 * capacity_ ? least : 2 * capacity_;
    char* fresh = static_cast<char*>(std::malloc(capacity));
    VAULT_ASSERT(fresh != nullptr);
    if (size_ > 0) std::memcpy(fresh, data_, size_);
    const std::size_t size = size_;
    release();
    data_ = fresh;
    size_ = size;
    capacity_ = capacity;
  }

  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace leasehold::server
