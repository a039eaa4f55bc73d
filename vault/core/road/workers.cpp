#include "vault/core/road/workers.h"

namespace leasehold::core {

Workers::Workers(unsigned threads, std::size_t queue_max) : queue_max_(queue_max) {
  for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

bool Workers::submit(WorkerJob* job) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || queue_.size() >= queue_max_) {
      job->refused = failure(Code::unavailable, stopping_ ? "shutting down" : "busy, try again");
      return false;
    }
    queue_.push(job);
  }
  wake_.notify_one();
  return true;
}

void Workers::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
}

void Workers::run() {
  for (;;) {
    WorkerJob* job = nullptr;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) wake_.wait(mutex_);
      if (queue_.empty()) return;
      job = static_cast<WorkerJob*>(queue_.pop());
    }
    job->work(job);
    complete(job);
  }
}

}  // namespace leasehold::core
