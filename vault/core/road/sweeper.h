#pragma once
// The sweeper: compares every target with the leases, now and then by itself, soon when one may
// have been put back (leases/doubts.h) and when an operator asks, and ends what is on no lease. By
// itself it ends accounts only; leases whose account is gone are reported, and end only when an
// operator asks for it. On a target of a store that was put back it only looks until an operator
// has said so once: there an account without a lease may be one that the store has forgotten. A
// target whose accounts are all on leases is reconciled.
//
//   sweeper.sweep(mount, Sweeper::Asked::to_mend)   // blocks, some seconds for each target
//
// Thread safety: every method from any thread; start() and stop() from one.

#include <thread>

#include "vault/core/leases/comparison.h"
#include "vault/core/road/restoration.h"

namespace leasehold::core {

class Sweeper {
 public:
  struct Parts {
    Comparison::Parts comparison;
    Mounts& mounts;
    Restoration& restoration;
    LogSink& log;
    Seconds period;  // 0: never by itself
  };
  explicit Sweeper(const Parts& parts);
  ~Sweeper() { stop(); }
  Sweeper(const Sweeper&) = delete;
  Sweeper& operator=(const Sweeper&) = delete;

  void start();
  void ask_to_stop();  // the current target is the last one
  void stop();         // waits for it

  enum class Asked : std::uint8_t { nothing, to_look, to_mend };
  struct Swept {
    std::vector<Compared> targets;
    std::vector<barrier::PhysicalKey> ending;  // sorted: the leases to wait for
    std::vector<std::string> warnings;
  };
  // All targets of a mount, or one. `nothing`: nobody asked.
  Result<Swept> sweep(const Mount& mount, Asked asked, const TargetId* only = nullptr);

 private:
  struct Named {
    TargetId id{};
    std::string name;
  };
  void run();
  std::shared_ptr<const Compiled> mounts() const;  // null: they cannot be read now
  void sweep_all();
  bool sweep_doubted();  // what may have been put back; false: nothing
  void sweep_unasked(const Mount& mount, const TargetId* only);
  Result<std::vector<Named>> targets_of(const Mount& mount) const;
  bool may_mend(const MountInfo& mount, const TargetId& target, Asked asked) const;
  Status settle(const MountInfo& mount, Compared& compared, Asked asked, Swept& swept);
  void tell(const MountInfo& mount, const Compared& compared);
  bool stopping();

  const Parts parts_;
  Comparison comparison_;
  std::thread thread_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace leasehold::core
