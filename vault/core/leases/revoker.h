#pragma once
// Ends things. One thread runs the passes of its parts, each with a file and, where other threads
// come in, a lock of its own:
//
//   Expirer   what expired, or was asked for from elsewhere, begins to end
//   Jobs      revocations of many: below a token, below a prefix
//   Removals  mounts and targets that were removed
//   Lanes     each target's own threads revoke its accounts, see them absent and write the receipts
//   Waits     requests that answer when that is done
//
// Failed attempts write nothing; it never gives up. A target that is down delays nothing but its
// own. Thread safety: every method from any thread; tick() from one at a time.

#include <thread>

#include "vault/core/leases/endings.h"
#include "vault/core/leases/expirer.h"
#include "vault/core/leases/jobs.h"
#include "vault/core/leases/lanes.h"
#include "vault/core/leases/removals.h"
#include "vault/core/leases/waits.h"

namespace leasehold::core {

class Revoker {
 public:
  using Parts = Endings::Parts;
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
                                             const TargetId& id) {
    return lanes_.lane(txn, space, id);
  }
  const target::Tag& tag() const { return endings_.parts.tag; }
  std::map<Doubts::Place, std::string> take_doubts() { return endings_.doubts.take(); }

  // While a lease is claimed its issuing worker owns it: no revocation begins.
  void claim(const barrier::OrderedId& id) { endings_.claims.claim(id); }
  void release(const barrier::OrderedId& id);
  // For tests: a claim that is left over shows in no other way.
  std::size_t claimed() const { return endings_.claims.size(); }
  // REVOKING, durably, from any thread: for what was issued and could not be delivered.
  void revoke_soon(const barrier::OrderedId& id);
  // Revokes a token (and so all below it) from any thread.
  void revoke_token_soon(const barrier::OrderedId& id);

  // False: nothing to wait for. Else `wait` is completed exactly once. Cheap, whatever it names.
  bool wait(RevocationWait* wait);
  // Its deadline passed. False: it has been completed already.
  bool give_up(RevocationWait* wait) { return waits_.give_up(wait); }

  std::size_t lanes() const { return lanes_.size(); }  // targets with threads of their own
  std::size_t stopping_lanes() const { return lanes_.stopping(); }
  // Of a removed mount, by its space; none: its leases are not counted yet.
  std::optional<std::size_t> leases_left(const barrier::Space& space) const {
    return removals_.leases_left(space);
  }
  // Why the last attempt at this lease, or at its target, failed; empty: it did not, or there was
  // none.
  std::string trouble_with(const TargetId& id, const barrier::OrderedId& lease) const {
    return lanes_.trouble_with(id, lease);
  }

 private:
  void run();

  Endings endings_;
  Waits waits_;
  Lanes lanes_;
  Expirer expirer_;
  Jobs jobs_;
  Removals removals_;
  std::thread thread_;
  Mutex mutex_;  // of the thread alone: nothing is locked under it
  Condition wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
};

}  // namespace leasehold::core
