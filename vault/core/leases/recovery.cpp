// Intents that an earlier process made durable and did not settle (Engine::recover), as part of the
// Revoker's first passes: their targets are connected to, and the first connection settles them.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/leases/revoker.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kMountsAtOnce = 64;
constexpr std::size_t kIntentsMax = 1000;  // of one mount; more are settled when they are used

}  // namespace

std::optional<TargetId> target_of(const std::string& name) {
  const auto bytes = from_hex(name);
  TargetId id{};
  if (!bytes || bytes->size() != id.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), id.begin());
  return id;
}

// A start waits for none of it. False: done.
bool Revoker::recover_intents() {
  if (!unrecovered_) return false;
  auto held = parts_.snapshots.take();
  if (!held.ok()) return false;  // tried again with the next tick
  ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
  const auto compiled = parts_.registry.at(txn);
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

void Revoker::recover_targets(ReadTxn& txn, const Mount& mount) {
  const auto names = txn.in(mount.info.space).list(kUnsettled, {}, kIntentsMax);
  if (!names.ok()) {
    parts_.log.error("changes of targets of {} that were begun are not looked at: {}",
                     mount.info.path, names.error().message);
    return;
  }
  for (const std::string& name : *names) {
    const auto target = target_of(name);
    if (!target) continue;
    const auto its_lane = lane(txn, mount.info.space, *target);
    if (its_lane.ok())
      (*its_lane)->wake_revocations();  // connects
    else
      report_waiting(*target, its_lane.error());
  }
}

}  // namespace leasehold::core
