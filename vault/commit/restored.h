#pragma once
// The mark of a store that was put back by our own restore. It stands in clear, since a restore has
// no keys; the next unsealing reads it, does what a store that was put back needs, and erases it. A
// drill leaves it, or writes it. Outside the multiset. No key vouches for it, so it gives no more
// than a store without the mark has: it does not open an older copy beside the log of a newer store
// (docs/decisions/048). Thread-safe functions.
//
//   format:u8 = 1 | state:u8 | keep tokens:u8 | time:i64 ns

#include <optional>

#include "vault/barrier/format.h"
#include "vault/base/clock.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

struct RestoredMark {
  enum class State : std::uint8_t {
    importing = 1,  // records are still missing: the store must not be opened
    whole = 2,
  };
  State state = State::importing;
  bool keep_tokens = false;
  WallTime at;

  Bytes serialize() const;
};

barrier::PhysicalKey restored_key();
// Absent: an ordinary store. Code::internal for one whose restore did not come to its end.
Result<std::optional<RestoredMark>> read_restored(storage::Snapshot& snapshot);

}  // namespace leasehold::commit
