#pragma once
// Ends a call that takes too long as a whole, however the other side spreads its bytes.
//
//   TimeLimit limit(std::chrono::seconds(60), [&] { client.stop(); });
//   client.send(request);
//   if (limit.passed()) ...
//
// Thread safety: `end` runs on a thread of its own, once at most, and not after the destructor.

#include <chrono>
#include <functional>
#include <thread>

#include "vault/base/mutex.h"

namespace leasehold::client {

class TimeLimit {
 public:
  TimeLimit(std::chrono::seconds limit, std::function<void()> end)
      : thread_([this, limit, end = std::move(end)] { run(limit, end); }) {}
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;
  ~TimeLimit() {
    {
      MutexLock lock(mutex_);
      done_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  bool passed() {
    MutexLock lock(mutex_);
    return passed_;
  }

 private:
  void run(std::chrono::seconds limit, const std::function<void()>& end);

  Mutex mutex_;
  Condition changed_;
  bool done_ GUARDED_BY(mutex_) = false;
  bool passed_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace leasehold::client
