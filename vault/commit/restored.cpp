#include "vault/commit/restored.h"

namespace leasehold::commit {

namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kSize = 1 + 1 + 1 + 8;

}  // namespace

Bytes RestoredMark::serialize() const {
  Bytes out;
  append_be(out, kFormat, 1);
  append_be(out, static_cast<std::uint8_t>(state), 1);
  append_be(out, keep_tokens ? 1 : 0, 1);
  append_be(out, static_cast<std::uint64_t>(at.ns), 8);
  return out;
}

barrier::PhysicalKey restored_key() { return barrier::PhysicalKey(barrier::Table::restored); }

Result<std::optional<RestoredMark>> read_restored(storage::Snapshot& snapshot) {
  VAULT_TRY_ASSIGN(const auto found, snapshot.get(restored_key().view()));
  if (!found) return std::optional<RestoredMark>();
  const ByteView bytes = found->value;
  if (bytes.size() != kSize || bytes[0] != kFormat)
    return failure(Code::internal, "the mark of a restored store cannot be read: restore it again");
  if (bytes[1] != static_cast<std::uint8_t>(RestoredMark::State::whole))
    return failure(
        Code::internal,
        "the restore of this store did not come to its end: empty its storage and restore "
        "the backup again");
  RestoredMark mark;
  mark.state = RestoredMark::State::whole;
  mark.keep_tokens = bytes[2] != 0;
  mark.at.ns = static_cast<std::int64_t>(get_be(&bytes[3], 8));
  return std::optional<RestoredMark>(mark);
}

}  // namespace leasehold::commit
