#pragma once
// Compares the accounts of a target with the leases. The target is listed first and the leases are
// read after it, and what only one side has is looked at once more in the same order: so an account
// that is being made or removed meanwhile is never taken for one without a lease, nor its lease for
// one without an account.
//
//   const Comparison::UnderWay under_way(comparison);
//   comparison.compare(mount, target)        ->  Compared
//   comparison.mend(mount, compared, both)   ->  what only the target has is revoked, on record
//
// Two targets may be one server: what several comparisons see that are under way at the same time
// gets one lease.
//
// Only accounts that carry this cluster's tag, and a name as the vault makes them, are looked at;
// an account on a lease of any mount or target is accounted for. Blocks for a listing, some seconds
// at most: on threads that may wait; stop() ends those waits, and later ones. Thread-safe.

#include "vault/core/leases/revoker.h"

namespace leasehold::core {

struct Compared {
  struct Unfounded {  // an ACTIVE lease whose account is not there
    barrier::OrderedId id{};
    std::string lease_id, account;
  };
  TargetId target{};
  std::string name;                         // as operators know it
  Status status;                            // why there is nothing to compare
  std::size_t in_both = 0;                  // accounts on leases of this target
  std::vector<std::string> only_at_target;  // accounts, sorted
  std::vector<Unfounded> only_in_leases;
  // Leases whose accounts are named by the operator's own template: a listing by our tag does not
  // show them.
  std::size_t named_otherwise = 0;
  bool mended = false;      // what only one side has was given its end (mend)
  bool unreadable = false;  // a lease cannot be read, and may be the one of an account

  bool agree() const { return status.ok() && only_at_target.empty() && only_in_leases.empty(); }
};

class Comparison {
 public:
  struct Parts {
    const barrier::Barrier& barrier;
    commit::Committer& committer;
    commit::Snapshots& snapshots;
    const Leases& leases;
    Revoker& revoker;
    Clock& clock;
    Random& random;
  };
  explicit Comparison(const Parts& parts) : parts_(parts) {}
  // From before compare() until after mend().
  class UnderWay {
   public:
    explicit UnderWay(Comparison& comparison) : comparison_(comparison) {
      MutexLock lock(comparison_.mutex_);
      ++comparison_.under_way_;
    }
    ~UnderWay() {
      MutexLock lock(comparison_.mutex_);
      if (--comparison_.under_way_ == 0) comparison_.adopted_.clear();
    }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

   private:
    Comparison& comparison_;
  };

  Compared compare(const MountInfo& mount, const TargetId& target) const;
  // Accounts that only the target has get leases that end at once, so that their revocation goes on
  // through any failure; the leases without account end, too, when `both`. The records to wait for.
  // Code::unavailable, and nothing is done, while a lease is unreadable.
  Result<std::vector<barrier::PhysicalKey>> mend(const MountInfo& mount, const Compared& compared,
                                                 bool both);
  void stop() { stopped_ = true; }

 private:
  struct Books;
  Result<std::vector<std::string>> list(target::Lane& lane) const;
  Status compare_now(const MountInfo& mount, Compared& compared) const;
  Status read_leases(Books& books) const;
  Status see_again(target::Lane& lane, Compared& compared) const;
  Status adopt(const MountInfo& mount, const Compared& compared,
               std::span<const std::string> accounts,
               std::vector<barrier::PhysicalKey>& ending) const;

  const Parts parts_;
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  std::size_t under_way_ GUARDED_BY(mutex_) = 0;
  std::set<std::string> adopted_ GUARDED_BY(mutex_);  // while those were under way
};

}  // namespace leasehold::core
