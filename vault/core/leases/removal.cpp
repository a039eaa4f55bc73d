// Emptying mounts that were removed, their leases first. Targets: retirement.cpp
#include <algorithm>
#include <utility>

#include "vault/audit/record.h"
#include "vault/core/leases/removals.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::size_t kWalkedAtOnce = 1000;  // leases of all mounts
constexpr std::size_t kLookedAtOnce = 64;    // leases of the removed one
constexpr std::size_t kErasedAtOnce = 90;    // keys of a removed mount in one batch
constexpr commit::Unrecorded kErasedInParts{
    "a part of a removed mount: its removal is on record, and its end will be"};

std::string erased_event(const Mount& mount, WallTime now) {
  Json fields = Json::object();
  fields.set("path", mount.info.path).set("type", mount.info.type);
  fields.set("accessor", mount.info.accessor).set("uuid", mount.info.uuid);
  return audit::event_body("mount-erased", now, fields.dump());
}

}  // namespace

bool Removals::empty_removed_mounts(WallTime now) {
  std::vector<std::shared_ptr<const Mount>> removing;
  {
    auto held = endings_.parts.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
    const auto compiled = endings_.parts.mounts.at(txn);
    if (!compiled.ok()) return false;
    removing = (*compiled)->mounts.removing();
  }
  bool more = false;
  std::map<barrier::Space, Removal> going_on;
  for (const auto& mount : removing) {
    Removal& removal = going_on[mount->info.space];
    removal = std::move(removals_[mount->info.space]);
    more = empty_mount(*mount, removal, now) || more;
  }
  for (const auto& before : removals_)
    if (going_on.count(before.first) == 0) lanes_.drop(before.first, {});  // it is gone
  removals_ = std::move(going_on);
  MutexLock lock(mutex_);
  leases_left_.clear();
  for (const auto& entry : removals_)
    if (entry.second.walked) leases_left_[entry.first] = entry.second.left.size();
  return more;
}

std::optional<std::size_t> Removals::leases_left(const barrier::Space& space) const {
  MutexLock lock(mutex_);
  const auto found = leases_left_.find(space);
  return found == leases_left_.end() ? std::nullopt : std::optional<std::size_t>(found->second);
}

// Leases first, then every record of its space, then the mount itself.
bool Removals::empty_mount(const Mount& mount, Removal& removal, WallTime now) {
  std::vector<Fill> fills;
  bool walking = false;
  {
    auto held = endings_.parts.snapshots.take();
    if (!held.ok()) return false;
    ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
    Status looked = removal.walked ? Status() : walk_leases(txn, mount, removal);
    walking = !removal.walked;
    if (looked.ok()) looked = look_at_left(txn, mount, removal, now, fills);
    if (!looked.ok()) return false;  // storage failed: tried again with the next tick
    if (removal.walked && removal.left.empty()) {
      auto erasure = erase_some(txn, mount, now);
      if (!erasure.ok()) return false;
      fills.push_back(std::move(erasure).value());
    }
  }
  const bool did = !fills.empty() && endings_.commit_all(fills).count > 0;
  return did || walking;
}

bool Removals::is_of(const Lease& lease, const Mount& mount, const Removal& removal) {
  return lease.space == mount.info.space && (!removal.target || lease.target == *removal.target);
}

Status Removals::walk_leases(ReadTxn& txn, const Mount& mount, Removal& removal) {
  const PhysicalKey table(Table::lease);
  std::vector<OrderedId> here, ours;
  const bool has_targets = mount.kind == nullptr || mount.kind->engine->has_targets();
  VAULT_TRY(txn.scan(removal.next.value_or(table), table.end_of_prefix(), kWalkedAtOnce,
                     storage::Scan::keys, [&](const storage::Entry& entry) {
                       here.push_back(barrier::id_at_end(entry.key));
                       return true;
                     }));
  bool unreadable = false;
  for (const OrderedId& id : here) {
    const auto lease = endings_.parts.leases.load(txn, id);
    if (lease.ok() && *lease && is_of(**lease, mount, removal)) ours.push_back(id);
    if (lease.ok()) continue;
    VAULT_TRY(endings_.damage.set_aside(txn, lease_key(id), id, "lease"));
    unreadable = true;
    // Perhaps one of ours: once it is restored its account goes through the settings here.
    if (has_targets) ours.push_back(id);
  }
  if (unreadable && has_targets && !std::exchange(removal.reported, true))
    endings_.parts.log.error(
        "the mount {} keeps the settings of its targets: there are leases that cannot be read and "
        "may need them",
        mount.info.path);
  removal.left.insert(removal.left.end(), ours.begin(), ours.end());
  removal.walked = here.size() < kWalkedAtOnce;
  if (!here.empty()) removal.next = lease_key(here.back()).end_of_prefix();
  return {};
}

// Some of them, in turn: those that are gone are done, those not REVOKING yet become it. One that
// cannot be read stays until it can be, or is gone.
Status Removals::look_at_left(ReadTxn& txn, const Mount& mount, Removal& removal, WallTime now,
                              std::vector<Fill>& fills) {
  const std::size_t count = std::min(removal.left.size(), kLookedAtOnce);
  for (std::size_t i = 0; i < count; ++i) {
    const OrderedId id = removal.left.front();
    const auto lease = endings_.parts.leases.load(txn, id);
    if (!lease.ok()) VAULT_TRY(endings_.damage.set_aside(txn, lease_key(id), id, "lease"));
    removal.left.pop_front();
    const bool done = lease.ok() && (!*lease || !is_of(**lease, mount, removal));
    if (done) continue;
    removal.left.push_back(id);
    if (!lease.ok() || (*lease)->state == Lease::State::revoking) continue;
    fills.push_back(
        [this, id, now](WriteTxn& write) { return endings_.start_revoking(write, id, now); });
  }
  return {};
}

Result<Fill> Removals::erase_some(ReadTxn& txn, const Mount& mount, WallTime now) {
  std::vector<PhysicalKey> keys;
  for (const Table table : {Table::value, Table::name, Table::counter}) {
    PhysicalKey from(table);
    from.push(mount.info.space);
    VAULT_TRY(txn.scan(from, from.end_of_prefix(), kErasedAtOnce - keys.size(), storage::Scan::keys,
                       [&](const storage::Entry& entry) {
                         keys.push_back(PhysicalKey::from(entry.key));
                         return true;
                       }));
  }
  return Fill([keys, &mount, now](WriteTxn& write) -> Result<OnRecord> {
    for (const PhysicalKey& key : keys) VAULT_TRY(write.erase(key));
    const std::string done = done_counter(mount.info.uuid);
    if (!keys.empty()) {
      write.add(done, static_cast<std::int64_t>(keys.size()), 0);
      return OnRecord(kErasedInParts);
    }
    write.erase_counter(done);
    VAULT_TRY(Mounts::erase_mount(write, mount));
    return OnRecord(erased_event(mount, now));
  });
}

}  // namespace leasehold::core
