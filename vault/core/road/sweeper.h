#pragma once
// The sweeper: compares every target with the leases, now and then by itself, soon when one may
// have been put back (leases/doubts.h) and when an operator asks, and ends what is on no lease. By
// itself it ends accounts only; leases whose account is gone are reported, and end only when an
// operator asks for it. On a target of a store that was put back it only looks until an operator
// has said so once: there an account without a lease may be one that the store has forgotten. A
// target whose accounts are all on leases is reconciled.
//
// By itself it asks a few targets at a time: the doubted ones first, then some of each mount in
// turn, and those that could not be listed the last time after all others, only until a period has
// passed. So targets that hang, whoever configured them, keep the others waiting for little.
//
//   sweeper.sweep(mount, Sweeper::Asked::to_mend)   // blocks, some seconds for each target
//
// Thread safety: every method from any thread; start() and stop() from one.

#include <deque>
#include <map>
#include <optional>
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

  enum class Asked : std::uint8_t { nothing, to_look, to_mend };  // nothing: it does it by itself
  struct Swept {
    std::vector<Compared> targets;
    std::vector<barrier::PhysicalKey> ending;  // sorted: the leases to wait for
    std::vector<std::string> warnings;
  };
  // All targets of a mount.
  Result<Swept> sweep(const Mount& mount, Asked asked);

 private:
  struct Named {
    TargetId id{};
    std::string name;
  };
  // A target that is to be compared.
  struct Turn {
    std::shared_ptr<const Mount> mount;
    Named target;
    std::string doubt;                        // why it is compared now; empty: as all are
    std::size_t place = 0;                    // among the targets of its mount
    std::optional<std::int64_t> failed = {};  // when it could not be listed
  };
  void run(Instant next_pass);
  std::shared_ptr<const Compiled> mounts() const;  // null: they cannot be read now
  std::vector<Turn> turns_of(const std::shared_ptr<const Compiled>& compiled,
                             const Mount& mount) const;
  void queue_doubted();
  void queue_all();
  void take_turns_together();
  void take_turns();
  bool next(Turn& turn);
  void take(const Turn& turn);
  Result<std::vector<Named>> targets_of(const Mount& mount) const;
  Status sweep_one(const MountInfo& mount, const Named& target, Asked asked, Swept& swept);
  bool may_mend(const MountInfo& mount, const TargetId& target, Asked asked) const;
  Status settle(const MountInfo& mount, Compared& compared, Asked asked, Swept& swept);
  void tell(const MountInfo& mount, const Compared& compared);

  const Parts parts_;
  Comparison comparison_;
  std::thread thread_;
  Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::deque<Turn> queue_ GUARDED_BY(mutex_);
  Instant next_doubted_ GUARDED_BY(mutex_){};
  Instant failed_until_ GUARDED_BY(mutex_){};                   // those that failed get turns
  std::map<TargetId, std::int64_t> failed_ GUARDED_BY(mutex_);  // Turn::failed
};

}  // namespace leasehold::core
