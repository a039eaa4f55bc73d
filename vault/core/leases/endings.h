#pragma once
// What all that ends leases and tokens shares: how a pass commits what it found, the leases that
// are being issued, and the records that cannot be read.
//
//   std::vector<Fill> fills;                        // each fills one batch
//   fills.push_back([&](WriteTxn& txn) { return endings.start_revoking(txn, id, now); });
//   const Committed committed = endings.commit_all(fills);
//
// Thread-safe. The locks of Claims and Damage stand last: nothing is locked under them.

#include <functional>
#include <map>
#include <set>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/commit/committer.h"
#include "vault/commit/snapshots.h"
#include "vault/core/authority/mounts.h"
#include "vault/core/leases/doubts.h"
#include "vault/core/leases/leases.h"
#include "vault/core/leases/token_events.h"
#include "vault/target/lane.h"

namespace leasehold::core {

using commit::OnRecord;
// Fills one batch and says what the audit log says of it.
using Fill = std::function<Result<OnRecord>(WriteTxn&)>;
struct Committed {
  std::vector<Status> each;
  std::size_t count = 0;  // batches that are durable now
};

// What a drill answers to whatever would reach a target or end a credential.
Error refused_in_drill();

inline constexpr commit::Unrecorded kOnRecordWhenGone{
    "a lease that falls due is on record once its account was seen gone"};

// Leases whose issuing worker owns them: no revocation begins.
class Claims {
 public:
  void claim(const barrier::OrderedId& id) {
    MutexLock lock(mutex_);
    ids_.insert(id);
  }
  void release(const barrier::OrderedId& id) {
    MutexLock lock(mutex_);
    ids_.erase(id);
  }
  bool has(const barrier::OrderedId& id) const {
    MutexLock lock(mutex_);
    return ids_.count(id) != 0;
  }
  std::size_t size() const {
    MutexLock lock(mutex_);
    return ids_.size();
  }

 private:
  mutable Mutex mutex_;
  std::set<barrier::OrderedId> ids_ GUARDED_BY(mutex_);
};

// Records that cannot be read: said once, left as they are, and looked at again now and then, so
// that they hold up nothing behind them.
class Damage {
 public:
  Damage(Clock& clock, LogSink& log) : clock_(clock), log_(log) {}
  // An error: storage failed, which is no damage.
  Status set_aside(ReadTxn& txn, const barrier::PhysicalKey& record, const barrier::OrderedId& id,
                   std::string_view what);
  bool is_aside(const barrier::OrderedId& id) const;

 private:
  Clock& clock_;
  LogSink& log_;
  mutable Mutex mutex_;
  std::map<barrier::OrderedId, Instant> aside_ GUARDED_BY(mutex_);  // until then
};

class Endings {
 public:
  struct Parts {
    storage::Storage& storage;
    const barrier::Barrier& barrier;
    commit::Committer& committer;
    commit::Snapshots& snapshots;
    Mounts& mounts;
    const Tokens& tokens;
    const Leases& leases;
    Clock& clock;
    LogSink& log;
    const crypto::HmacKey& audit_key;
    target::Tag tag;
    bool drill = false;  // nothing ends, and no target is reached
  };
  explicit Endings(Parts p)
      : parts(std::move(p)), started_at(parts.clock.now()), damage(parts.clock, parts.log) {}

  // All are committed together; returns when each is durable or has failed.
  Committed commit_all(const std::vector<Fill>& fills);
  Result<OnRecord> start_revoking(WriteTxn& txn, const barrier::OrderedId& id, WallTime now);
  Result<OnRecord> revoke_token(WriteTxn& txn, const barrier::OrderedId& id, WallTime now);

  const Parts parts;
  // What fell due before, an earlier process may have begun to revoke.
  const WallTime started_at;
  Damage damage;
  Claims claims;
  Doubts doubts;
};

}  // namespace leasehold::core
