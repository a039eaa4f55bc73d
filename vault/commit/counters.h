#pragma once
// The counters the Committer has folded lately, so that the next addition needs no read. Bounded: a
// newer and an older half of at most kYoungMax each, where the older one is dropped as a whole.
//
// Thread safety: none; the commit thread's own.

#include <string>
#include <unordered_map>

#include "vault/barrier/barrier.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

struct Counter {
  std::int64_t value = 0;
  bool stored = false;            // a record of it exists
  crypto::Digest contribution{};  // of that record
};

inline constexpr std::size_t kCounterSize = 8;
Result<Counter> read_counter(storage::Snapshot& snapshot, const barrier::Barrier& barrier,
                             const barrier::PhysicalKey& key);

class CounterCache {
 public:
  static constexpr std::size_t kYoungMax = 4096;

  Counter* find(ByteView key);
  void put(ByteView key, const Counter& counter);
  void forget(ByteView key);
  // Between two groups: what find() returned is gone afterwards.
  void age();

 private:
  std::unordered_map<std::string, Counter> young_, old_;
};

}  // namespace leasehold::commit
