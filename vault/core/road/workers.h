#pragma once
// Threads for what must not run on an io thread, in classes: each has threads and a bounded queue
// of its own, so that slow hashes never hold up lists, nor a server that hangs an unseal or the
// audit log's flushes. Who waits in a queue, and who gives way in it, is one rule for all
// (work_queue.h). A task is refused at once or completed exactly once, also at shutdown; one that
// lost its place is completed and says so in `refused`. Revocation has threads of its own
// (core/leases) and waits for none of these. Thread-safe.

#include <array>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/core/contract/engine.h"
#include "vault/core/road/work_queue.h"

namespace leasehold::core {

enum class WorkClass : std::uint8_t { lists, hashes, outside, flushes, bodies, gate };
inline constexpr std::size_t kWorkClasses = 6;

WorkClass class_of(Place place);  // of a place that is not inline

class Workers {
 public:
  struct Size {
    unsigned threads = 1;
    std::size_t places = 0;  // for tasks that wait; those that run have none
  };
  using Sizes = std::array<Size, kWorkClasses>;  // by WorkClass

  // What of an answer is in memory from when it is made until it is delivered. Whoever has one
  // waits for no worker that has to begin something, nor for who does.
  class Held {
   public:
    Held() = default;
    Held(Workers& workers, std::size_t bytes) : workers_(&workers), bytes_(bytes) {
      workers.change_held(bytes, 0);
    }
    Held(Held&& other) noexcept { swap(other); }
    Held& operator=(Held&& other) noexcept {
      Held(std::move(other)).swap(*this);
      return *this;
    }
    ~Held() {
      if (workers_ != nullptr) workers_->change_held(0, bytes_);
    }

   private:
    void swap(Held& other) noexcept {
      std::swap(workers_, other.workers_);
      std::swap(bytes_, other.bytes_);
    }
    Workers* workers_ = nullptr;
    std::size_t bytes_ = 0;
  };

  static constexpr std::size_t kHeldMax = 64u << 20;

  // While `held_max` bytes are held, the classes that make large answers (lists, bodies) begin
  // nothing: what was made is recorded and delivered first. So they exceed it by one a thread.
  explicit Workers(const Sizes& sizes, std::size_t held_max = kHeldMax);
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // False: `task->refused` says why, and which bound was hit.
  bool submit(WorkClass kind, WorkerTask* task);
  void stop();  // completes what was taken in

 private:
  void run(std::size_t kind);
  WorkerTask* next(std::size_t kind) REQUIRES(mutex_);
  void change_held(std::size_t more, std::size_t less);

  const Sizes sizes_;
  const std::size_t held_max_;
  Mutex mutex_;
  std::array<Condition, kWorkClasses> wake_;
  std::array<WorkQueue, kWorkClasses> waiting_ GUARDED_BY(mutex_);
  std::size_t held_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace leasehold::core
