#pragma once
// The Committer owns the only commit thread. It takes batches from a bounded queue, groups up to
// 256 operations or 4 MiB, evaluates guards and counters inside one write transaction, adds the
// head record and one outbox record per group, and completes every batch exactly once, also at
// shutdown.
//
// The group's audit bodies go to the `Drain` right after the commit; once the drain says they are
// synced, their outbox records are erased with a later group. Bodies that no device accepted, or
// that a disk lost, are written again from the outbox, at the latest a second after a device works;
// start() replays what an earlier process left there. Thread safety: submit() and commit() from any
// thread.

#include <functional>
#include <memory>
#include <thread>

#include "vault/barrier/barrier.h"
#include "vault/base/log.h"
#include "vault/base/loop.h"
#include "vault/base/mutex.h"
#include "vault/base/watch.h"
#include "vault/commit/batch.h"
#include "vault/commit/head.h"

namespace leasehold::commit {

inline constexpr std::size_t kQueueMax = 4096;
inline constexpr std::size_t kGroupOperationsMax = 256;
inline constexpr std::size_t kGroupBytesMax = 4u << 20;

// A batch in flight. Belongs to its submitter, who must not touch it after submit() said true until
// it is resumed.
struct Submission : Waiter {
  const Batch* batch = nullptr;
  storage::CommitResult result;
  // What the batch's first addition left of its counter, when it was committed.
  std::int64_t counted = 0;
  // With Outcome::bound: which bound it was, of how many. Null: its handler says it.
  const Bound* bound = nullptr;
  std::int64_t bound_max = 0;
  // Why submit() said false, or why the batch could not be tried at all.
  Status refused;
  // Set when the batch is durable but no audit device could take its lines.
  Status audit;
  // The status a request reports: conflict, Code::unavailable, no_space ...
  Status status() const;
};

// Where audit bodies go: the sequencer. Called on the commit thread, in commit order.
class Drain {
 public:
  virtual ~Drain() = default;
  // The bodies of one group, by its number; the line of the last one. An error: no device could
  // record.
  virtual Result<std::uint64_t> append(std::uint64_t group,
                                       std::span<const std::string_view> bodies) = 0;
  // False: append() would fail. Asked before each group that waits.
  virtual bool can_record() { return true; }
  // For a log that waits for its disk: an error when the line did not get there.
  virtual Status flush(std::uint64_t /*line*/) { return {}; }
  virtual AuditSynced synced() = 0;
};

// How the first group of a run differs from an empty one: the first two in a store that was put
// back.
struct Beginning {
  std::uint64_t after_group = 0;  // groups are numbered from behind this one, at least
  const Batch* first = nullptr;   // written with the incarnation, or neither is
  std::string_view writer = {};   // the version of the program, for every head of this run
};

class Committer {
 public:
  // `stuck`: storage has not come back from a call for minutes, and the commit thread cannot be
  // freed; from a thread of this Committer.
  Committer(storage::Storage& storage, const barrier::Barrier& barrier, Clock& clock, LogSink& log,
            std::function<void()> stuck = {});
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;
  ~Committer();

  // Reads (or, for an empty store, makes) the head record, gives this process its incarnation (a
  // new random one), replays the outbox into `drain`, and starts the thread.
  Status start(Drain& drain, const Incarnation& incarnation, const Beginning& beginning = {});
  // False: refused at once, `submission->result` and status() say why (queue full, shutting down).
  bool submit(Submission* submission);
  // Submits and waits; for background threads and tests.
  Submission commit(const Batch& batch);
  // Completes everything taken in, then ends the thread. Safe to call twice.
  void stop();
  // After stop(): one more head, with what the drain has brought to disk since the last group.
  void write_last_head();
  // Storage could not say whether a group happened: nothing is written until a new Committer has
  // looked.
  bool broken() const;

  Head head() const;  // as of the last group
  const Incarnation& incarnation() const { return incarnation_; }
  Watch& watch();  // over calls of storage

 private:
  struct State;
  Status open_store(Drain& drain);
  void run();

  Incarnation incarnation_{};
  std::unique_ptr<State> state_;
};

}  // namespace leasehold::commit
