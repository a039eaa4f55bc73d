#pragma once
// Revocations of many: what hangs below a revoked token, the leases below a prefix, the tokens made
// at a path. A job is a durable record; each pass does a part of it, and it goes with the last one.
// Thread safety: one thread at a time.

#include "vault/base/function_ref.h"
#include "vault/core/leases/endings.h"
#include "vault/core/leases/waits.h"

namespace leasehold::core {

class Jobs {
 public:
  // Requests that wait for a job, or for a lease that one gives up, wait at `waits`.
  Jobs(Endings& endings, Waits& waits) : endings_(endings), waits_(waits) {}
  bool tick(WallTime now);  // true: there is more right now

 private:
  // A step of a job, and the record that is gone with it: whoever waits for that is told.
  struct Step {
    barrier::PhysicalKey job;
    Fill fill;
    std::optional<barrier::PhysicalKey> gone;
    std::string part_of;  // of a job that is done
  };
  // A job that walks over all tokens: where it goes on, and whether it found any since it began.
  struct Walk {
    std::optional<barrier::PhysicalKey> next;
    bool found = false;
  };
  // A job of which nothing could be done: not tried before, and ever more seldom.
  struct Failing {
    Instant until;
    Nanos pause{0};
  };
  Status take_jobs(ReadTxn& txn, std::vector<std::pair<barrier::PhysicalKey, bool>>& jobs);
  bool plan(WallTime now, std::vector<Step>& steps);
  bool is_aside(const barrier::PhysicalKey& job) const;
  void set_aside(const barrier::PhysicalKey& job);
  void note_failures(const std::vector<Step>& steps, const Committed& committed);
  Status token_steps(const barrier::PhysicalKey& job, WallTime now, std::vector<Step>& steps);
  Status prefix_steps(ReadTxn& txn, const barrier::PhysicalKey& job, WallTime now,
                      std::vector<Step>& steps);
  Status login_steps(ReadTxn& txn, const barrier::PhysicalKey& key, const LeaseJob& job,
                     WallTime now, std::vector<Step>& steps);
  Status forget_steps(ReadTxn& txn, const barrier::PhysicalKey& key, const LeaseJob& job,
                      WallTime now, std::vector<Step>& steps);
  Result<bool> walk_tokens(ReadTxn& txn, std::optional<barrier::PhysicalKey>& next,
                           FunctionRef<bool(const barrier::OrderedId&)> take);
  Step erase_job(const barrier::PhysicalKey& job, const LeaseJob& about);
  // Ends the lease at this mark of its owner; a mark that leads to no lease goes.
  Status revoke_owned(WriteTxn& txn, const barrier::OrderedId& owner, const barrier::OrderedId& id,
                      WallTime now);

  Endings& endings_;
  Waits& waits_;
  std::optional<barrier::PhysicalKey> next_;  // the jobs from here on are next; none: the first
  bool walking_ = false;                      // a walk went on in this pass, and is not at its end
  std::map<barrier::PhysicalKey, Walk> walks_;
  std::map<barrier::PhysicalKey, Failing> failing_;
};

}  // namespace leasehold::core
