#include "vault/core/leases/waits.h"

#include <algorithm>

namespace leasehold::core {

// Whether it is one of those that are left; then it is left no more.
bool RevocationWait::take(const barrier::PhysicalKey& record) {
  const auto found = std::lower_bound(records->begin(), records->end(), record);
  if (found == records->end() || !(*found == record)) return false;
  auto gone = gone_[static_cast<std::size_t>(found - records->begin())];
  if (gone) return false;
  gone = true;
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
      const bool concerned = one->take(record);
      if (concerned && !result.ok()) one->result = result.error();
      const bool ends = concerned && (!result.ok() || one->left_ == 0);
      if (ends) done.push_back(one);
      at = ends ? waits_.erase(at) : std::next(at);
    }
  }
  for (RevocationWait* one : done) complete(one);
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

}  // namespace leasehold::core
