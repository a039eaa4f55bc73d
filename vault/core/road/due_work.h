#pragma once
// Calls engines for what they do by themselves: Engine::due, for each mount, as often as its engine
// says, and at once when a request asks (Response::due_work). A slice is one batch; what it ended
// is on record. One thread; a mount at a time, so a slow engine delays the tidying of others, and
// no request.
//
//   due_work.start();  …  due_work.ask(mount.space);
//
// Thread safety: ask() from any thread; start() and stop() from one.

#include <map>
#include <set>
#include <thread>

#include "vault/commit/committer.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/mounts.h"

namespace leasehold::core {

class DueWork {
 public:
  struct Parts {
    const barrier::Barrier& barrier;
    commit::Committer& committer;
    commit::Snapshots& snapshots;
    Mounts& mounts;
    Clock& clock;
    LogSink& log;
  };
  explicit DueWork(const Parts& parts) : parts_(parts) {}
  ~DueWork() { stop(); }
  DueWork(const DueWork&) = delete;
  DueWork& operator=(const DueWork&) = delete;

  void start();
  void stop();  // after the slice that is being done
  void ask(const barrier::Space& space);

 private:
  void run();
  bool wait();  // false: stopping
  bool stopping();
  void call_due();
  // Mounts whose time has come, or that were asked for.
  std::vector<std::shared_ptr<const Mount>> due_now();
  void work_in(const Mount& mount);
  // One slice, committed.
  Result<DueSlice> slice(const Mount& mount, const std::string& from);

  const Parts parts_;
  std::map<barrier::Space, Instant> next_;  // used by the thread alone, as is asked_for_
  std::set<barrier::Space> asked_for_;      // in this pass
  std::thread thread_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::set<barrier::Space> asked_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
