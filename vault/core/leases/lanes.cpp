#include "vault/core/leases/lanes.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr Nanos kStopLimit{Seconds{5}};
constexpr std::size_t kToldAtOnce = 256;  // waits that are looked at in a pass

}  // namespace

void Lanes::stop() {
  std::map<TargetId, LaneEntry> lanes;
  {
    MutexLock lock(mutex_);
    lanes.swap(lanes_);
  }
  std::vector<LaneEntry> all;
  for (auto& entry : lanes) all.push_back(std::move(entry.second));
  stop_all(all);
  for (Dropped& before : dropped_) before.thread.join();
  dropped_.clear();
}

// Side by side: hung lanes do not add up.
void Lanes::stop_all(const std::vector<LaneEntry>& entries) {
  std::vector<std::thread> stopping;
  for (const LaneEntry& entry : entries)
    stopping.emplace_back([lane = entry.lane] { lane->stop(kStopLimit); });
  for (std::thread& one : stopping) one.join();
}

Result<std::shared_ptr<target::Lane>> Lanes::lane(ReadTxn& txn, const barrier::Space& space,
                                                  const TargetId& id) {
  if (endings_.parts.drill) return refused_in_drill();
  ReadTxn scoped = txn.in(space);
  VAULT_TRY_ASSIGN(const std::uint64_t settings, scoped.version(std::string(kTargets) + hex(id)));
  VAULT_TRY_ASSIGN(const std::uint64_t begun, scoped.version(std::string(kUnsettled) + hex(id)));
  const std::uint64_t mod = std::max(settings, begun);  // a rotation ends with new settings
  {
    MutexLock lock(mutex_);
    const auto known = lanes_.find(id);
    // A request on an older snapshot brings no older settings back.
    if (known != lanes_.end() && known->second.mod >= mod) return known->second.lane;
  }
  VAULT_TRY_ASSIGN(const auto compiled, endings_.parts.mounts.at(txn));
  const Mount* mount = compiled->mounts.by_space(space);
  if (mount == nullptr || mount->kind == nullptr)
    return failure(Code::unavailable, "the engine of this target is gone");
  VAULT_TRY_ASSIGN(auto target, mount->kind->engine->target(id, scoped));
  const std::string name = mount->info.path + mount->kind->engine->target_name(id, scoped);
  MutexLock lock(mutex_);
  LaneEntry& entry = lanes_[id];
  if (entry.lane && entry.mod >= mod) return entry.lane;  // somebody was faster
  if (entry.lane) {
    entry.lane->replace(std::move(target));
  } else {
    entry.queue = std::make_unique<DueQueue>(endings_, waits_, id, space);
    entry.lane =
        std::make_shared<target::Lane>(name, std::move(target), endings_.parts.tag, *entry.queue,
                                       endings_.parts.clock, endings_.parts.log);
  }
  entry.mod = mod;
  entry.space = space;
  return entry.lane;
}

void Lanes::drop(const barrier::Space& space, const std::optional<TargetId>& target) {
  std::vector<LaneEntry> gone;
  {
    MutexLock lock(mutex_);
    for (auto at = lanes_.begin(); at != lanes_.end();) {
      const bool of_it = at->second.space == space && (!target || at->first == *target);
      if (of_it) gone.push_back(std::move(at->second));
      at = of_it ? lanes_.erase(at) : std::next(at);
    }
  }
  dropped_.remove_if([](Dropped& before) {
    if (!before.stopped) return false;
    before.thread.join();
    return true;
  });
  if (gone.empty()) return;
  Dropped& dropped = dropped_.emplace_back();
  dropped.lanes = std::move(gone);
  stopping_ += dropped.lanes.size();
  dropped.thread = std::thread([this, &dropped] {
    stop_all(dropped.lanes);
    stopping_ -= dropped.lanes.size();
    dropped.lanes.clear();  // the queues may go
    dropped.stopped = true;
  });
}

std::size_t Lanes::size() const {
  MutexLock lock(mutex_);
  return lanes_.size();
}

std::string Lanes::trouble_with(const TargetId& id, const OrderedId& lease) const {
  MutexLock lock(mutex_);
  const auto known = lanes_.find(id);
  if (known == lanes_.end()) return {};
  const target::LaneStatus status = known->second.lane->status();
  if (status.breaker_open) return status.last_error;  // newer than what the target said before
  std::string own = known->second.queue->trouble_with(lease);
  return own.empty() ? status.last_error : own;
}

void Lanes::wake_due() {
  std::vector<TargetId> targets;
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  PhysicalKey from(Table::due);
  const PhysicalKey end = PhysicalKey(Table::due).end_of_prefix();
  for (bool found = true; found;) {  // one seek per target
    found = false;
    OrderedId lease_id{};
    TargetId target{};
    txn.scan(from, end, SIZE_MAX, storage::Scan::keys,
             [&](const storage::Entry& entry) {
               std::copy_n(entry.key.begin() + 1, target.size(), target.begin());
               lease_id = barrier::id_at_end(entry.key);
               found = !endings_.damage.is_aside(lease_id);
               return !found;
             })
        .ignore();
    if (!found) return;
    const auto lease = endings_.parts.leases.load(txn, lease_id);
    if (!lease.ok() || !*lease) {  // not this one, then the next
      if (!endings_.damage.set_aside(txn, lease_key(lease_id), lease_id, "lease").ok()) return;
      continue;
    }
    from = due_prefix(target).end_of_prefix();
    const auto its_lane = lane(txn, (*lease)->space, target);
    if (its_lane.ok()) (*its_lane)->wake_revocations();
    report_waiting(target, its_lane.ok() ? Status() : Status(its_lane.error()));
  }
}

std::map<TargetId, std::string> Lanes::outages() const {
  std::map<TargetId, std::string> all;
  MutexLock lock(mutex_);
  for (const auto& entry : lanes_)
    if (const target::LaneStatus status = entry.second.lane->status(); status.breaker_open)
      all.emplace(entry.first, status.last_error);
  return all;
}

void Lanes::tell_of_outages() {
  const auto waited_for = waits_.first_left(kToldAtOnce);
  if (waited_for.empty()) return;
  const auto down = outages();
  auto held = endings_.parts.snapshots.take();
  if (down.empty() || !held.ok()) return;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  for (const PhysicalKey& record : waited_for) {
    if (record.view()[0] != static_cast<std::uint8_t>(Table::lease)) continue;
    const auto lease = endings_.parts.leases.load(txn, barrier::id_at_end(record.view()));
    if (!lease.ok() || !*lease) continue;
    if (const auto its = down.find((*lease)->target); its != down.end())
      waits_.ended(record,
                   failure(Code::unavailable, "its target cannot be reached: " + its->second));
  }
}

void Lanes::report_waiting(const TargetId& target, const Status& opened) {
  if (opened.ok()) {
    waiting_.erase(target);
    return;
  }
  std::string& said = waiting_[target];
  if (said == opened.error().message) return;
  said = opened.error().message;
  endings_.parts.log.error("leases of target {} wait: {}", hex(target), said);
}

}  // namespace leasehold::core
