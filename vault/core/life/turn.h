#pragma once
// The turn to init, open or seal the vault: one thread at a time has it. Sealing waits until the
// requests in flight have ended. Callers of sys/init and sys/unseal are not authenticated: if all
// of them waited, a few strangers would hold every thread that there is for them. So at most one
// waits, here or for those requests, and the others are told to come back.
//
//   TurnLock lock(turn_);                                     // on a thread of our own
//   if (!turn_.take_as_caller()) return busy();  …  turn_.let_next_wait();  …  turn_.give();
//
// Thread safety: every method from any thread; the one that took the turn gives it.

#include "vault/base/mutex.h"

namespace leasehold::core {

class CAPABILITY("turn") Turn {
 public:
  void take() ACQUIRE() {
    MutexLock lock(mutex_);
    wait();
  }
  // False: another caller waits already.
  bool take_as_caller() LEASEHOLD_ATTRIBUTE(try_acquire_capability(true)) {
    MutexLock lock(mutex_);
    if (caller_waits_) return false;
    caller_waits_ = true;
    wait();
    holder_is_caller_ = true;
    return true;
  }
  // The caller that has the turn waits for nothing any more.
  void let_next_wait() REQUIRES(this) {
    MutexLock lock(mutex_);
    stop_counting();
  }
  void give() RELEASE() {
    MutexLock lock(mutex_);
    stop_counting();
    taken_ = false;
    given_.notify_all();
  }

 private:
  void wait() REQUIRES(mutex_) {
    while (taken_) given_.wait(mutex_);
    taken_ = true;
  }
  void stop_counting() REQUIRES(mutex_) {
    if (holder_is_caller_) caller_waits_ = false;
    holder_is_caller_ = false;
  }

  Mutex mutex_;
  Condition given_;
  bool taken_ GUARDED_BY(mutex_) = false;
  bool caller_waits_ GUARDED_BY(mutex_) = false;
  bool holder_is_caller_ GUARDED_BY(mutex_) = false;  // the turn's holder came by take_as_caller()
};

class SCOPED_CAPABILITY TurnLock {
 public:
  explicit TurnLock(Turn& turn) ACQUIRE(turn) : turn_(turn) { turn_.take(); }
  ~TurnLock() RELEASE() { turn_.give(); }
  TurnLock(const TurnLock&) = delete;
  TurnLock& operator=(const TurnLock&) = delete;

 private:
  Turn& turn_;
};

}  // namespace leasehold::core
