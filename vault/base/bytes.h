#pragma once
// Bytes, and bytes that are secret.
//
// `SecretBytes` lives as long as a request: move-only, wiped when freed, never printed, compared in
// constant time. `SecretKey<N>` lives as long as the process: its bytes stand in the one locked
// arena (mlocked, out of core dumps). The only door to either is `reveal()`; `grep -rn 'reveal()'`
// is the review. Thread safety: values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/result.h"

namespace leasehold {

using ByteView = std::span<const std::uint8_t>;
using Bytes = std::vector<std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(ByteView view) { return {view.begin(), view.end()}; }
inline void append(Bytes& to, ByteView what) { to.insert(to.end(), what.begin(), what.end()); }
// Byte order of storage keys. Not for secrets.
int compare(ByteView a, ByteView b);

// Overwrites what the optimiser must not drop.
void wipe(void* data, std::size_t size);
inline void wipe(std::string& text) { wipe(text.data(), text.size()); }
// The one comparison of secrets: time depends on the length only. Unequal lengths are unequal.
bool equal_constant_time(ByteView a, ByteView b);

// Bytes that are wiped before their memory is given back. New ones are zero.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) { resize(size); }
  explicit SecretBytes(ByteView from) { append(from); }
  explicit SecretBytes(std::string_view from) : SecretBytes(as_bytes(from)) {}
  SecretBytes(SecretBytes&& other) noexcept { swap(other); }
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    SecretBytes(std::move(other)).swap(*this);
    return *this;
  }
  SecretBytes(const SecretBytes&) = delete;
  SecretBytes& operator=(const SecretBytes&) = delete;
  ~SecretBytes() { release(); }

  ByteView reveal() const { return {data_, size_}; }
  std::span<std::uint8_t> writable() { return {data_, size_}; }
  void append(ByteView more);  // `more` may not lie within
  void reserve(std::size_t size);
  void resize(std::size_t size);
  void drop_front(std::size_t size);
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  SecretBytes clone() const { return SecretBytes(reveal()); }
  void swap(SecretBytes& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }
  bool operator==(const SecretBytes& other) const {
    return equal_constant_time(reveal(), other.reveal());
  }

 private:
  void release();
  std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0, capacity_ = 0;
};

// The locked arena for process-lifetime keys: 64 KiB of sodium_malloc, made on first use, and 64
// KiB more whenever that is full. `arena_is_locked()` says whether mlock really held for all of it
// (libsodium 1.0.18 ignores a failure).
void* arena_take(std::size_t size);
void arena_give(void* data, std::size_t size);
bool arena_is_locked();

template <std::size_t N>
class SecretKey {
 public:
  SecretKey() : data_(static_cast<std::uint8_t*>(arena_take(N))) {}
  explicit SecretKey(ByteView from) : SecretKey() {
    VAULT_ASSERT(from.size() == N);
    std::memcpy(data_, from.data(), N);
  }
  SecretKey(SecretKey&& other) noexcept : data_(std::exchange(other.data_, nullptr)) {}
  SecretKey& operator=(SecretKey&& other) noexcept {
    std::swap(data_, other.data_);
    return *this;
  }
  SecretKey(const SecretKey&) = delete;
  SecretKey& operator=(const SecretKey&) = delete;
  ~SecretKey() {
    if (data_ != nullptr) arena_give(data_, N);
  }

  ByteView reveal() const { return {data_, N}; }
  std::span<std::uint8_t> writable() { return {data_, N}; }
  SecretKey clone() const { return SecretKey(reveal()); }
  bool operator==(const SecretKey& other) const {
    return equal_constant_time(reveal(), other.reveal());
  }

 private:
  std::uint8_t* data_;
};

// Big-endian integers, as every format of ours writes them.
inline void put_be(std::uint8_t* to, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i)
    to[i] = static_cast<std::uint8_t>(value >> (8 * (bytes - 1 - i)));
}
inline std::uint64_t get_be(const std::uint8_t* from, unsigned bytes) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) value = value << 8 | from[i];
  return value;
}
inline void append_be(Bytes& to, std::uint64_t value, unsigned bytes) {
  to.resize(to.size() + bytes);
  put_be(to.data() + to.size() - bytes, value, bytes);
}

}  // namespace leasehold
