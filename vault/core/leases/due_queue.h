#pragma once
// The due queue of one target, as its lane sees it: REVOKING leases in the order they fell due.
// What an attempt failed on waits longer each time (up to five minutes) without holding up the
// others, however many wait: a look that met only such leases goes on behind them the next time,
// and from the front again at the end of the queue. next() and done() are called on lane threads.

#include <map>
#include <set>

#include "vault/core/leases/revoker.h"

namespace leasehold::core {

class Revoker::DueQueue final : public target::RevocationSource {
 public:
  DueQueue(Revoker& revoker, const TargetId& target, const barrier::Space& space)
      : revoker_(revoker), target_(target), space_(space) {}
  std::vector<Item> next(std::size_t limit) override;
  void done(const Item& item, const Result<target::Revoked>& result) override;
  // The first server is written down beside the target's settings; any other is refused from then
  // on, until the engine says that it is the same.
  Status met(const std::string& identity) override;

 private:
  struct Retry {
    unsigned attempts = 0;
    Instant not_before;
  };
  bool may_try(const barrier::OrderedId& id);
  bool tried_before(const barrier::OrderedId& id);
  // Ids of up to `limit` leases to try now, which are in work from here on.
  Result<std::vector<barrier::OrderedId>> take(ReadTxn& txn, std::size_t limit);
  // False: seen absent, and to be looked at once more.
  Result<bool> settle(const Item& item, const target::Revoked& revoked);
  void failed(const barrier::OrderedId& id, const Error& error);

  Revoker& revoker_;
  const TargetId target_;
  const barrier::Space space_;  // of the mount whose engine knows the target
  Mutex mutex_;
  std::set<barrier::OrderedId> working_ GUARDED_BY(mutex_);
  std::map<barrier::OrderedId, Retry> retries_ GUARDED_BY(mutex_);
  std::optional<barrier::PhysicalKey> resume_ GUARDED_BY(mutex_);  // where the next look begins
};

}  // namespace leasehold::core
