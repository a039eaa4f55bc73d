#pragma once
// The lanes of all targets: made when one is asked for, told of new settings, woken when a lease
// falls due at their target or an intent there was not settled (recovery.cpp).
// Thread safety: lane(), size(), stopping() and trouble_with() from any thread, the rest from one
// at a time. Under `mutex_` a lane's own lock is taken, never the other way round.

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <thread>

#include "vault/core/leases/due_queue.h"

namespace leasehold::core {

class Lanes {
 public:
  Lanes(Endings& endings, Waits& waits) : endings_(endings), waits_(waits) {}
  // The lane of a target, with its newest settings. Code::unavailable when its engine or settings
  // are gone.
  Result<std::shared_ptr<target::Lane>> lane(ReadTxn& txn, const barrier::Space& space,
                                             const TargetId& id);
  std::size_t size() const;
  // Of removed mounts, whose threads have not ended yet.
  std::size_t stopping() const { return stopping_; }
  // Why the last attempt at this lease failed, or else at its target; empty: it did not, or there
  // was none.
  std::string trouble_with(const TargetId& id, const barrier::OrderedId& lease) const;

  bool recover();   // true: there is more to look at
  void wake_due();  // those that have something due
  // Requests that wait for leases of a target that cannot be reached, and is tried again later than
  // they may wait: they are told why.
  void tell_of_outages();
  // Of one target, or all of a mount. Waits for none of them: they stop on threads of their own.
  void drop(const barrier::Space& space, const std::optional<TargetId>& target);
  void stop();  // bounded; hung lanes are left behind

 private:
  struct LaneEntry {
    std::shared_ptr<target::Lane> lane;  // shared with the requests that work on it
    std::unique_ptr<DueQueue> queue;
    std::uint64_t mod = 0;
    barrier::Space space{};
  };
  // With their queues, until they have stopped.
  struct Dropped {
    std::vector<LaneEntry> lanes;
    std::atomic<bool> stopped{false};
    std::thread thread;
  };
  static void stop_all(const std::vector<LaneEntry>& entries);
  std::map<TargetId, std::string> outages() const;  // of which target, and why
  void recover_targets(ReadTxn& txn, const Mount& mount);
  // Once until it changes, not with every pass.
  void report_waiting(const TargetId& target, const Status& opened);

  Endings& endings_;
  Waits& waits_;
  std::list<Dropped> dropped_;
  std::atomic<std::size_t> stopping_{0};
  std::map<TargetId, std::string> waiting_;  // what was said
  // Path of the mount whose targets were looked at last; none: that was the last.
  std::optional<std::string> unrecovered_ = std::string();
  mutable Mutex mutex_;
  std::map<TargetId, LaneEntry> lanes_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
