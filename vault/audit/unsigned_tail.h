#pragma once
// The lines behind the last good signature, as verification follows them: how many they are, and
// over how much time they go. A log that is being written has such an end, and a hard stop leaves
// one. The vault keeps it short (format.h): what is longer was written by somebody else. Times are
// compared to the second. Thread safety: none.

#include <cstdint>
#include <string>
#include <string_view>

#include "vault/base/clock.h"

namespace leasehold::audit {

class UnsignedTail {
 public:
  // A line, in the order of the log, with the text of its `time`.
  void add(std::string_view time);
  // The line added last is a checkpoint with a good signature over what stands before it.
  void signed_over();

  // That the vault would not have left these lines unsigned, and why; "" when it may have.
  std::string excess() const;
  // From the earliest to the latest, of those later than all that is signed. Zero also where a time
  // cannot be read.
  Seconds span() const;

 private:
  std::uint64_t lines_ = 0;
  // Of lines later than what is signed: others waited in the store while no device worked.
  std::string first_, last_;
  std::string newest_, newest_before_;  // of all lines, and without the one added last
  std::string signed_to_;
};

}  // namespace leasehold::audit
