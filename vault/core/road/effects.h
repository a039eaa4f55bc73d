#pragma once
// Effects: work on another machine that is on record before it happens. The lane's thread takes a
// connection, commits the PENDING lease, and only then creates the account; so a connection that
// cannot be had leaves no trace, and a crash anywhere leaves a record that ends in revocation.
//
//   plan_effect     effect_plan.cpp    from a snapshot: the intent, and what is recorded of it
//   applied         effect_job.cpp     on the lane's thread: records it, then asks the target
//   settle_effect   effect_settle.cpp  ACTIVE and the engine's answer, or REVOKING

#include <atomic>
#include <memory>

#include "vault/base/loop.h"
#include "vault/core/road/in_flight.h"
#include "vault/target/lane.h"

namespace leasehold::core {

inline constexpr Nanos kEffectLimit{Seconds{20}};
// The request gives up this much later than the target is told to.
inline constexpr Nanos kEffectGrace{Seconds{2}};
static_assert(kEffectLimit + kEffectGrace < kIssueLimit, "a lease is revoked while it is issued");

// Shared between the coroutine that waits and the lane that works. When the wait ends first, the
// job owns itself: before it began, nothing is done at all; later it ends in revocation.
//
//   waiting ──► begun ──► finished     by the lane's thread
//      └──────────┴─────► abandoned    by the request, whose time is over
//
// The lane's thread puts `pending` on record, with the request's line, only once it has `begun`: so
// both threads know whose line it is.
struct EffectJob : target::Job, Waiter {
  enum class Handover : std::uint8_t { waiting, begun, finished, abandoned };
  std::atomic<Handover> handover{Handover::waiting};
  std::atomic<bool> returned{false};  // the target's call: its handle is in `planned`
  // Of `planned`, for who ends the job while the lane's thread hangs in its work.
  std::atomic<EffectState> reached{EffectState::queued};
  Unsealed* live = nullptr;
  barrier::Space space{};               // of the engine
  Planned planned;                      // the lane thread's until the handover
  std::optional<RequestBatch> pending;  // what is durable before the target is asked
  Status result;
  WallTime until;                   // of a renewal, for the target
  std::vector<std::string> advice;  // of a probe
  void* waiting = nullptr;
};

// What run() does for an action that is an Effect: plans it and builds its PENDING batch.
Status plan_effect(InFlight& flight, const Effect& effect, storage::Snapshot& snapshot);
// Of a rotation, once no other of its manager is under way: conflict when what it was planned with
// was replaced meanwhile, such as the password to log in with.
Status plan_holds(InFlight& flight);
// Code::conflict when something that `planned` was planned on was changed since.
Status holds_still(Unsealed& live, const commit::Batch& planned);
// What failed at the target, as the client is told of it.
Error as_client_sees(Arrived& flight, const Effect& effect, const Error& why);
// Of a lease whose request waits no more: REVOKING, with the handle that its target returned.
Status revoke_abandoned(Unsealed& live, const Planned& planned);
// After the target has answered: ACTIVE and the engine's answer, or REVOKING.
Status settle_effect(InFlight& flight, const Status& outcome);

}  // namespace leasehold::core
