#pragma once
// A mutex that clang's thread-safety analysis understands (it misreads std::mutex). A mutex and
// what it guards stand together; under clang `-Wthread-safety` a forgotten lock does not compile.
//
//   Mutex mutex_;
//   std::deque<Job> jobs_ GUARDED_BY(mutex_);
//   MutexLock lock(mutex_);  wake_.wait(lock) ...

#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define LEASEHOLD_ATTRIBUTE(x) __attribute__((x))
#else
#define LEASEHOLD_ATTRIBUTE(x)
#endif
#define CAPABILITY(x) LEASEHOLD_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY LEASEHOLD_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) LEASEHOLD_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) LEASEHOLD_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define ACQUIRE(...) LEASEHOLD_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) LEASEHOLD_ATTRIBUTE(release_capability(__VA_ARGS__))
#define EXCLUDES(...) LEASEHOLD_ATTRIBUTE(locks_excluded(__VA_ARGS__))

namespace leasehold {

class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  friend class Condition;
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Waits with the mutex held; spurious wake-ups happen, so wait in a loop over the condition.
class Condition {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.mutex_, std::adopt_lock);
    condition_.wait(held);
    held.release();
  }
  // False when `timeout` passed first.
  template <class Duration>
  bool wait_for(Mutex& mutex, Duration timeout) REQUIRES(mutex) {
    std::unique_lock<std::mutex> held(mutex.mutex_, std::adopt_lock);
    const bool woken = condition_.wait_for(held, timeout) == std::cv_status::no_timeout;
    held.release();
    return woken;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
};

}  // namespace leasehold
