#pragma once
// Ends things. One thread moves what expired into the due queues, sweeps what hung below revoked
// tokens and empties removed mounts; each target's own lane then revokes its accounts, sees them
// absent and writes the receipts. Failed attempts write nothing; it never gives up. A target that
// is down delays nothing but its own. Thread safety: every method from any thread; tick() from one
// at a time.

#include <deque>
#include <map>
#include <set>
#include <thread>
#include <unordered_map>

#include "vault/base/mutex.h"
#include "vault/commit/committer.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/registry.h"
#include "vault/core/leases/leases.h"
#include "vault/core/leases/token_events.h"
#include "vault/core/leases/waits.h"
#include "vault/target/lane.h"

namespace leasehold::core {

// The id in the name of a record of a target; none: it names none.
std::optional<TargetId> target_of(const std::string& name);

class Revoker {
 public:
  struct Parts {
    storage::Storage& storage;
    const barrier::Barrier& barrier;
    commit::Committer& committer;
    commit::Snapshots& snapshots;
    Registry& registry;
    const Tokens& tokens;
    const Leases& leases;
    Clock& clock;
    LogSink& log;
    const crypto::HmacKey& audit_key;
    target::Tag tag;
  };
  explicit Revoker(Parts parts);
  ~Revoker();
  Revoker(const Revoker&) = delete;
  Revoker& operator=(const Revoker&) = delete;

  void start();
  void stop();  // bounded; hung lanes are left behind
  void wake();  // something fell due
  // One pass over what is due at `now`. True: there is more right now.
  bool tick(WallTime now);

  // The lane of a target, with its newest settings. Code::unavailable when its engine or settings
  // are gone.
  Result<std::shared_ptr<target::Lane>> lane(ReadTxn& txn, const barrier::Space& space,
                                             const TargetId& id);
  const target::Tag& tag() const { return parts_.tag; }

  // While a lease is claimed its issuing worker owns it: no revocation begins.
  void claim(const barrier::OrderedId& id);
  void release(const barrier::OrderedId& id);
  // REVOKING, durably, from any thread: for what was issued and could not be delivered.
  void revoke_soon(const barrier::OrderedId& id);
  // Revokes a token (and so all below it) from any thread.
  void revoke_token_soon(const barrier::OrderedId& id);

  // False: nothing to wait for. Else `wait` is completed exactly once. Cheap, whatever it names.
  bool wait(RevocationWait* wait);
  // Its deadline passed. False: it has been completed already.
  bool give_up(RevocationWait* wait) { return waits_.give_up(wait); }

  std::size_t lanes() const;  // targets with threads of their own
  // Of a removed mount, by its space; none: its leases are not counted yet.
  std::optional<std::size_t> leases_left(const barrier::Space& space) const;
  // Why the last attempt at this target failed; empty: it did not, or there was none.
  std::string trouble_with(const TargetId& id) const;

 private:
  class DueQueue;
  struct LaneEntry {
    std::shared_ptr<target::Lane> lane;
    std::unique_ptr<DueQueue> queue;
    std::uint64_t mod = 0;
    barrier::Space space{};
  };

  // Each function fills one batch and says what the audit log says of it; all are committed
  // together.
  using OnRecord = commit::OnRecord;
  using Fill = std::function<Result<OnRecord>(WriteTxn&)>;

  void run();
  bool end_interrupted(WallTime now);
  bool is_interrupted(ReadTxn& txn, const barrier::PhysicalKey& entry);
  bool move_expired(WallTime now);
  bool recover_intents();
  void recover_targets(ReadTxn& txn, const Mount& mount);
  bool run_jobs(WallTime now);
  bool empty_removed_mounts(WallTime now);
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
  Result<Fill> erase_some(ReadTxn& txn, const Mount& mount, WallTime now);
  bool erase_old_receipts(WallTime now);
  bool retire_targets();
  Status see_retired(ReadTxn& txn, const Mount& mount);
  Result<bool> is_needed(ReadTxn& txn, const Mount& mount, Removal& removal);
  bool retire(const Mount& mount, const TargetId& target);
  // Of one target, or all of a mount.
  void drop_lanes(const barrier::Space& space, const std::optional<TargetId>& target);
  void wake_lanes();
  // Once until it changes, not with every pass.
  void report_waiting(const TargetId& target, const Status& opened);
  struct Committed {
    std::vector<Status> each;
    std::size_t count = 0;  // batches that are durable now
  };
  Committed commit_all(const std::vector<Fill>& fills);

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
  Result<OnRecord> start_revoking(WriteTxn& txn, const barrier::OrderedId& id, WallTime now);
  Result<OnRecord> expire_one(WriteTxn& txn, barrier::Table table, const barrier::OrderedId& id,
                              const barrier::PhysicalKey& entry, WallTime now);
  Result<OnRecord> expire_token(WriteTxn& txn, const barrier::OrderedId& id,
                                const barrier::PhysicalKey& entry, WallTime now);
  Result<OnRecord> revoke_token(WriteTxn& txn, const barrier::OrderedId& id, WallTime now);
  // Ends the lease at this mark of its owner; a mark that leads to no lease goes.
  Status revoke_owned(WriteTxn& txn, const barrier::OrderedId& owner, const barrier::OrderedId& id,
                      WallTime now);
  // A record that cannot be read: said once, left as it is, and looked at again now and then, so
  // that it holds up nothing behind it. An error: storage failed, which is no damage.
  Status set_aside(ReadTxn& txn, const barrier::PhysicalKey& record, const barrier::OrderedId& id,
                   std::string_view what);
  bool is_aside(const barrier::OrderedId& id) const;
  void finished(const barrier::OrderedId& lease, const Status& result) {
    waits_.ended(lease_key(lease), result);
  }
  // Those of `records` that are not there (any more).
  Result<RevocationWait::Records> absent_of(const RevocationWait::Records& records);
  void look_at_waits();
  bool claimed(const barrier::OrderedId& id) const;

  Parts parts_;
  const WallTime started_at_;  // what fell due before, an earlier process may have begun to revoke
  std::thread thread_;
  std::map<barrier::Space, Removal> removals_;                     // of tick() alone
  std::map<barrier::Space, std::map<TargetId, Removal>> retired_;  // of tick() alone
  Instant look_at_retired_;                                        // not before
  // Where a job that walks over all tokens goes on; of tick() alone.
  std::map<barrier::PhysicalKey, std::optional<barrier::PhysicalKey>> walks_;
  std::map<TargetId, std::string> waiting_;  // of tick() alone: what was said
  // Where the walk over what an earlier process left PENDING goes on; none: it is done.
  std::optional<barrier::PhysicalKey> interrupted_ =
      barrier::PhysicalKey(barrier::Table::expiry);  // of tick() alone
  // Path of the mount whose targets were looked at last; none: that was the last. Of tick() alone.
  std::optional<std::string> unrecovered_ = std::string();
  Waits waits_;
  mutable Mutex mutex_;
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  std::map<barrier::Space, std::size_t> leases_left_ GUARDED_BY(mutex_);
  std::set<barrier::OrderedId> claimed_ GUARDED_BY(mutex_);
  std::vector<barrier::OrderedId> asked_ GUARDED_BY(mutex_);
  std::vector<barrier::OrderedId> asked_tokens_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<const RevocationWait::Records>> unlooked_ GUARDED_BY(mutex_);
  std::map<barrier::OrderedId, Instant> aside_ GUARDED_BY(mutex_);  // damaged, until then
  mutable Mutex lanes_mutex_;
  std::map<TargetId, LaneEntry> lanes_ GUARDED_BY(lanes_mutex_);
};

}  // namespace leasehold::core
