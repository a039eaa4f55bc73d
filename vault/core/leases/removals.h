#pragma once
// Empties mounts that were removed (removal.cpp) and erases the settings of targets that no
// configuration leads to any more (retirement.cpp), once no lease needs them.
// Thread safety: leases_left() from any thread, the rest from one at a time.

#include <deque>
#include <map>

#include "vault/core/leases/endings.h"
#include "vault/core/leases/lanes.h"

namespace leasehold::core {

class Removals {
 public:
  Removals(Endings& endings, Lanes& lanes) : endings_(endings), lanes_(lanes) {}
  // True: there is more right now.
  bool empty_removed_mounts(WallTime now);
  bool retire_targets();
  // Of a removed mount, by its space; none: its leases are not counted yet.
  std::optional<std::size_t> leases_left(const barrier::Space& space) const;

 private:
  // How far the emptying of a removed mount is, or of a retired target. It gets no new leases, so
  // the table of leases is walked once, a part in each pass; then only its own are looked at until
  // they are gone.
  struct Removal {
    std::optional<TargetId> target;            // none: all of the mount's
    Instant since;                             // of a target: when it was first seen retired
    std::optional<barrier::PhysicalKey> next;  // of the walk
    bool walked = false;
    bool reported = false;  // that leases which cannot be read hold it up
    std::deque<barrier::OrderedId> left;
  };
  static bool is_of(const Lease& lease, const Mount& mount, const Removal& removal);
  bool empty_mount(const Mount& mount, Removal& removal, WallTime now);
  Status walk_leases(ReadTxn& txn, const Mount& mount, Removal& removal);
  Status look_at_left(ReadTxn& txn, const Mount& mount, Removal& removal, WallTime now,
                      std::vector<Fill>& fills);
  static Result<Fill> erase_some(ReadTxn& txn, const Mount& mount, WallTime now);
  Status see_retired(ReadTxn& txn, const Mount& mount);
  Result<bool> is_needed(ReadTxn& txn, const Mount& mount, Removal& removal);
  bool retire(const Mount& mount, const TargetId& target);

  Endings& endings_;
  Lanes& lanes_;
  std::map<barrier::Space, Removal> removals_;
  std::map<barrier::Space, std::map<TargetId, Removal>> retired_;
  Instant look_at_retired_;  // not before
  mutable Mutex mutex_;      // stands last: nothing is locked under it
  std::map<barrier::Space, std::size_t> leases_left_ GUARDED_BY(mutex_);
};

}  // namespace leasehold::core
