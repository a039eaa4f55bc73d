#include "vault/core/road/workers.h"

#include "vault/base/bound.h"

namespace leasehold::core {

namespace {

// What waits in a class: all of it, and that of one address.
struct Waiting {
  Bound all, of_one;
};
constexpr Waiting kWaiting[kWorkClasses] = {
    {{"lists and walks are waiting"}, {"lists and walks of one address are waiting"}},
    {{"requests that hash a password are waiting"},
     {"requests that hash a password of one address are waiting"}},
    {{"requests that wait for a device or a target are waiting"},
     {"requests of one address that wait for a device or a target are waiting"}},
    {{"flushes of the audit log are waiting"},
     {"flushes of the audit log for one address are waiting"}},
    {{"large requests or answers are waiting"},
     {"large requests or answers of one address are waiting"}},
};

}  // namespace

WorkClass class_of(Place place) {
  if (place == Place::hashes) return WorkClass::hashes;
  if (place == Place::bodies) return WorkClass::bodies;
  return place == Place::outside ? WorkClass::outside : WorkClass::lists;
}

Workers::Workers(const Sizes& sizes) : sizes_(sizes) {
  for (std::size_t kind = 0; kind < kWorkClasses; ++kind)
    for (unsigned i = 0; i < sizes_[kind].threads; ++i)
      threads_.emplace_back([this, kind] { run(kind); });
}

bool Workers::submit(WorkClass of, WorkerTask* job) {
  const auto kind = static_cast<std::size_t>(of);
  {
    MutexLock lock(mutex_);
    WaiterQueue& queue = queues_[kind];
    const std::size_t most = sizes_[kind].queue_max;
    if (stopping_ || (queue.size() >= most && !job->goes_on)) {
      job->refused =
          stopping_ ? failure(Code::unavailable, "shutting down") : kWaiting[kind].all.hit(most);
      return false;
    }
    if (!take_share(kind, *job)) {
      job->refused = kWaiting[kind].of_one.hit(sizes_[kind].share_max);
      return false;
    }
    queue.push(job);
  }
  wake_[kind].notify_one();
  return true;
}

bool Workers::take_share(std::size_t kind, const WorkerTask& job) {
  const std::size_t most = sizes_[kind].share_max;
  if (most == 0 || job.asker.empty() || job.goes_on) return true;
  const auto share = shares_[kind].try_emplace(std::string(job.asker), 0).first;
  if (share->second >= most) return false;
  ++share->second;
  return true;
}

void Workers::give_share(std::size_t kind, const WorkerTask& job) {
  if (sizes_[kind].share_max == 0 || job.asker.empty() || job.goes_on) return;
  const auto share = shares_[kind].find(job.asker);
  if (--share->second == 0) shares_[kind].erase(share);
}

void Workers::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (Condition& wake : wake_) wake.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Workers::run(std::size_t kind) {
  for (;;) {
    WorkerTask* job = nullptr;
    {
      MutexLock lock(mutex_);
      WaiterQueue& queue = queues_[kind];
      while (queue.empty() && !stopping_) wake_[kind].wait(mutex_);
      if (queue.empty()) return;
      job = static_cast<WorkerTask*>(queue.pop());
      give_share(kind, *job);
    }
    job->work(job);
    complete(job);
  }
}

}  // namespace leasehold::core
