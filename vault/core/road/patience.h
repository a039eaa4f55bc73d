#pragma once
// How long a request waits at a station: up to a limit of the station's own, and only moments
// longer once the vault is being sealed, which waits for all of them. Whoever waits looks now and
// then by itself, on its own loop, so nobody has to find it.

#include <algorithm>

#include "vault/base/loop.h"
#include "vault/core/road/in_flight.h"

namespace leasehold::core {

class Patience : Timer {
 public:
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 protected:
  explicit Patience(const Arrived& flight) : flight_(flight) {}
  ~Patience() = default;

  void begin_waiting(Nanos limit) {
    expired = [](Timer* timer) { static_cast<Patience*>(timer)->look(); };
    until_ = add(now(), limit);
    look_later();
  }
  void end_waiting() {
    if (armed()) Loop::current()->disarm(*this);
  }
  bool sealing() const { return flight_.live->is_sealing(); }
  // Called now and then while it waits. True: it waits no more, and may be gone by now.
  virtual bool gives_up(bool time_is_over) = 0;

 private:
  static constexpr Nanos kLookEvery{Millis{250}};
  static constexpr Nanos kWhileSealing{Seconds{3}};

  Instant now() const { return flight_.live->environment.clock.instant(); }
  void look() {
    if (sealing() && !std::exchange(hurries_, true))
      until_ = std::min(until_, add(now(), kWhileSealing));
    if (!gives_up(now() >= until_)) look_later();
  }
  void look_later() {
    const Nanos left(until_.ns - now().ns);
    Loop::current()->arm(*this, left.count() > 0 ? std::min(left, kLookEvery) : kLookEvery);
  }

  const Arrived& flight_;
  Instant until_;
  bool hurries_ = false;
};

}  // namespace leasehold::core
