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
    Fill fill;
    std::optional<barrier::PhysicalKey> gone;
    std::string part_of;  // of a job that is done
  };
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
  // Where a job that walks over all tokens goes on.
  std::map<barrier::PhysicalKey, std::optional<barrier::PhysicalKey>> walks_;
};

}  // namespace leasehold::core
