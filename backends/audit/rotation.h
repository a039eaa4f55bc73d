#pragma once
// When a log file is put aside by the vault itself, and how many such files stay. A file that was
// put aside is named after the time, `audit.log.20261129T072053Z`, so that names in order are the
// log in order; files of other names are never touched. Thread-safe functions.

#include <cstdint>
#include <string>

#include "vault/base/clock.h"
#include "vault/base/result.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

struct Rotation {
  std::uint64_t bytes = 0;  // 0: of any size
  Seconds age{0};           // 0: of any age
  std::int64_t files = 0;   // put aside and kept; 0: all
  bool is_due(std::uint64_t size, Nanos age_now) const {
    return size > 0 && ((bytes != 0 && size >= bytes) || (age.count() != 0 && age_now >= age));
  }
};

// `rotate_bytes` (at least 64 KiB), `rotate_duration` (at least a minute), `rotate_max_files`
// (needs one of the others). Code::invalid where they stand.
Result<Rotation> take_rotation(Stanza& options);
// The open file keeps taking lines under its new name. Errors have no path: the caller's have.
Status put_aside(const std::string& path, WallTime now);
// Removes the oldest files that were put aside, but `keep`.
Status remove_oldest(const std::string& path, std::int64_t keep);

}  // namespace leasehold::audit
