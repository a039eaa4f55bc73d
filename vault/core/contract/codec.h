#pragma once
// A small binary form for the core's own records (tokens, leases, receipts): fixed order,
// big-endian, texts with a 32-bit length, a version byte first. Reading past the end is an error,
// never a crash. Values; not thread-shared.
//
// A record can grow: behind its fixed part come fields (vault/base/grown_fields.h). A record
// without fields is the fixed part alone.
//
//   for (auto field = in.field(); field; field = in.field()) switch (field->tag) {
//     case kMountTag: token.mount = as_text(field->bytes); break;
//     default: in.keep(*field, token.unknown);
//   }

#include <optional>
#include <string>
#include <vector>

#include "vault/base/grown_fields.h"

namespace leasehold::core {

class Encoder {
 public:
  explicit Encoder(std::uint8_t version) {
    out_.reserve(kUsualSize);  // to grow is to copy and wipe
    out_.append(ByteView(&version, 1));
  }
  Encoder& number(std::uint64_t value) {
    std::uint8_t bytes[8];
    put_be(bytes, value, 8);
    out_.append(bytes);
    return *this;
  }
  Encoder& number(std::int64_t value) { return number(static_cast<std::uint64_t>(value)); }
  Encoder& flag(bool value) {
    const std::uint8_t byte = value ? 1 : 0;
    out_.append(ByteView(&byte, 1));
    return *this;
  }
  Encoder& fixed(ByteView bytes) {
    out_.append(bytes);
    return *this;
  }
  Encoder& text(std::string_view value) {
    std::uint8_t size[4];
    put_be(size, value.size(), 4);
    out_.append(size);
    out_.append(as_bytes(value));
    return *this;
  }
  Encoder& texts(const std::vector<std::string>& values) {
    number(static_cast<std::uint64_t>(values.size()));
    for (const std::string& value : values) text(value);
    return *this;
  }
  Encoder& field(std::uint8_t tag, ByteView bytes) {
    std::uint8_t head[kFieldHead] = {tag};
    put_be(head + 1, bytes.size(), 4);
    return fixed(head).fixed(bytes);
  }
  Encoder& field(std::uint8_t tag, std::string_view text) { return field(tag, as_bytes(text)); }
  Encoder& field(std::uint8_t tag, std::uint64_t number) {
    std::uint8_t bytes[8];
    put_be(bytes, number, 8);
    return field(tag, ByteView(bytes));
  }
  ByteView bytes() const { return out_.reveal(); }

 private:
  static constexpr std::size_t kUsualSize = 512;
  SecretBytes out_;
};

class Decoder {
 public:
  Decoder(ByteView bytes, std::uint8_t version) : rest_(bytes) {
    ok_ = !rest_.empty() && rest_[0] == version;
    if (ok_) rest_ = rest_.subspan(1);
  }
  std::uint64_t number() {
    const ByteView bytes = take(8);
    return ok_ ? get_be(bytes.data(), 8) : 0;
  }
  std::int64_t integer() { return static_cast<std::int64_t>(number()); }
  bool flag() {
    const ByteView bytes = take(1);
    return ok_ && bytes[0] != 0;
  }
  void fixed(std::span<std::uint8_t> out) {
    const ByteView bytes = take(out.size());
    if (ok_) std::memcpy(out.data(), bytes.data(), out.size());
  }
  std::string text() {
    const ByteView size = take(4);
    const ByteView bytes = ok_ ? take(get_be(size.data(), 4)) : ByteView();
    return ok_ ? std::string(as_text(bytes)) : std::string();
  }
  std::vector<std::string> texts() {
    std::vector<std::string> out;
    const std::uint64_t count = number();
    for (std::uint64_t i = 0; ok_ && i < count; ++i) out.push_back(text());
    return out;
  }
  // The next field behind the fixed part; nothing at the end, or where the record is damaged.
  std::optional<GrownField> field() {
    if (!ok_ || rest_.empty()) return std::nullopt;
    const auto field = take_field(rest_);
    ok_ = field.has_value();
    return field;
  }
  // A field that this version does not know: `unknown` is written back with Encoder::fixed().
  void keep(const GrownField& field, Bytes& unknown) {
    ok_ = ok_ && !field.is_critical();
    append(unknown, field.whole());
  }
  // Everything was read and nothing is left.
  bool whole() const { return ok_ && rest_.empty(); }

 private:
  ByteView take(std::size_t size) {
    ok_ = ok_ && size <= rest_.size();
    if (!ok_) return {};
    const ByteView taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
  }
  ByteView rest_;
  bool ok_ = true;
};

}  // namespace leasehold::core
