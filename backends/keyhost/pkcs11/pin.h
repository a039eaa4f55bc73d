#pragma once
// The token's PIN, and the promise to try each PIN once.
//
// `pin_source` is "file:/path" (mode 0600, one newline behind the PIN is dropped), an absolute
// path, or "env:NAME"; `pin` is the PIN itself. Real tokens lock after a few wrong tries, and a
// service that restarts tries again and again: so before a try its mark is written to disk, and
// taken away only when the token accepted the PIN. A mark that is still there refuses the next try,
// until the PIN file is another (inode or time) or the operator removes the mark.

#include "backends/keyhost/device.h"

namespace leasehold::keyhost::pkcs11 {

struct Pin {
  SecretBytes text;
  std::uint64_t inode = 0;  // of its file; 0 when it is not in one
  std::int64_t modified = 0;
};

// Code::invalid says what is wrong with the source; never the PIN.
Result<Pin> read_pin(const Settings& settings);

class PinLatch {
 public:
  // `device` names the token; without a directory the mark lives as long as the process.
  PinLatch(std::string directory, std::string_view device);

  // An error when this PIN must not be tried. Otherwise the mark is on disk.
  Status before_try(const Pin& pin);
  // The token accepted the PIN, or did not look at it.
  void not_counted();

 private:
  std::string mark_of(const Pin& pin) const;
  Status write(const std::string& mark) const;

  const std::string directory_;
  const std::string path_;
  std::string marked_;  // in this process
};

}  // namespace leasehold::keyhost::pkcs11
