#include "vault/core/leases/revoker.h"

#include "vault/base/encoding.h"
#include "vault/core/leases/due_queue.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr Millis kTick{200};
constexpr Nanos kStopLimit{Seconds{5}};

}  // namespace

Revoker::Revoker(Parts parts) : parts_(std::move(parts)) {}
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
  std::set<RevocationWait*> waits;
  {
    MutexLock lock(mutex_);
    waits.swap(waits_);
  }
  for (RevocationWait* one : waits) {
    one->result = failure(Code::unavailable, "shutting down; revocation goes on after the restart");
    complete(one);
  }
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
  VAULT_TRY_ASSIGN(const std::uint64_t mod, scoped.version("targets/" + hex(id)));
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

bool Revoker::wait(RevocationWait* wait) {
  {
    MutexLock lock(mutex_);
    waits_.insert(wait);  // before looking: what ends meanwhile is reported
  }
  auto held = parts_.snapshots.take();
  MutexLock lock(mutex_);
  if (waits_.count(wait) == 0) return true;  // completed meanwhile: no longer ours to touch
  if (held.ok()) {
    ReadTxn txn(**held, parts_.barrier, barrier::kCoreSpace);
    for (auto at = wait->left.begin(); at != wait->left.end();) {
      const auto mod = txn.version(*at);
      at = mod.ok() && *mod == 0 ? wait->left.erase(at) : std::next(at);
    }
  }
  woken_ = true;
  wake_.notify_one();
  if (!wait->left.empty()) return true;
  waits_.erase(wait);
  return false;
}

bool Revoker::give_up(RevocationWait* wait) {
  MutexLock lock(mutex_);
  return waits_.erase(wait) > 0;
}

void Revoker::ended(const barrier::PhysicalKey& record, const Status& result) {
  std::vector<RevocationWait*> done;
  {
    MutexLock lock(mutex_);
    for (auto at = waits_.begin(); at != waits_.end();) {
      RevocationWait* one = *at;
      const bool concerned = one->left.erase(record) > 0;
      if (concerned && !result.ok()) one->result = result.error();
      if (concerned && (!result.ok() || one->left.empty())) {
        done.push_back(one);
        at = waits_.erase(at);
      } else {
        ++at;
      }
    }
  }
  for (RevocationWait* one : done) complete(one);
}

}  // namespace leasehold::core
