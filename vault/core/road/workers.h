#pragma once
// A few threads for what must not run on an io thread: slow handlers, lists, device calls. A
// bounded queue; a job is refused at once or completed exactly once, also at shutdown. Thread-safe.

#include <thread>
#include <vector>

#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"

namespace leasehold::core {

struct WorkerJob : Waiter {
  void (*work)(WorkerJob*) = nullptr;  // runs on a worker, leaves its result in the job
  Status refused;
};

class Workers {
 public:
  Workers(unsigned threads, std::size_t queue_max);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: `job->refused` says why.
  bool submit(WorkerJob* job);
  void stop();  // completes what was taken in

 private:
  void run();
  const std::size_t queue_max_;
  Mutex mutex_;
  Condition wake_;
  WaiterQueue queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace leasehold::core
