#pragma once
// Threads for what must not run on an io thread, in classes: each has threads and a bounded queue
// of its own, so that slow hashes never hold up lists, nor a device that hangs the audit log's
// flushes. A task is refused at once or completed exactly once, also at shutdown. Revocation has
// threads of its own (core/leases) and waits for none of these. Thread-safe.

#include <array>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

enum class WorkClass : std::uint8_t { lists, hashes, outside, flushes, bodies };
inline constexpr std::size_t kWorkClasses = 5;

WorkClass class_of(Place place);  // of a place that is not inline

struct WorkerTask : Waiter {
  void (*work)(WorkerTask*) = nullptr;  // runs on a worker, leaves its result in the task
  Status refused;
  // Whose share of the queue it takes while it waits: a client's address; empty: nobody's.
  std::string_view asker;
  // Of a request that was let into the class before: no bound refuses it, or what was done for it
  // would be lost.
  bool goes_on = false;
};

class Workers {
 public:
  struct Size {
    unsigned threads = 1;
    std::size_t queue_max = 0;  // tasks that wait; those that run do not count
    std::size_t share_max = 0;  // of them, of one asker; 0: all
  };
  using Sizes = std::array<Size, kWorkClasses>;  // by WorkClass

  explicit Workers(const Sizes& sizes);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: `task->refused` says why, and which bound was hit.
  bool submit(WorkClass kind, WorkerTask* task);
  void stop();  // completes what was taken in

 private:
  void run(std::size_t kind);
  bool take_share(std::size_t kind, const WorkerTask& task) REQUIRES(mutex_);
  void give_share(std::size_t kind, const WorkerTask& task) REQUIRES(mutex_);

  const Sizes sizes_;
  Mutex mutex_;
  std::array<Condition, kWorkClasses> wake_;
  std::array<WaiterQueue, kWorkClasses> queues_ GUARDED_BY(mutex_);
  // How many of an asker wait, in the classes where that is bounded.
  std::array<std::map<std::string, std::size_t, std::less<>>, kWorkClasses> shares_
      GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace leasehold::core
