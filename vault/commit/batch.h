#pragma once
// What is committed together: writes and guards, folded counters, and the audit bodies that are
// durable with the change. One request is one batch. A batch without an audit body does not compile
// unless it gives the reason:
//
//   Changes changes;
//   WriteTxn txn(snapshot, barrier, space, changes);
//   …
//   committer.commit(Batch(std::move(changes), event));
//   committer.commit(Batch(std::move(changes), Unrecorded{"why nobody needs to know"}));
//
// Values; thread safety as such.

#include <limits>
#include <string>
#include <vector>

#include "vault/barrier/format.h"
#include "vault/base/bound.h"
#include "vault/base/result.h"
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
  // How it reads to the client when the counter would leave its bounds; null: as a conflict, so
  // that the handler looks again and says it in its own words.
  const Bound* bound = nullptr;
};

// What a transaction gathers. The Committer does not take it like this: it becomes a Batch once it
// is known what the audit log says of it.
struct Changes {
  storage::Batch storage;
  std::vector<Addition> additions;
  // The oldest term of the barrier that a value in it may be sealed under; see Group::admit().
  std::uint32_t sealed_under = std::numeric_limits<std::uint32_t>::max();
  bool background = false;  // gets at most half of a group, and may use the space reserve

  // As storage::kBatchOperationsMax bounds them.
  std::size_t operations() const { return storage.size() - storage.guards() + additions.size(); }
  bool changes_something() const { return storage.has_writes() || !additions.empty(); }
};

// Why a change has no line in the audit log, in a sentence for the reviewer: scripts/unrecorded
// lists them all.
struct Unrecorded {
  const char* because;
};

// What the audit log says of a change: complete bodies (vault/audit/record.h), in order.
class OnRecord {
 public:
  OnRecord(Texts bodies) : bodies_(std::move(bodies)) { VAULT_ASSERT(!bodies_.empty()); }
  OnRecord(std::string_view body) { bodies_.push_back(body); }
  OnRecord(const std::string& body) : OnRecord(std::string_view(body)) {}
  OnRecord(Unrecorded why) { VAULT_ASSERT(*why.because != 0); }

 private:
  friend struct Batch;
  Texts bodies_;
};

struct Batch : Changes {
  Batch(Changes changes, OnRecord on_record)
      : Changes(std::move(changes)), audit(std::move(on_record.bodies_)) {}

  Texts audit;  // durable with the change
  bool empty() const { return !changes_something() && audit.empty(); }
};

}  // namespace leasehold::commit
