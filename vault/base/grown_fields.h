#pragma once
// Fields that a record can grow. Behind the fixed part of each record of ours, stored or in a
// backup, come any number of them: tag[1] | length[4] | bytes. A version that does not know a field
// keeps it and writes it back, so that it does not lose what a newer one stored; where the tag has
// kCritical set it must refuse the record instead. Nothing when a field is cut; values, thread
// safety as such.

#include <optional>

#include "vault/base/bytes.h"

namespace leasehold {

inline constexpr std::uint8_t kCritical = 0x80;  // of a field's tag
inline constexpr std::size_t kFieldHead = 1 + 4;

// Into the record that is being read.
struct GrownField {
  std::uint8_t tag = 0;
  ByteView bytes;

  bool is_critical() const { return (tag & kCritical) != 0; }
  // The value of a field that was written as a number; anything else is 0.
  std::uint64_t number() const { return bytes.size() == 8 ? get_be(bytes.data(), 8) : 0; }
  // With its head, as it is written back.
  ByteView whole() const { return {bytes.data() - kFieldHead, bytes.size() + kFieldHead}; }
};

// The first field of `rest`, which then begins behind it.
inline std::optional<GrownField> take_field(ByteView& rest) {
  if (rest.size() < kFieldHead) return std::nullopt;
  const std::size_t size = get_be(&rest[1], 4);
  if (size > rest.size() - kFieldHead) return std::nullopt;
  const GrownField field{rest[0], rest.subspan(kFieldHead, size)};
  rest = rest.subspan(kFieldHead + size);
  return field;
}

}  // namespace leasehold
