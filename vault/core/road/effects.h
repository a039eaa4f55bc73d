#pragma once
// Effects: work on another machine that is on record before it happens. The lane's thread takes a
// connection, commits the PENDING lease, and only then creates the account; so a connection that
// cannot be had leaves no trace, and a crash anywhere leaves a record that ends in revocation.

#include <atomic>
#include <memory>

#include "vault/base/loop.h"
#include "vault/core/road/in_flight.h"
#include "vault/target/lane.h"

namespace leasehold::core {

inline constexpr Nanos kEffectLimit{Seconds{20}};
inline constexpr Nanos kRevokeWait{Seconds{15}};

// Shared between the coroutine that waits and the lane that works. When the wait ends first, the
// job owns itself and ends in revocation.
struct EffectJob : target::Job, Waiter {
  enum State : int { kWaiting, kDone, kAbandoned };
  std::atomic<int> state{kWaiting};
  Unsealed* live = nullptr;
  Intent intent;
  barrier::Space space{};                   // of the engine
  std::optional<commit::Batch> pending;     // the PENDING lease; none for renew and check
  std::optional<barrier::OrderedId> lease;  // of `pending`
  bool pending_recorded = false;
  bool of_target = true;  // `result` is the target's, not storage's
  Status result;
  std::string handle;               // of the account that was created, or is renewed
  WallTime until;                   // of a renewal, for the target
  std::vector<std::string> advice;  // of a probe
  void* waiting = nullptr;
};

std::shared_ptr<EffectJob> make_job(InFlight& flight);

// What was authorised before a revocation cannot land after it: guards on the caller's tokens, the
// mounts and the policies, as `flight` was judged by them.
void guard_authority(const InFlight& flight, commit::Changes& changes);
// What run() does for an action that is an Effect: plans it and builds its PENDING batch.
Status plan_effect(InFlight& flight, storage::Snapshot& snapshot);
// Of a rotation, once no other of its manager is under way: conflict when what it was planned with
// was replaced meanwhile, such as the password to log in with.
Status plan_holds(InFlight& flight);
// After the target has answered: ACTIVE and the engine's answer, or REVOKING.
Status settle_effect(InFlight& flight, const Status& outcome);

}  // namespace leasehold::core
