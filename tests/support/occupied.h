#pragma once
// Keeps every worker of a class busy until it is let go.

#include <doctest/doctest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "tests/support/test_vault.h"
#include "vault/core/road/workers.h"

namespace leasehold::testing {

class Occupied {
 public:
  // `threads`: as many as the class has; TestVault's have two each.
  Occupied(core::Workers& workers, core::WorkClass kind, std::size_t threads = 2) {
    for (std::size_t i = 0; i < threads; ++i) {
      Job& job = jobs_.emplace_back();
      job.owner = this;
      job.work = [](core::WorkerTask* one) {
        Occupied& owner = *static_cast<Job*>(one)->owner;
        ++owner.begun_;
        std::unique_lock<std::mutex> lock(owner.mutex_);
        owner.wake_.wait(lock, [&] { return owner.free_; });
      };
      job.resume = [](Waiter* waiter) { ++static_cast<Job*>(waiter)->owner->ended_; };
      REQUIRE(workers.submit(kind, &job));
    }
    REQUIRE(TestVault::eventually([this] { return begun_ == jobs_.size(); }));
  }
  Occupied(const Occupied&) = delete;
  Occupied& operator=(const Occupied&) = delete;
  ~Occupied() {
    let_go();
    TestVault::eventually([this] { return ended_ == jobs_.size(); });
  }
  void let_go() {
    const std::lock_guard<std::mutex> lock(mutex_);
    free_ = true;
    wake_.notify_all();
  }

 private:
  struct Job : core::WorkerTask {
    Occupied* owner = nullptr;
  };
  std::deque<Job> jobs_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool free_ = false;
  std::atomic<std::size_t> begun_{0}, ended_{0};
};

}  // namespace leasehold::testing
