#pragma once
// Brings the audit bodies of committed groups into the log, and knows which are there: the outbox
// and the drain together. Bodies that no device accepted, or that a disk lost, are written again
// from storage, in the order of the groups and before the next one.
//
// Thread safety: none; the commit thread's own.

#include "vault/base/log.h"
#include "vault/commit/committer.h"
#include "vault/commit/outbox.h"

namespace leasehold::commit {

class Recorder {
 public:
  Recorder(const barrier::Barrier& barrier, LogSink& log) : barrier_(barrier), log_(log) {}

  // First: drains what an earlier process left and `head` does not say is settled. What the log
  // does not take stays owed.
  Status start(Drain& drain, storage::Snapshot& snapshot, const Head& head);
  // Asks the drain what is on disk by now, and tells it to the next head.
  void note_synced(Head& next);
  // Lines are on disk that `head` does not remember.
  bool is_ahead_of(const Head& head) { return drain_->synced().last.seq > head.audit_position.seq; }
  // The newest group of the outbox, whose bodies are at hand.
  Status record(std::uint64_t group, std::span<const std::string_view> bodies,
                storage::Snapshot& snapshot);
  // When no commit does it.
  void look_again(storage::Snapshot& snapshot);

  Outbox& outbox() { return outbox_; }

 private:
  Status drain_newest(std::uint64_t group, std::span<const std::string_view> bodies);
  Status drain_owed(storage::Snapshot& snapshot);

  const barrier::Barrier& barrier_;
  LogSink& log_;
  Drain* drain_ = nullptr;
  Outbox outbox_;
  bool behind_ = false;  // the log lacks groups, and it has been said
};

}  // namespace leasehold::commit
