#pragma once
// Whether the log a device holds is the one that this store wrote, and which commits of it the log
// tells of. The chain needs no key, so somebody who can write the file while the server is down
// could cut it, and append lines that chain or lines that stood there before. They cannot forge the
// line whose number and hash the store remembers, nor a signed checkpoint behind it. So a log is
// read back to just that line, each line the one that the next names, and some way further: a line
// with a higher number before it says that what follows was appended once more. Lines behind the
// known one that no checkpoint signs are accepted after a hard stop, because they may be all that
// is left of the last second. After an orderly stop, and in a file that was begun later, only the
// records with which the log itself begins are accepted there. Thread-safe functions.

#include "vault/audit/log.h"

namespace leasehold::audit {

struct TailFound {
  bool changed = false;  // by somebody else
  std::uint64_t newest =
      0;  // the newest commit that a line tells of under the store's key; 0: none
};

struct TailBounds {
  // Unsigned lines behind the known one: a checkpoint is written each second, so more are not ours.
  std::size_t unsigned_lines = 1'000'000;
  std::size_t before_known = 250'000;
  std::size_t before_change = 250'000;  // for what they tell of commits alone
};

// `device` is open; `known` is the line that it is to hold. Zero: nothing is known of it, so a log
// that tells of nothing of this store is not taken for a changed one. A log that ends before
// `known` was cut, and not changed by that alone. Ends early once a commit is found that the store
// lacks.
Result<TailFound> examine_tail(Device& device, const Identity& identity, const Position& known,
                               const TailBounds& bounds = {});
// The error of a store that ends before what its log tells of.
Error older_store(const Device& device, std::uint64_t logged, std::uint64_t stored);

// The error of a device whose log somebody else wrote to.
Error changed_log(const Device& device, std::string_view when);

}  // namespace leasehold::audit
