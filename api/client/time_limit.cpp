#include "api/client/time_limit.h"

namespace leasehold::client {

void TimeLimit::run(std::chrono::seconds limit, const std::function<void()>& end) {
  {
    MutexLock lock(mutex_);
    for (bool woken = true; !done_ && woken;) woken = changed_.wait_for(mutex_, limit);
    if (done_) return;
    passed_ = true;
  }
  end();
}

}  // namespace leasehold::client
