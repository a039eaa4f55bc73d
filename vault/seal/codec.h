#pragma once
// Reading and writing of the seal's records and frames: big-endian integers, and bytes preceded by
// their length. A `Reader` never reads past the end: the first short field makes it fail for good.
//
//   Writer out;  out.number(kind, 1);  out.bytes(policy, 2);  use(out.take());
//   Reader in(frame);  kind = in.number(1);  policy = in.bytes(2);  if (!in.finished()) refuse();
//
// Thread safety: none, one thread at a time.

#include <algorithm>
#include <string>

#include "vault/base/bytes.h"

namespace leasehold::seal {

class Writer {
 public:
  void number(std::uint64_t value, unsigned size) {
    std::uint8_t text[8];
    put_be(text, value, size);
    out_.append({text, size});
  }
  void raw(ByteView bytes) { out_.append(bytes); }
  // Bytes after their length, which must fit in `size` bytes.
  void bytes(ByteView what, unsigned size) {
    VAULT_ASSERT(size >= 8 || what.size() >> (8 * size) == 0);
    number(what.size(), size);
    raw(what);
  }
  void text(std::string_view what, unsigned size) { bytes(as_bytes(what), size); }
  std::size_t size() const { return out_.size(); }
  SecretBytes take() { return std::move(out_); }
  Bytes take_public() { return to_bytes(out_.reveal()); }

 private:
  SecretBytes out_;
};

class Reader {
 public:
  explicit Reader(ByteView bytes) : rest_(bytes) {}

  std::uint64_t number(unsigned size) {
    const ByteView field = raw(size);
    return field.size() == size ? get_be(field.data(), size) : 0;
  }
  ByteView raw(std::size_t size) {
    if (size > rest_.size()) failed_ = true;
    if (failed_) return {};
    const ByteView field = rest_.first(size);
    rest_ = rest_.subspan(size);
    return field;
  }
  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    const ByteView field = raw(N);
    std::copy(field.begin(), field.end(), out.begin());
    return out;
  }
  ByteView bytes(unsigned size, std::size_t max) {
    const std::uint64_t length = number(size);
    if (length > max) failed_ = true;
    return raw(length);
  }
  std::string text(unsigned size, std::size_t max) {
    return std::string(as_text(bytes(size, max)));
  }
  bool failed() const { return failed_; }
  ByteView rest() const { return rest_; }  // what is not read yet
  bool finished() const { return !failed_ && rest_.empty(); }

 private:
  ByteView rest_;
  bool failed_ = false;
};

}  // namespace leasehold::seal
