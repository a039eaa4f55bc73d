#pragma once
// The two bounded lines in front of the commit thread: user batches and background ones. take()
// hands out the next group: up to kGroupOperationsMax operations and kGroupBytesMax bytes, at most
// half of either from the background, never nothing.
//
// Thread safety: push() and close() from any thread; take() from the commit thread.

#include <chrono>
#include <deque>
#include <optional>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/commit/committer.h"

namespace leasehold::commit {

class Queue {
 public:
  // Not ok: closed (or not yet open), full, or a batch beyond the limits.
  Status push(Submission* submission) EXCLUDES(mutex_);
  // Waits for work, with `patience` at most so long: then `group` stays empty. False: closed, and
  // everything has been handed out.
  bool take(std::vector<Submission*>& group, std::optional<std::chrono::milliseconds> patience = {})
      EXCLUDES(mutex_);
  void open() EXCLUDES(mutex_);
  void close() EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  Condition wake_;
  std::deque<Submission*> user_ GUARDED_BY(mutex_);
  std::deque<Submission*> background_ GUARDED_BY(mutex_);
  bool open_ GUARDED_BY(mutex_) = false;
};

}  // namespace leasehold::commit
