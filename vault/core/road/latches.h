#pragma once
// In-memory latches: after one conflict a request runs again alone on its key, so that a crowd of
// writers of one record makes progress one by one. First come, first served; thread-safe.
//
// Where the latch is held while a target works, whoever may ask for one renewal may ask for many:
// few wait then, for one key and in all, and the others are refused.

#include <algorithm>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <utility>

#include "vault/base/bound.h"
#include "vault/base/loop.h"
#include "vault/base/mutex.h"

namespace leasehold::core {

struct LatchWait : Waiter {
  std::uint64_t key = 0;
  bool at_target = false;  // whoever holds such a latch works at a target meanwhile
  Status refused;          // instead of the latch
};

class Latches {
 public:
  static constexpr std::size_t kOfKeyMax = 1024, kOfKeyAtTargetMax = 16, kAtTargetMax = 512;

  // True: somebody holds it, the waiter is resumed when its turn comes. False: it is the caller's,
  // or `refused` says why not.
  bool take(LatchWait* waiter) {
    MutexLock lock(mutex_);
    const auto placed = held_.try_emplace(waiter->key);
    if (placed.second) return false;
    Line& line = placed.first->second;
    waiter->refused = refusal(*waiter, line.size());
    if (!waiter->refused.ok()) return false;
    line.push_back(waiter);
    if (waiter->at_target) ++at_target_;
    return true;
  }
  // False: its turn has come already.
  bool give_up(LatchWait* waiter) {
    MutexLock lock(mutex_);
    const auto found = held_.find(waiter->key);
    if (found == held_.end()) return false;
    Line& line = found->second;
    const auto place = std::find(line.begin(), line.end(), waiter);
    if (place == line.end()) return false;
    line.erase(place);
    if (waiter->at_target) --at_target_;
    return true;
  }
  void give(std::uint64_t key) {
    LatchWait* next = nullptr;
    {
      MutexLock lock(mutex_);
      const auto found = held_.find(key);
      if (found->second.empty()) {
        held_.erase(found);
        return;
      }
      next = found->second.front();
      found->second.pop_front();
      if (next->at_target) --at_target_;
    }
    complete(next);
  }

 private:
  using Line = std::deque<LatchWait*>;

  Status refusal(const LatchWait& waiter, std::size_t waiting) const REQUIRES(mutex_) {
    static constexpr Bound kOfKey{"requests wait for their turn on this record"},
        kOfKeyAtTarget{"requests wait for their turn on this lease or manager"},
        kAtTarget{"requests wait for their turn on leases and managers"};
    const std::size_t most = waiter.at_target ? kOfKeyAtTargetMax : kOfKeyMax;
    if (waiting >= most) return (waiter.at_target ? kOfKeyAtTarget : kOfKey).hit(most);
    if (waiter.at_target && at_target_ >= kAtTargetMax) return kAtTarget.hit(kAtTargetMax);
    return {};
  }

  Mutex mutex_;
  std::unordered_map<std::uint64_t, Line> held_ GUARDED_BY(mutex_);
  std::size_t at_target_ GUARDED_BY(mutex_) = 0;  // of those that wait
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
