#include "api/client/deadline.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

namespace leasehold::client {
namespace {

constexpr Seconds kLongest{24 * 3600 * 24};  // what poll() can wait for, in milliseconds

}  // namespace

Deadline::Deadline(Clock& clock, Seconds limit)
    : clock_(&clock), end_(add(clock.instant(), Nanos(std::min(limit, kLongest)))) {}

int Deadline::millis_left() const {
  constexpr std::int64_t kNanos = 1'000'000;
  const std::int64_t left = end_.ns - clock_->instant().ns;
  return left <= 0 ? 0 : static_cast<int>((left + kNanos - 1) / kNanos);
}

bool Deadline::is_ready(int socket, short events, int share) const {
  pollfd watched{socket, events, 0};
  for (int millis = 0; (millis = millis_left()) > 0;) {
    const int ready = ::poll(&watched, 1, millis / share);
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
  return false;
}

}  // namespace leasehold::client
