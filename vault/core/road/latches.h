#pragma once
// In-memory latches: after one conflict a request runs again alone on its key, so that a
// crowd of writers of one record makes progress one by one. First come, first served; thread-safe.

#include <cstdint>
#include <unordered_map>
#include <utility>

#include "vault/base/loop.h"
#include "vault/base/mutex.h"

namespace leasehold::core {

struct LatchWait : Waiter {
  std::uint64_t key = 0;
};

class Latches {
 public:
  // True: somebody holds it, the waiter is resumed when its turn comes.
  bool take(LatchWait* waiter) {
    MutexLock lock(mutex_);
    const auto placed = held_.try_emplace(waiter->key);
    if (placed.second) return false;
    placed.first->second.push(waiter);
    return true;
  }
  void give(std::uint64_t key) {
    Waiter* next = nullptr;
    {
      MutexLock lock(mutex_);
      const auto found = held_.find(key);
      next = found->second.pop();
      if (next == nullptr) held_.erase(found);
    }
    if (next != nullptr) complete(next);
  }

 private:
  Mutex mutex_;
  std::unordered_map<std::uint64_t, WaiterQueue> held_ GUARDED_BY(mutex_);
};

// Held until the end of its scope.
class Latch {
 public:
  Latch() = default;
  Latch(const Latch&) = delete;
  Latch& operator=(const Latch&) = delete;
  ~Latch() { release(); }
  void release() {
    if (latches_ != nullptr) std::exchange(latches_, nullptr)->give(key_);
  }
  bool held() const { return latches_ != nullptr; }
  void hold(Latches& latches, std::uint64_t key) {
    latches_ = &latches;
    key_ = key;
  }

 private:
  Latches* latches_ = nullptr;
  std::uint64_t key_ = 0;
};

}  // namespace leasehold::core
