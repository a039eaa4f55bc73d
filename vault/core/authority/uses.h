#pragma once
// The requests in flight on each token that has a limited number of uses. The one that ends last
// revokes a spent token, so that the others still find it. Thread-safe.

#include <map>

#include "vault/barrier/format.h"
#include "vault/base/mutex.h"

namespace leasehold::core {

class Uses {
 public:
  // By the id of the token's record.
  void begin(const barrier::OrderedId& token) {
    MutexLock lock(mutex_);
    ++running_[token].requests;
  }
  // `spent`: this request took the last use. True: the caller ended last, and the token is spent.
  bool end(const barrier::OrderedId& token, bool spent) {
    MutexLock lock(mutex_);
    const auto found = running_.find(token);
    Running& running = found->second;
    running.spent = running.spent || spent;
    if (--running.requests > 0) return false;
    spent = running.spent;
    running_.erase(found);
    return spent;
  }

 private:
  struct Running {
    unsigned requests = 0;
    bool spent = false;
  };
  Mutex mutex_;
  std::map<barrier::OrderedId, Running> running_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
