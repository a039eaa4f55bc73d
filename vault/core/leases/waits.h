#pragma once
// Requests that wait until records (of leases, of jobs) are gone, or until an attempt on one of
// them was refused. A wait may name tens of thousands of records: nothing here walks over them with
// the mutex held.
//
//   waits.wait(&wait);                   // looks at storage, too: it may be over already
//   waits.ended(lease_key(id), {});      // from any thread; completes whom it was the last for
//
// Thread-safe. A wait is completed exactly once, or given up by its owner.

#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"
#include "vault/commit/snapshots.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

struct RevocationWait : Waiter {
  using Records = std::vector<barrier::PhysicalKey>;
  // Sorted, each once, and never changed after the wait was added: others look at them when it has
  // ended.
  std::shared_ptr<const Records> records;
  bool forgets = false;  // what fails is forgotten in time: no failure ends the wait
  Status result;
  Status so_far;  // what one of them still waits for, for an answer that comes too early

 private:
  friend class Waits;
  std::optional<std::size_t> left(const barrier::PhysicalKey& record) const;
  bool take(const barrier::PhysicalKey& record);
  std::vector<bool> gone_;  // beside `records`
  std::size_t left_ = 0;
};

class Waits {
 public:
  Waits(commit::Snapshots& snapshots, const barrier::Barrier& barrier)
      : snapshots_(snapshots), barrier_(barrier) {}
  // False: nothing to wait for. Else `wait` is completed exactly once. Cheap, whatever it names.
  bool wait(RevocationWait* wait);
  // Looks up what waits of many records name, which wait() did not.
  void tick();
  void add(RevocationWait* wait);
  // What was gone when `wait` was added, or has gone since; a few records. True: that was all, and
  // the wait is the caller's again; false: it was completed meanwhile, or will be.
  bool were_gone(RevocationWait* wait, const RevocationWait::Records& records);
  // False: it has been completed already.
  bool give_up(RevocationWait* wait);
  // The first that is left of each, up to `most`.
  RevocationWait::Records first_left(std::size_t most);
  // It is gone, was refused, or its target cannot be reached. Code::deadline: it was in use, or the
  // target did not answer, and is tried again within moments, so requests go on waiting.
  void ended(const barrier::PhysicalKey& record, const Status& result);
  void refuse_all(const Error& why);

 private:
  // Those of `records` that are not there (any more).
  Result<RevocationWait::Records> absent_of(const RevocationWait::Records& records);

  commit::Snapshots& snapshots_;
  const barrier::Barrier& barrier_;
  Mutex mutex_;  // stands last: nothing is locked under it
  std::set<RevocationWait*> waits_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const RevocationWait::Records>> unlooked_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
