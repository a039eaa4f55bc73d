// Erasing the settings of targets whose configuration was removed.
// They stay while a lease may need them, also one that cannot be read.

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"
#include "vault/core/leases/removals.h"

namespace leasehold::core {

namespace {

constexpr Nanos kLookEvery{Seconds{30}};
// What was being issued when the configuration went has a lease by then, or never will.
constexpr Nanos kSettled{Seconds{120}};
constexpr commit::Unrecorded kInUseAgain{"a configuration uses the target again: nothing changes"};

std::string erased_event(const Mount& mount, const std::string& target, WallTime now) {
  Json fields = Json::object();
  fields.set("mount", mount.info.path).set("target", target);
  return audit::event_body("target-settings-erased", now, fields.dump());
}

}  // namespace

// True: a walk over the leases goes on.
bool Removals::retire_targets() {
  const Instant now = endings_.parts.clock.instant();
  if (now < look_at_retired_) return false;
  look_at_retired_ = add(now, kLookEvery);
  std::shared_ptr<const Compiled> compiled;
  std::vector<std::pair<const Mount*, TargetId>> unused;
  bool walking = false;
  {
    auto held = endings_.parts.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
    auto at = endings_.parts.mounts.at(txn);
    if (!at.ok()) return false;
    compiled = std::move(at).value();
    for (const auto& entry : compiled->mounts.all()) {
      const Mount& mount = *entry.second;
      if (mount.kind == nullptr || !mount.kind->engine->has_targets()) continue;
      if (!see_retired(txn, mount).ok()) continue;  // storage failed: tried again
      for (auto& one : retired_[mount.info.space]) {
        if (now < add(one.second.since, kSettled)) continue;
        const auto needed = is_needed(txn, mount, one.second);
        if (needed.ok() && !*needed) unused.emplace_back(&mount, one.first);
        walking = walking || (needed.ok() && !one.second.walked);
      }
    }
  }
  for (const auto& one : unused) retire(*one.first, one.second);
  if (walking) look_at_retired_ = now;
  return walking;
}

Status Removals::see_retired(ReadTxn& txn, const Mount& mount) {
  VAULT_TRY_ASSIGN(const auto names, txn.in(mount.info.space).list(kRetired));
  std::set<TargetId> targets;
  for (const std::string& name : names)
    if (const auto target = array_from_hex<TargetId>(name)) targets.insert(*target);
  auto& known = retired_[mount.info.space];
  for (auto at = known.begin(); at != known.end();)
    at = targets.count(at->first) == 0 ? known.erase(at) : std::next(at);
  for (const TargetId& target : targets) {
    const auto added = known.try_emplace(target);
    if (!added.second) continue;
    added.first->second.target = target;
    added.first->second.since = endings_.parts.clock.instant();
  }
  return {};
}

Result<bool> Removals::is_needed(ReadTxn& txn, const Mount& mount, Removal& removal) {
  if (!removal.walked) VAULT_TRY(walk_leases(txn, mount, removal));
  for (; !removal.left.empty(); removal.left.pop_front()) {
    const auto lease = endings_.parts.leases.load(txn, removal.left.front());
    if (!lease.ok() || (*lease && is_of(**lease, mount, removal))) return true;
  }
  return !removal.walked;
}

bool Removals::retire(const Mount& mount, const TargetId& target) {
  const std::string name = hex(target);
  const WallTime now = endings_.parts.clock.now();
  const Fill erase = [&](WriteTxn& write) -> Result<OnRecord> {
    WriteTxn txn = write.in(mount.info.space);
    // Read here, so that a configuration that uses it again meanwhile keeps it.
    VAULT_TRY_ASSIGN(const auto mark, txn.get(std::string(kRetired) + name));
    if (!mark) return OnRecord(kInUseAgain);
    VAULT_TRY(txn.erase(std::string(kTargets) + name));
    VAULT_TRY(txn.erase(std::string(kServers) + name));
    VAULT_TRY(txn.erase(std::string(kUnsettled) + name));
    VAULT_TRY(txn.erase(std::string(kRetired) + name));
    return OnRecord(erased_event(mount, name, now));
  };
  const bool erased = endings_.commit_all({erase}).count > 0;
  if (erased) lanes_.drop(mount.info.space, target);
  return erased;
}

}  // namespace leasehold::core
