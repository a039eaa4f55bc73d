#pragma once
// Targets that may hold other accounts than they did: a server that was started anew, or answers
// after it did not, may have been put back, and an account that was missing says so. What was
// removed there is there again, with its old password. The sweeper takes them and compares.
// Thread-safe; nothing is locked under its lock.

#include <map>
#include <string>

#include "vault/base/mutex.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

class Doubts {
 public:
  using Place = std::pair<barrier::Space, TargetId>;  // the space of its mount
  // `why` ends a sentence of the log. Of several reasons the first stays.
  void note(const barrier::Space& space, const TargetId& target, std::string_view why) {
    MutexLock lock(mutex_);
    noted_.try_emplace(Place(space, target), why);
  }
  std::map<Place, std::string> take() {
    MutexLock lock(mutex_);
    return std::exchange(noted_, {});
  }

 private:
  Mutex mutex_;
  std::map<Place, std::string> noted_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
