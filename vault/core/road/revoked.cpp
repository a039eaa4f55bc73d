// The stations where a request waits for others: until the leases that it revoked are gone, and
// until it is its turn.

#include <algorithm>

#include "vault/core/road/stations.h"

namespace leasehold::core {

namespace {

constexpr Nanos kRevokeWait{Seconds{15}};
constexpr Nanos kTurnWait{Seconds{10}};

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
    self->end_waiting();
    self->frame_.resume();
  };
  begin_waiting(kRevokeWait);
  if (flight_.live->revoker->wait(this)) return true;
  end_waiting();
  return false;
}

bool revoked::gives_up(bool time_is_over) {
  if (!time_is_over || !flight_.live->revoker->give_up(this)) return false;
  late_ = true;
  frame_.resume();
  return true;
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

bool latched::await_suspend(std::coroutine_handle<> frame) {
  suspend(frame);
  resume = [](Waiter* waiter) {
    auto* self = static_cast<latched*>(static_cast<LatchWait*>(waiter));
    self->end_waiting();
    self->frame_.resume();
  };
  if (!latches_.take(this)) return false;
  begin_waiting(kTurnWait);
  return true;
}

bool latched::gives_up(bool time_is_over) {
  if (!time_is_over && !sealing() && !asker_.has_gone()) return false;
  if (!latches_.give_up(this)) return false;  // its turn has come, and lies in the mailbox
  refused = sealing() ? vault_is_sealed()
                      : failure(Code::busy,
                                "busy: its turn did not come in time, others are at work on the "
                                "same record; try again");
  frame_.resume();
  return true;
}

Status latched::await_resume() {
  if (refused.ok() && !latch_.held()) latch_.hold(latches_, key);
  return std::move(refused);
}

}  // namespace leasehold::core
