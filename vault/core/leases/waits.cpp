#include "vault/core/leases/waits.h"

#include <algorithm>

namespace leasehold::core {

namespace {

constexpr std::size_t kLookedUpAtOnce = 64;  // records that somebody waits for

}  // namespace

// Its place, if it is one of those that are left.
std::optional<std::size_t> RevocationWait::left(const barrier::PhysicalKey& record) const {
  const auto found = std::lower_bound(records->begin(), records->end(), record);
  if (found == records->end() || !(*found == record)) return std::nullopt;
  const auto place = static_cast<std::size_t>(found - records->begin());
  return gone_[place] ? std::nullopt : std::optional(place);
}

// The same; then it is left no more.
bool RevocationWait::take(const barrier::PhysicalKey& record) {
  const auto place = left(record);
  if (!place) return false;
  gone_[*place] = true;
  --left_;
  return true;
}

void Waits::add(RevocationWait* wait) {
  wait->gone_.assign(wait->records->size(), false);
  wait->left_ = wait->records->size();
  MutexLock lock(mutex_);
  waits_.insert(wait);
}

bool Waits::were_gone(RevocationWait* wait, const RevocationWait::Records& records) {
  MutexLock lock(mutex_);
  if (waits_.count(wait) == 0) return false;  // no longer ours to touch
  for (const barrier::PhysicalKey& record : records) wait->take(record);
  if (wait->left_ > 0) return false;
  waits_.erase(wait);
  return true;
}

bool Waits::give_up(RevocationWait* wait) {
  MutexLock lock(mutex_);
  return waits_.erase(wait) > 0;
}

void Waits::ended(const barrier::PhysicalKey& record, const Status& result) {
  std::vector<RevocationWait*> done;
  {
    MutexLock lock(mutex_);
    for (auto at = waits_.begin(); at != waits_.end();) {
      RevocationWait* one = *at;
      const bool again = result.is(Code::deadline) || (one->forgets && !result.ok());
      if (again && one->left(record)) one->so_far = result.error();
      const bool concerned = !again && one->take(record);
      if (concerned && !result.ok()) one->result = result.error();
      const bool ends = concerned && (!result.ok() || one->left_ == 0);
      if (ends) done.push_back(one);
      at = ends ? waits_.erase(at) : std::next(at);
    }
  }
  for (RevocationWait* one : done) complete(one);
}

RevocationWait::Records Waits::first_left(std::size_t most) {
  RevocationWait::Records first;
  MutexLock lock(mutex_);
  for (const RevocationWait* one : waits_) {
    if (first.size() == most) break;
    const auto left = std::find(one->gone_.begin(), one->gone_.end(), false);
    if (left == one->gone_.end()) continue;
    first.push_back((*one->records)[static_cast<std::size_t>(left - one->gone_.begin())]);
  }
  return first;
}

void Waits::refuse_all(const Error& why) {
  std::set<RevocationWait*> waits;
  {
    MutexLock lock(mutex_);
    waits.swap(waits_);
  }
  for (RevocationWait* one : waits) {
    one->result = why;
    complete(one);
  }
}

// What ends meanwhile is reported, because the wait is added before anything is looked up. A few
// records are looked up here; many with the next tick(), for this may be an io thread.
bool Waits::wait(RevocationWait* wait) {
  const auto records = wait->records;
  add(wait);
  bool all_gone = false;
  if (records->size() <= kLookedUpAtOnce) {
    const auto absent = absent_of(*records);
    all_gone = absent.ok() && were_gone(wait, *absent);
  } else {
    MutexLock lock(mutex_);
    unlooked_.push_back(records);
  }
  return !all_gone;
}

Result<RevocationWait::Records> Waits::absent_of(const RevocationWait::Records& records) {
  VAULT_TRY_ASSIGN(auto held, snapshots_.take());
  commit::ReadTxn txn(*held, barrier_, barrier::kCoreSpace);
  RevocationWait::Records absent;
  for (const barrier::PhysicalKey& record : records) {
    const auto mod = txn.version(record);
    if (mod.ok() && *mod == 0) absent.push_back(record);
  }
  return absent;
}

void Waits::tick() {
  std::vector<std::shared_ptr<const RevocationWait::Records>> unlooked;
  {
    MutexLock lock(mutex_);
    unlooked.swap(unlooked_);
  }
  for (const auto& records : unlooked) {
    const auto absent = absent_of(*records);
    if (absent.ok()) {
      for (const barrier::PhysicalKey& record : *absent) ended(record, {});
    } else {
      MutexLock lock(mutex_);
      unlooked_.push_back(records);  // storage failed: with the next pass
    }
  }
}

}  // namespace leasehold::core
