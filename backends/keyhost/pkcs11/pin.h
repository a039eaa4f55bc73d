#pragma once
// The promise to try each PIN once. Real tokens lock after a few wrong tries, and a service that
// restarts tries again and again: so before a try its mark is written to disk, and taken away only
// when the token accepted the PIN or cannot have counted the try. A mark that is still there
// refuses the next try, until the PIN file is another (inode or time) or the operator removes the
// mark. The mark of a PIN that is not in a file says nothing about it: anything made from so short
// a secret would give it away.

#include "backends/keyhost/pin_source.h"

namespace leasehold::keyhost::pkcs11 {

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
  std::string refusal(const Pin& pin) const;
  std::string written() const;
  Status write(const std::string& mark) const;

  const std::string directory_;
  const std::string path_;
  std::string marked_;  // without a directory
};

}  // namespace leasehold::keyhost::pkcs11
