#include "vault/base/watch.h"

#include <pthread.h>

#include <algorithm>

namespace leasehold {
namespace {
constexpr std::chrono::seconds kLookEvery{1};
}  // namespace

void Watch::Call::begin() {
  MutexLock lock(watch_.mutex_);
  watch_.calls_.push_back(this);
}

Watch::Call::~Call() {
  MutexLock lock(watch_.mutex_);
  if (looks_ >= kLooksUntilNamed)
    watch_.log_.info("{}: {} answers again after {} seconds", watch_.room_, where(), looks_);
  watch_.calls_.erase(std::find(watch_.calls_.begin(), watch_.calls_.end(), this));
}

void Watch::look() {
  bool stuck = false;
  {
    MutexLock lock(mutex_);
    for (Call* call : calls_) {
      ++call->looks_;
      if (call->looks_ == kLooksUntilNamed)
        log_.error("{}: {} has not answered for {} seconds; every request waits for it", room_,
                   call->where(), call->looks_);
      if (call->looks_ != kLooksUntilStuck) continue;
      log_.error("{}: {} has not answered for {} seconds; giving up", room_, call->where(),
                 call->looks_);
      stuck = true;
    }
  }
  if (stuck && stuck_) stuck_();
}

void Watch::start() {
  MutexLock lock(mutex_);
  running_ = true;
  thread_ = std::thread([this] { run(); });
}

void Watch::stop() {
  {
    MutexLock lock(mutex_);
    running_ = false;
    stopped_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Watch::run() {
  pthread_setname_np(pthread_self(), "disk watch");
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (running_ && stopped_.wait_for(mutex_, kLookEvery)) continue;
      if (!running_) return;
    }
    look();
  }
}

}  // namespace leasehold
