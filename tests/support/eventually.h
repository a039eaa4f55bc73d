#pragma once
// Waiting for a condition in real time, for tests whose other side is a thread or a process.

#include <poll.h>

#include "vault/base/clock.h"

namespace leasehold::testing {

// Blocks for a moment between two looks.
inline void pause_between_looks() { poll(nullptr, 0, 3); }

// Waits until `condition` holds, at most `seconds` (the machine may be busy); true when it did.
template <class Condition>
bool eventually(Condition condition, int seconds = 60) {
  SystemClock clock;
  const Instant end = add(clock.instant(), Seconds{seconds});
  while (!condition()) {
    if (clock.instant() > end) return false;
    pause_between_looks();
  }
  return true;
}

}  // namespace leasehold::testing
