#pragma once
// The time by which an exchange has to be over, however the other side spreads its bytes: whoever
// waits for it waits for what is left.
//
//   Deadline deadline(clock, Seconds(60));
//   if (!deadline.is_ready(socket, POLLIN)) ...  // nothing came, or the time has passed
//
// Thread safety: values; `clock` outlives them.

#include "vault/base/clock.h"

namespace leasehold::client {

class Deadline {
 public:
  Deadline(Clock& clock, Seconds limit);

  bool passed() const { return millis_left() == 0; }
  // Whether one of `events` (poll(2)) came within a `share`th of what is left. Never once the time
  // has passed, so that one who sends without a pause ends like one who pauses.
  bool is_ready(int socket, short events, int share = 1) const;

 private:
  int millis_left() const;

  Clock* clock_;
  Instant end_;
};

}  // namespace leasehold::client
