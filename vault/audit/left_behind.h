#pragma once
// The end of a log that no start followed up: after a hard stop the file was rotated before the
// next start, which so found an empty one and went on from the line that the store remembers. That
// line is some seconds old at most, and what stands behind it in the rotated file was written by
// the run that stopped. Not so where a run ended or began behind it, or where a line tells of a
// commit that the store of the start did not have: then an older copy of the store went on from
// there. Thread-safe function.

#include <optional>
#include <span>
#include <string>

#include "vault/audit/format.h"
#include "vault/audit/log.h"

namespace leasehold::audit {

struct LeftBehind {
  std::string file;  // that holds the line gone on from
  std::uint64_t lines = 0, signed_lines = 0;
};

// `files` stand before the one that goes on from `from`, the oldest first, and chain; `commit` is
// the newest that its first record tells of. Nothing: they do not end like that.
Result<std::optional<LeftBehind>> left_behind(std::span<const std::string> files,
                                              const Position& from, std::uint64_t commit);

}  // namespace leasehold::audit
