// Intents that an earlier process made durable and did not settle (Engine::recover), in the first
// passes after it: their targets are connected to, and the first connection settles them.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/leases/lanes.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kMountsAtOnce = 64;
constexpr std::size_t kIntentsMax = 1000;  // of one mount; more are settled when they are used

}  // namespace

// A start waits for none of it. False: done.
bool Lanes::recover() {
  if (!unrecovered_) return false;
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return false;  // tried again with the next tick
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  const auto compiled = endings_.parts.mounts.at(txn);
  if (!compiled.ok()) return false;
  const auto& mounts = (*compiled)->mounts.all();
  std::size_t looked_at = 0;
  auto at = mounts.upper_bound(*unrecovered_);
  for (; at != mounts.end() && looked_at < kMountsAtOnce; ++at, ++looked_at) {
    const Mount& mount = *at->second;
    if (mount.kind != nullptr && mount.kind->engine->has_targets()) recover_targets(txn, mount);
    unrecovered_ = at->first;
  }
  if (at == mounts.end()) unrecovered_.reset();
  return unrecovered_.has_value();
}

void Lanes::recover_targets(ReadTxn& txn, const Mount& mount) {
  const auto names = txn.in(mount.info.space).list(kUnsettled, {}, kIntentsMax);
  if (!names.ok()) {
    endings_.parts.log.error("changes of targets of {} that were begun are not looked at: {}",
                             mount.info.path, names.error().message);
    return;
  }
  for (const std::string& name : *names) {
    const auto target = array_from_hex<TargetId>(name);
    if (!target) continue;
    const auto its_lane = lane(txn, mount.info.space, *target);
    if (its_lane.ok())
      (*its_lane)->wake_revocations();  // connects
    else
      report_waiting(*target, its_lane.error());
  }
}

}  // namespace leasehold::core
