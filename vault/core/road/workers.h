#pragma once
// Threads for what must not run on an io thread, in classes: each has threads and a bounded queue
// of its own, so that slow hashes never hold up lists, nor a server that hangs an unseal or the
// audit log's flushes. In a class the addresses that wait take turns, so that one who asks often
// does not hold up one who asks once. A task is refused at once or completed exactly once, also at
// shutdown. Revocation has threads of its own (core/leases) and waits for none of these.
// Thread-safe.

#include <array>
#include <deque>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

enum class WorkClass : std::uint8_t { lists, hashes, outside, flushes, bodies, gate };
inline constexpr std::size_t kWorkClasses = 6;

WorkClass class_of(Place place);  // of a place that is not inline

struct WorkerTask : Waiter {
  void (*work)(WorkerTask*) = nullptr;  // runs on a worker, leaves its result in the task
  Status refused;
  // Whose share of the queue and whose turn it takes: a client's address. The share of the empty
  // one has no bound.
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
  // What waits in a class.
  class Waiting {
   public:
    std::size_t size() const { return size_; }
    std::size_t share_of(std::string_view asker) const;
    void push(WorkerTask* task);
    WorkerTask* pop();  // of the asker whose turn it is; not empty

   private:
    struct Line {
      WaiterQueue tasks;
      std::size_t bounded = 0;  // of them, those that a bound may refuse
    };
    std::map<std::string, Line, std::less<>> lines_;
    std::deque<std::string_view> turns_;  // the keys of `lines_`
    std::size_t size_ = 0;
  };

  void run(std::size_t kind);

  const Sizes sizes_;
  Mutex mutex_;
  std::array<Condition, kWorkClasses> wake_;
  std::array<Waiting, kWorkClasses> waiting_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace leasehold::core
