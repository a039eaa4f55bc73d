#include "vault/core/leases/revoker.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/leases/due_queue.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr Millis kTick{200};
constexpr Nanos kStopLimit{Seconds{5}};
constexpr std::size_t kLookedUpAtOnce = 64;  // records that somebody waits for

}  // namespace

Revoker::Revoker(Parts parts) : parts_(std::move(parts)), started_at_(parts_.clock.now()) {}
Revoker::~Revoker() { stop(); }

void Revoker::start() {
  thread_ = std::thread([this] { run(); });
}

void Revoker::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  move_expired(parts_.clock.now());  // what was asked for since its last pass stands nowhere else
  std::map<TargetId, LaneEntry> lanes;
  {
    MutexLock lock(lanes_mutex_);
    lanes.swap(lanes_);
  }
  std::vector<std::thread> stopping;  // side by side: hung lanes do not add up
  for (auto& entry : lanes)
    stopping.emplace_back([lane = entry.second.lane] { lane->stop(kStopLimit); });
  for (std::thread& one : stopping) one.join();
  waits_.refuse_all(
      failure(Code::unavailable, "shutting down; revocation goes on after the restart"));
}

void Revoker::wake() {
  {
    MutexLock lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Revoker::run() {
  for (;;) {
    const bool more = tick(parts_.clock.now());
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (!more && !woken_) wake_.wait_for(mutex_, kTick);
    woken_ = false;
    if (stopping_) return;
  }
}

Result<std::shared_ptr<target::Lane>> Revoker::lane(ReadTxn& txn, const barrier::Space& space,
                                                    const TargetId& id) {
  ReadTxn scoped = txn.in(space);
  VAULT_TRY_ASSIGN(const std::uint64_t settings, scoped.version("targets/" + hex(id)));
  VAULT_TRY_ASSIGN(const std::uint64_t begun, scoped.version(std::string(kUnsettled) + hex(id)));
  const std::uint64_t mod = std::max(settings, begun);  // a rotation ends with new settings
  {
    MutexLock lock(lanes_mutex_);
    const auto known = lanes_.find(id);
    // A request on an older snapshot brings no older settings back.
    if (known != lanes_.end() && known->second.mod >= mod) return known->second.lane;
  }
  VAULT_TRY_ASSIGN(const auto compiled, parts_.registry.at(txn));
  const Mount* mount = compiled->mounts.by_space(space);
  if (mount == nullptr || mount->kind == nullptr)
    return failure(Code::unavailable, "the engine of this target is gone");
  VAULT_TRY_ASSIGN(auto target, mount->kind->engine->target(id, scoped));
  const std::string name = mount->info.path + mount->kind->engine->target_name(id, scoped);
  MutexLock lock(lanes_mutex_);
  LaneEntry& entry = lanes_[id];
  if (entry.lane && entry.mod >= mod) return entry.lane;  // somebody was faster
  if (entry.lane) {
    entry.lane->replace(std::move(target));
  } else {
    entry.queue = std::make_unique<DueQueue>(*this, id, space);
    entry.lane = std::make_shared<target::Lane>(name, std::move(target), parts_.tag, *entry.queue,
                                                parts_.clock, parts_.log);
  }
  entry.mod = mod;
  entry.space = space;
  return entry.lane;
}

void Revoker::drop_lanes(const barrier::Space& space, const std::optional<TargetId>& target) {
  std::vector<LaneEntry> gone;
  {
    MutexLock lock(lanes_mutex_);
    for (auto at = lanes_.begin(); at != lanes_.end();) {
      const bool of_it = at->second.space == space && (!target || at->first == *target);
      if (of_it) gone.push_back(std::move(at->second));
      at = of_it ? lanes_.erase(at) : std::next(at);
    }
  }
  for (const LaneEntry& entry : gone) entry.lane->stop(kStopLimit);  // then its queue may go
}

std::size_t Revoker::lanes() const {
  MutexLock lock(lanes_mutex_);
  return lanes_.size();
}

std::string Revoker::trouble_with(const TargetId& id) const {
  MutexLock lock(lanes_mutex_);
  const auto known = lanes_.find(id);
  return known == lanes_.end() ? std::string() : known->second.lane->status().last_error;
}

void Revoker::claim(const OrderedId& id) {
  MutexLock lock(mutex_);
  claimed_.insert(id);
}
void Revoker::release(const OrderedId& id) {
  {
    MutexLock lock(mutex_);
    claimed_.erase(id);
  }
  wake();
}
bool Revoker::claimed(const OrderedId& id) const {
  MutexLock lock(mutex_);
  return claimed_.count(id) != 0;
}
void Revoker::revoke_soon(const OrderedId& id) {
  {
    MutexLock lock(mutex_);
    asked_.push_back(id);
  }
  wake();
}
void Revoker::revoke_token_soon(const OrderedId& id) {
  {
    MutexLock lock(mutex_);
    asked_tokens_.push_back(id);
  }
  wake();
}

// What ends meanwhile is reported, because the wait is added before anything is looked up. A few
// records are looked up here; many by our own thread, for this may be an io thread.
bool Revoker::wait(RevocationWait* wait) {
  const auto records = wait->records;
  waits_.add(wait);
  bool all_gone = false;
  if (records->size() <= kLookedUpAtOnce) {
    const auto absent = absent_of(*records);
    all_gone = absent.ok() && waits_.were_gone(wait, *absent);
  } else {
    MutexLock lock(mutex_);
    unlooked_.push_back(records);
  }
  wake();
  return !all_gone;
}

Result<RevocationWait::Records> Revoker::absent_of(const RevocationWait::Records& records) {
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
  RevocationWait::Records absent;
  for (const barrier::PhysicalKey& record : records) {
    const auto mod = txn.version(record);
    if (mod.ok() && *mod == 0) absent.push_back(record);
  }
  return absent;
}

void Revoker::look_at_waits() {
  std::vector<std::shared_ptr<const RevocationWait::Records>> unlooked;
  {
    MutexLock lock(mutex_);
    unlooked.swap(unlooked_);
  }
  for (const auto& records : unlooked) {
    const auto absent = absent_of(*records);
    if (absent.ok()) {
      for (const barrier::PhysicalKey& record : *absent) waits_.ended(record, {});
    } else {
      MutexLock lock(mutex_);
      unlooked_.push_back(records);  // storage failed: with the next pass
    }
  }
}

}  // namespace leasehold::core
