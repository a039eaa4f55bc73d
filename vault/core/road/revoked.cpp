// The station where a request waits until the leases that it revoked are gone.

#include <algorithm>

#include "vault/core/road/stations.h"

namespace leasehold::core {

namespace {

constexpr Nanos kRevokeWait{Seconds{15}};

}  // namespace

bool revoked::await_suspend(std::coroutine_handle<> frame) {
  suspend(frame);
  // A worker has sorted what is many.
  auto& awaited = flight_.orders.awaited;
  if (!std::is_sorted(awaited.begin(), awaited.end())) std::sort(awaited.begin(), awaited.end());
  awaited.erase(std::unique(awaited.begin(), awaited.end()), awaited.end());
  records = std::make_shared<const Records>(std::move(awaited));
  forgets = flight_.orders.forgets;
  resume = [](Waiter* waiter) {
    auto* self = static_cast<revoked*>(static_cast<RevocationWait*>(waiter));
    if (self->armed()) Loop::current()->disarm(*self);
    self->frame_.resume();
  };
  expired = [](Timer* timer) {
    auto* self = static_cast<revoked*>(timer);
    if (!self->flight_.live->revoker->give_up(self)) return;  // its completion lies in the mailbox
    self->late_ = true;
    self->frame_.resume();
  };
  Loop::current()->arm(*this, kRevokeWait);
  if (flight_.live->revoker->wait(this)) return true;
  Loop::current()->disarm(*this);
  return false;
}

Status revoked::await_resume() {
  if (result.ok() && !late_) return {};
  const Status& known = late_ ? so_far : result;
  const std::string why =
      known.ok() ? std::string("not everything was seen gone in time") : known.error().message;
  return failure(Code::internal,
                 "revocation is queued and goes on by itself until the account is "
                 "seen gone; so far: " +
                     why,
                 known.ok() ? std::string() : known.error().detail);
}

}  // namespace leasehold::core
