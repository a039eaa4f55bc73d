#pragma once
// A storage batch with what the Committer adds to it: folded counters and the audit bodies that
// must be durable with the change. One request is one batch.

#include <limits>
#include <string>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/texts.h"
#include "vault/storage/storage.h"

namespace leasehold::commit {

// Counters are folded by the Committer, never fields of a guarded record.
struct Addition {
  barrier::PhysicalKey counter;
  std::int64_t delta = 0;
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  bool erase = false;  // the counter goes away with its owner; delta is ignored
};

struct Batch {
  storage::Batch storage;
  std::vector<Addition> additions;
  Texts audit;              // complete bodies (vault/audit/record.h), in order
  bool background = false;  // gets at most half of a group, and may use the space reserve

  bool empty() const { return !storage.has_writes() && additions.empty() && audit.empty(); }
  void clear() {
    storage.clear();
    additions.clear();
    audit.clear();
  }
};

}  // namespace leasehold::commit
