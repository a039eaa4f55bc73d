#pragma once
// Which headers a request carries besides those that every request may have: the names that
// somebody reads, and no others. Their one reader is the audit log (authority/audited_headers.h).
// The listener looks at the number of the version with each request and fetches the names when it
// has changed, so where nothing is asked for a request costs one load. Thread-safe.

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/mutex.h"

namespace leasehold::core {

class AskedHeaders {
 public:
  using Names = std::vector<std::string>;  // in lower case

  void ask_for(Names names) {
    MutexLock lock(mutex_);
    if (*names_ == names) return;
    names_ = std::make_shared<const Names>(std::move(names));
    version_.fetch_add(1, std::memory_order_release);
  }
  // 0: none was ever asked for.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  std::shared_ptr<const Names> names() const {
    MutexLock lock(mutex_);
    return names_;
  }

 private:
  std::atomic<std::uint64_t> version_{0};
  mutable Mutex mutex_;
  std::shared_ptr<const Names> names_ GUARDED_BY(mutex_) = std::make_shared<const Names>();
};

}  // namespace leasehold::core
