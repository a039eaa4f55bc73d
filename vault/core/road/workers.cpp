#include "vault/core/road/workers.h"

namespace leasehold::core {

namespace {

constexpr const char* kWaiting[kWorkClasses] = {"lists and walks", "requests that hash a password",
                                                "requests that wait for a device or a target",
                                                "flushes of the audit log"};

std::string full(std::size_t kind, std::size_t queue_max) {
  return "busy: " + std::to_string(queue_max) + " " + kWaiting[kind] +
         " are waiting already; try again";
}

}  // namespace

WorkClass class_of(Place place) {
  if (place == Place::hash) return WorkClass::hashes;
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
    if (stopping_ || queue.size() >= most) {
      job->refused = failure(Code::unavailable, stopping_ ? "shutting down" : full(kind, most));
      return false;
    }
    queue.push(job);
  }
  wake_[kind].notify_one();
  return true;
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
    }
    job->work(job);
    complete(job);
  }
}

}  // namespace leasehold::core
