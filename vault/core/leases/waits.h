#pragma once
// Requests that wait until records (of leases, of jobs) are gone, or until the first attempt on one
// of them failed. A wait may name tens of thousands of records: nothing here walks over them with
// the mutex held.
//
//   waits.add(&wait);                    // before looking: what ends meanwhile is reported
//   waits.ended(lease_key(id), {});      // from any thread; completes whom it was the last for
//
// Thread-safe. A wait is completed exactly once, or given up by its owner.

#include <memory>
#include <set>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"

namespace leasehold::core {

struct RevocationWait : Waiter {
  using Records = std::vector<barrier::PhysicalKey>;
  // Sorted, each once, and never changed after the wait was added: others look at them when it has
  // ended.
  std::shared_ptr<const Records> records;
  Status result;

 private:
  friend class Waits;
  bool take(const barrier::PhysicalKey& record);
  std::vector<bool> gone_;  // beside `records`
  std::size_t left_ = 0;
};

class Waits {
 public:
  void add(RevocationWait* wait);
  // What was gone when `wait` was added, or has gone since; a few records. True: that was all, and
  // the wait is the caller's again; false: it was completed meanwhile, or will be.
  bool were_gone(RevocationWait* wait, const RevocationWait::Records& records);
  // False: it has been completed already.
  bool give_up(RevocationWait* wait);
  void ended(const barrier::PhysicalKey& record, const Status& result);
  void refuse_all(const Error& why);

 private:
  Mutex mutex_;
  std::set<RevocationWait*> waits_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
