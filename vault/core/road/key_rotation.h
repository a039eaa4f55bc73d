#pragma once
// New data keys: adds a term to the registry, takes it into use, and, in the background, seals
// again what is still under an older one. A crash at any step leaves a store that opens: the
// registry holds every term that a record may name, and what was not sealed again yet is found at
// the next start. Old terms stay in the registry, since copies of the store may need them.
//
//   VAULT_TRY(live.rotation->rotate(txn));             // in the batch of a request
//   answer.orders.on_commit = [&] { live.rotation->adopt(); };
//   while (!live.rotation->tick()) …                   // on a background thread
//
// Transactions are of the core's space. Thread safety: rotate() and state() from any thread; tick()
// from one.

#include <atomic>

#include "vault/barrier/format.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

class Unsealed;

class KeyRotation {
 public:
  explicit KeyRotation(Unsealed& live) : live_(live) {}

  // Of the newest term. Kept as a record in the core's space.
  struct State {
    std::uint32_t term = 1;
    WallTime installed;
    std::uint64_t installed_at = 0;  // commit index
    std::uint32_t rewrapped = 1;     // nothing is sealed under an older term than this
    std::int64_t operations_max = 0;
    Seconds interval{0};  // of rotation by itself; 0: never
    bool enabled = true;
  };
  Result<State> state(commit::ReadTxn& txn) const;
  Status configure(commit::WriteTxn& txn, const State& wanted) const;

  // Puts the next term into the batch.
  Status rotate(commit::WriteTxn& txn) const;
  // The batch is committed: what is sealed from now on is sealed under the new term.
  Status adopt() const;

  // One step of the background: a rotation that is due, then a page of records. True: nothing is
  // left to do for now.
  bool tick();
  std::uint64_t examined() const { return examined_; }

 private:
  Status rotate_when_due();
  Result<bool> rewrap_page();
  Result<State> begin();
  Result<std::size_t> look_at_page(std::vector<barrier::PhysicalKey>& older,
                                   barrier::PhysicalKey& last);
  Status rewrap(const std::vector<barrier::PhysicalKey>& keys);
  Result<bool> take_some(storage::Snapshot& snapshot, const std::vector<barrier::PhysicalKey>& keys,
                         std::size_t& at, commit::Changes& changes);
  Status finish(const State& state);

  Unsealed& live_;
  barrier::PhysicalKey next_;               // where the next page begins
  std::uint32_t wrapping_under_ = 0;        // the term the pass began with
  std::size_t unreadable_ = 0;              // records of this pass that stay as they are
  std::uint32_t unreadable_under_ = 0;      // the term whose pass ended with such records
  std::atomic<std::uint64_t> examined_{0};  // records of this pass
};

}  // namespace leasehold::core
