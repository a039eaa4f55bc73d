#pragma once
// The due queue of one target, as its lane sees it: REVOKING leases in the order they fell due.
// First attempts go before retries, however many wait: a look that met only leases that failed goes
// on behind them the next time, and from the front again at the end of the queue. Retries are taken
// one by one, the one that has waited longest first, by one worker; when they begin to succeed (the
// lock that held them was released) by more. A lease whose objects are in use is tried again after
// two seconds at the latest, one that the target refuses after five minutes. next() and done() are
// called on lane threads.

#include <map>
#include <set>

#include "vault/core/leases/endings.h"
#include "vault/core/leases/target_watch.h"
#include "vault/core/leases/waits.h"

namespace leasehold::core {

class DueQueue final : public target::RevocationSource {
 public:
  DueQueue(Endings& endings, Waits& waits, const TargetId& target, const barrier::Space& space)
      : endings_(endings),
        waits_(waits),
        target_(target),
        space_(space),
        watch_(endings, target, space) {}
  std::vector<Item> next(std::size_t limit) override;
  void done(const Item& item, const Result<target::Revoked>& result) override;
  Status met(const target::Connection& connection) override { return watch_.met(connection); }
  void connected(target::Connection& connection, bool after_failure) override {
    watch_.connected(connection.started(), after_failure);
  }
  // Why the last attempt at this lease failed; empty: it did not, or there was none.
  std::string trouble_with(const barrier::OrderedId& id);
  void rotated(target::Connection& connection) override { watch_.look_at_intent(connection); }
  void reached(target::Connection& connection) override { watch_.look_at_intent(connection); }

 private:
  struct Retry {
    unsigned attempts = 0;
    unsigned alike = 0;  // of them, the last ones that failed in the same way: busy, or refused
    bool busy = false;
    Instant not_before;
    std::string error;                    // of the last one
    bool said = false, recorded = false;  // in the server log; in the audit log
    bool slow = false;                    // the last attempt took long before it failed
  };
  struct Work {
    enum class Kind { first, retry, slow_retry } kind = Kind::first;
    Instant began;
  };
  using Order = std::set<std::pair<std::int64_t, barrier::OrderedId>>;  // by `not_before`
  bool tried_before(const barrier::OrderedId& id);
  using Retries = std::map<barrier::OrderedId, Retry>;
  bool is_first_attempt(const barrier::OrderedId& id);
  std::optional<barrier::OrderedId> take_retry();
  std::optional<barrier::OrderedId> take_first(Order& order, Work::Kind kind) REQUIRES(mutex_);
  void forget_retry(Retries::iterator retry) REQUIRES(mutex_);
  // Ids of up to `limit` leases to try now, which are in work from here on.
  Result<std::vector<barrier::OrderedId>> take(ReadTxn& txn, std::size_t limit);
  // False: seen absent, and to be looked at once more.
  Result<bool> settle(const Item& item, const target::Revoked& revoked);
  unsigned attempts_of(const barrier::OrderedId& id);
  void failed(const barrier::OrderedId& id, const Error& error) REQUIRES(mutex_);
  void say_failure(const barrier::OrderedId& id, const Status& status);
  // With the lease of the account that holds up another one, by which it can be ended.
  Error naming_holder(Error error);
  std::string lease_of(const std::string& account) const;
  void ended(const barrier::OrderedId& id, const Status& status);
  void give_up_turn(Work::Kind kind, const Status& status) REQUIRES(mutex_);

  Endings& endings_;
  Waits& waits_;
  const TargetId target_;
  const barrier::Space space_;
  TargetWatch watch_;
  Mutex mutex_;
  std::map<barrier::OrderedId, Work> working_ GUARDED_BY(mutex_);
  Retries retries_ GUARDED_BY(mutex_);
  // What fails slowly waits in a queue of its own, with one worker of its own: so it stands before
  // nothing else.
  Order retry_order_ GUARDED_BY(mutex_), slow_order_ GUARDED_BY(mutex_);
  std::size_t retrying_ GUARDED_BY(mutex_) = 0, retrying_max_ GUARDED_BY(mutex_) = 1;
  bool retrying_slow_ GUARDED_BY(mutex_) = false;
  Instant say_after_ GUARDED_BY(mutex_);
  std::pair<std::string, std::string> holder_ GUARDED_BY(mutex_);  // the last one: account, lease
  std::optional<barrier::PhysicalKey> resume_ GUARDED_BY(mutex_);  // where the next look begins
};

}  // namespace leasehold::core
