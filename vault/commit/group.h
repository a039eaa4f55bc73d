#pragma once
// One group on its way through storage: says which batches keep the bounds of their counters, sums
// the multiset, and writes what closes the group (counters, outbox, head). It works on copies; only
// publish(), after the group is durable, changes what the Committer remembers. A group that failed
// is thrown away and leaves no trace.
//
// Thread safety: none; the commit thread's own.

#include <string>
#include <unordered_map>
#include <vector>

#include "vault/commit/batch.h"
#include "vault/commit/counters.h"
#include "vault/commit/head.h"
#include "vault/commit/outbox.h"

namespace leasehold::commit {

class Group final : public storage::GroupObserver {
 public:
  // `head` as it was, but with the time and the synced group of now. Every counter that `batches`
  // add to stands in `counters`.
  Group(const barrier::Barrier& barrier, CounterCache& counters, Outbox& outbox, const Head& head,
        std::span<const Batch* const> batches)
      : barrier_(barrier),
        counters_(counters),
        outbox_(outbox),
        head_(head),
        batches_(batches),
        term_(barrier.term()),
        counted_(batches.size()),
        hit_(batches.size()) {}

  bool admit(std::size_t batch) override;
  void changed(ByteView key, const std::optional<storage::Found>& before,
               const std::optional<ByteView>& after, std::uint64_t mod) override;
  void finish(std::uint64_t index, storage::Batch& tail) override;

  void publish();
  const Head& head() const { return head_; }
  // What the first addition of an admitted batch left of its counter.
  std::int64_t counted(std::size_t batch) const { return counted_[batch]; }
  // The addition whose counter would have left its bounds; null: none of a batch.
  const Addition* hit(std::size_t batch) const { return hit_[batch]; }
  // Refused, since a value in it is sealed under a key that was replaced meanwhile.
  bool is_stale(std::size_t batch) const { return batches_[batch]->sealed_under < term_; }
  // The audit bodies of all admitted batches, in order.
  std::span<const std::string_view> bodies() const { return bodies_; }

 private:
  struct Staged {
    Counter counter;     // its value is the new one, its record still the old one
    bool known = false;  // its value is the true one
    bool touched = false;
    bool erased = false;
  };

  Staged& staged(ByteView key);
  void write_counter(ByteView key, Staged& staged, std::uint64_t index, storage::Batch& tail);
  void erase_synced(storage::Batch& tail);

  const barrier::Barrier& barrier_;
  CounterCache& counters_;
  Outbox& outbox_;
  Head head_;
  const std::span<const Batch* const> batches_;
  const std::uint32_t term_;

  std::vector<std::int64_t> counted_;
  std::vector<const Addition*> hit_;
  std::unordered_map<std::string, Staged> staged_;
  std::vector<std::string_view> bodies_;  // of the batches
  OutboxGroup written_;
  std::size_t erased_ = 0;
};

}  // namespace leasehold::commit
