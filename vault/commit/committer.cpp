#include "vault/commit/committer.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>

#include "vault/base/encoding.h"
#include "vault/base/metrics.h"
#include "vault/commit/group.h"
#include "vault/commit/queue.h"
#include "vault/commit/recorder.h"

namespace leasehold::commit {

namespace {

using storage::Outcome;

// How soon groups that are not settled are looked at again, when no commit does.
constexpr std::chrono::milliseconds kLookAgain{1000};
// How long the log may go on, with requests that change nothing, before a head remembers its end:
// what lies behind is what can be cut off after a hard stop.
constexpr std::chrono::seconds kRememberAgain{10};

constexpr Unrecorded kRunAlone{"the epoch record of the audit log tells of each run"};
constexpr Unrecorded kHeadAlone{"a head is written for its own sake; no record changes"};

// Posts what a group completed with one wake-up per loop; whoever has no loop is resumed here.
class Completions {
 public:
  ~Completions() {
    for (const Chain& chain : chains_) chain.home->post(chain.newest, chain.oldest);
    for (Waiter* waiter : homeless_) complete(waiter);
  }
  void add(Waiter* waiter) {
    if (waiter->home == nullptr) {
      homeless_.push_back(waiter);
      return;
    }
    for (Chain& chain : chains_) {
      if (chain.home != waiter->home) continue;
      waiter->next = chain.newest;
      chain.newest = waiter;
      return;
    }
    waiter->next = nullptr;
    chains_.push_back({waiter->home, waiter, waiter});
  }

 private:
  struct Chain {
    Loop* home;
    Waiter *newest, *oldest;
  };
  std::vector<Chain> chains_;
  std::vector<Waiter*> homeless_;
};

// A thread that waits for its own submission.
struct Blocking : Submission {
  Mutex mutex;
  Condition done_changed;
  bool done GUARDED_BY(mutex) = false;

  static void wake(Waiter* waiter) {
    auto* self = static_cast<Blocking*>(static_cast<Submission*>(waiter));
    MutexLock lock(self->mutex);
    self->done = true;
    self->done_changed.notify_all();
  }
  void wait() {
    MutexLock lock(mutex);
    while (!done) done_changed.wait(mutex);
  }
};

// What a committed batch wrote took as long as the commit of its group.
void count_writes(const storage::Batch& batch, Nanos time) {
  std::uint64_t puts = 0, erased = 0;
  for (std::size_t i = 0; i < batch.size(); ++i) {
    const auto kind = batch[i].kind;
    puts += kind == storage::Batch::Kind::put;
    erased += kind == storage::Batch::Kind::erase;
  }
  if (puts > 0) metrics::took(metrics::Timer::barrier_put, time, puts);
  if (erased > 0) metrics::took(metrics::Timer::barrier_delete, time, erased);
}

bool is_empty(storage::Snapshot& snapshot, Status& status) {
  bool found = false;
  const auto each = [&](const storage::Entry& entry) {
    // What init writes before the first head.
    const auto table = static_cast<barrier::Table>(entry.key[0]);
    found = table != barrier::Table::seal && table != barrier::Table::head;
    return !found;
  };
  const std::uint8_t first[] = {0x00}, end[] = {0xff};
  status = snapshot.scan(first, end, SIZE_MAX, storage::Scan::keys, each);
  return !found;
}

}  // namespace

struct Committer::State {
  State(storage::Storage& store, const barrier::Barrier& seal, Clock& time, LogSink& sink,
        std::function<void()> stuck)
      : storage(store),
        barrier(seal),
        clock(time),
        log(sink),
        watch(sink, "storage", std::move(stuck)),
        recorder(seal, sink) {}

  void commit(std::vector<Submission*>& submissions);
  Status write_head();
  void remember_log(Instant now);
  void attempt(std::span<Submission* const> submissions);
  void retry_alone(std::span<Submission* const> submissions);
  void settle(std::span<Submission* const> submissions, Group& group);
  Status load_counters(const Batch& batch);
  bool refuse(Submission& submission);
  bool low_on_space();

  storage::Storage& storage;
  const barrier::Barrier& barrier;
  Clock& clock;
  LogSink& log;

  Watch watch;
  Queue queue;
  std::thread thread;

  // The commit thread's own (before it starts, start()'s).
  Recorder recorder;
  Head head;
  CounterCache counters;
  std::unique_ptr<storage::Snapshot> snapshot;  // for counters; released between groups
  bool started = false;                         // the head in storage is this run's
  Instant remembered_at;                        // a head was written, or it was found to be current
  std::atomic<bool> broken = false;  // storage and what stands here may disagree: no more commits

  Mutex mutex;
  Head published GUARDED_BY(mutex);
};

Committer::Committer(storage::Storage& storage, const barrier::Barrier& barrier, Clock& clock,
                     LogSink& log, std::function<void()> stuck)
    : state_(std::make_unique<State>(storage, barrier, clock, log, std::move(stuck))) {}

Committer::~Committer() { stop(); }

Status Committer::start(Drain& drain, const Incarnation& incarnation, const Beginning& beginning) {
  VAULT_ASSERT(!state_->thread.joinable());
  incarnation_ = incarnation;
  state_->watch.start();
  VAULT_TRY(open_store(drain));

  state_->head.group = std::max(state_->head.group, beginning.after_group);
  state_->head.writer = beginning.writer;
  Changes changes;
  const barrier::PhysicalKey key = run_key(state_->head.group + 1);
  Bytes sealed;
  state_->barrier.seal(key, {}, incarnation, sealed);
  changes.storage.put(key.view(), sealed);
  const Batch opening(std::move(changes), kRunAlone);
  Submission submissions[2];
  submissions[0].batch = &opening;
  submissions[1].batch = beginning.first;
  Submission* const group[] = {&submissions[0], &submissions[1]};
  state_->attempt(std::span(group).first(beginning.first == nullptr ? 1 : 2));
  VAULT_TRY(submissions[0].status());
  if (beginning.first != nullptr) VAULT_TRY(submissions[1].status());

  state_->started = true;
  state_->queue.open();
  state_->thread = std::thread([this] { run(); });
  return {};
}

// Reads what an earlier process left: the head, and the audit bodies it may not have drained.
Status Committer::open_store(Drain& drain) {
  State& state = *state_;
  VAULT_TRY_ASSIGN(state.snapshot, state.storage.snapshot());
  VAULT_TRY_ASSIGN(const auto head, read_head(*state.snapshot, state.barrier));
  VAULT_TRY_ASSIGN(const auto last_index, state.storage.last_index());
  if (!head) {
    Status scanned;
    const bool empty = is_empty(*state.snapshot, scanned);
    VAULT_TRY(std::move(scanned));
    if (!empty)
      return failure(
          Code::internal,
          "storage has records but no head record: somebody changed it; restore a backup");
  } else {
    if (head->index > last_index)
      return failure(Code::internal,
                     "storage is older than its own head record: restore a newer copy");
    state.head = *head;
  }
  if (!head || !head->covers_seal)
    VAULT_TRY(cover_seal(*state.snapshot, state.barrier, state.head));
  VAULT_TRY(state.recorder.start(drain, *state.snapshot, state.head));
  state.head.incarnation = incarnation_;
  state.snapshot->release();
  return {};
}

bool Committer::submit(Submission* submission) {
  VAULT_ASSERT(submission->batch != nullptr);
  submission->result = {};
  submission->audit = {};
  submission->refused = {};
  // Only a refused submission may be touched after this: a taken one may be gone already.
  Status pushed = state_->queue.push(submission);
  if (pushed.ok()) {
    metrics::count(metrics::Counter::commits_submitted);
    return true;
  }
  submission->refused = std::move(pushed);
  return false;
}

Submission Committer::commit(const Batch& batch) {
  Blocking submission;
  submission.batch = &batch;
  submission.resume = &Blocking::wake;
  if (submit(&submission)) submission.wait();
  return submission;
}

void Committer::stop() {
  state_->queue.close();
  if (state_->thread.joinable()) state_->thread.join();
  state_->watch.stop();
}

void Committer::write_last_head() {
  State& state = *state_;
  if (state.broken || !state.started) return;
  if (!state.write_head().ok()) state.log.warn("the last head record was not written");
}

Status Committer::State::write_head() {
  const Batch nothing({}, kHeadAlone);
  Submission alone;
  alone.batch = &nothing;
  Submission* const group[] = {&alone};
  attempt(group);
  return alone.status();
}

// When storage is full, the head is written with the next change or at the next look.
void Committer::State::remember_log(Instant now) {
  if (now < add(remembered_at, kRememberAgain)) return;
  remembered_at = now;
  if (!broken && recorder.is_ahead_of(head)) write_head().ignore();
}

bool Committer::broken() const { return state_->broken; }

Watch& Committer::watch() { return state_->watch; }

Head Committer::head() const {
  MutexLock lock(state_->mutex);
  return state_->published;
}

void Committer::run() {
  pthread_setname_np(pthread_self(), "committer");
  std::vector<Submission*> submissions;
  Instant looked;
  state_->remembered_at = state_->clock.instant();
  for (;;) {
    if (!state_->queue.take(submissions, kLookAgain)) return;
    // Also while commits go on that have nothing to record.
    const Instant now = state_->clock.instant();
    if (submissions.empty() || now >= add(looked, kLookAgain)) {
      state_->recorder.look_again(*state_->snapshot);
      looked = now;
    }
    if (submissions.empty()) {
      state_->remember_log(now);
      continue;
    }
    Completions completions;
    for (Submission* submission : submissions) completions.add(submission);
    state_->commit(submissions);
    metrics::count(metrics::Counter::commits_ended, submissions.size());
    submissions.clear();
  }
}

void Committer::State::commit(std::vector<Submission*>& submissions) {
  std::vector<Submission*> group;
  group.reserve(submissions.size());
  for (Submission* submission : submissions)
    if (!refuse(*submission)) group.push_back(submission);
  if (group.empty()) return;
  attempt(group);
  if (snapshot) snapshot->release();
  counters.age();
  retry_alone(group);
}

// What can be said without asking storage.
bool Committer::State::refuse(Submission& submission) {
  if (broken) {
    submission.refused =
        failure(Code::unavailable, "storage failed: the vault is being sealed; see the log");
  } else if (!submission.batch->background && low_on_space()) {
    submission.result.outcome = Outcome::no_space;
    return true;
  } else {
    submission.refused = load_counters(*submission.batch);
  }
  return !submission.refused.ok();
}

bool Committer::State::low_on_space() {
  const Watch::Call call(watch, storage);
  return storage.low_on_space();
}

Status Committer::State::load_counters(const Batch& batch) {
  for (const Addition& addition : batch.additions) {
    if (counters.find(addition.counter.view()) != nullptr) continue;
    VAULT_TRY(snapshot->renew());
    VAULT_TRY_ASSIGN(const Counter counter, read_counter(*snapshot, barrier, addition.counter));
    counters.put(addition.counter.view(), counter);
  }
  return {};
}

void Committer::State::attempt(std::span<Submission* const> submissions) {
  std::vector<const Batch*> batches;
  std::vector<const storage::Batch*> writes;
  for (const Submission* submission : submissions) {
    batches.push_back(submission->batch);
    writes.push_back(&submission->batch->storage);
  }
  Head next = head;
  next.time_seen = std::max(head.time_seen, clock.now());
  recorder.note_synced(next);

  Group group(barrier, counters, recorder.outbox(), next, batches);
  std::vector<storage::CommitResult> results(submissions.size());
  const Instant begun = metrics::instant();
  {
    const Watch::Call call(watch, storage);
    storage.commit(writes, group, results);
  }
  const Nanos time(metrics::instant().ns - begun.ns);
  metrics::took(metrics::Timer::commit_group, time);
  for (std::size_t i = 0; i < submissions.size(); ++i) {
    submissions[i]->result = results[i];
    if (results[i].outcome == Outcome::committed) count_writes(*writes[i], time);
    if (results[i].outcome == Outcome::conflict) metrics::count(metrics::Counter::commit_conflicts);
    const bool refused = results[i].outcome == storage::Outcome::bound;
    if (refused && group.is_stale(i)) submissions[i]->result.outcome = storage::Outcome::conflict;
    submissions[i]->counted = group.counted(i);
    const Addition* const hit = group.hit(i);
    submissions[i]->bound = hit != nullptr ? hit->bound : nullptr;
    submissions[i]->bound_max = hit != nullptr ? hit->max : 0;
  }
  settle(submissions, group);
}

void Committer::State::settle(std::span<Submission* const> submissions, Group& group) {
  const auto any = [&](Outcome outcome) {
    return std::any_of(submissions.begin(), submissions.end(),
                       [&](const Submission* o) { return o->result.outcome == outcome; });
  };
  if (any(Outcome::unknown) || any(Outcome::deposed)) {
    broken = true;
    log.error("storage cannot say whether the last write happened: no more writes are accepted");
  }
  if (!any(Outcome::committed)) return;

  group.publish();
  head = group.head();
  {
    MutexLock lock(mutex);
    published = head;
  }
  if (group.bodies().empty()) return;
  const Status recorded = recorder.record(head.group, group.bodies(), *snapshot);
  if (recorded.ok()) return;
  for (Submission* submission : submissions)
    if (submission->result.outcome == Outcome::committed && !submission->batch->audit.empty())
      submission->audit = recorded;
}

// A group fails for space as a whole. Alone, the small ones still fit; and what runs in the
// background may use the reserve that storage has given up meanwhile.
void Committer::State::retry_alone(std::span<Submission* const> submissions) {
  for (Submission* submission : submissions) {
    if (submission->result.outcome != Outcome::no_space || broken) continue;
    const bool reserve_only = low_on_space();
    if (submission->batch->background ? submissions.size() == 1 && !reserve_only
                                      : submissions.size() == 1 || reserve_only)
      continue;
    Submission* const alone[] = {submission};
    if (load_counters(*submission->batch).ok()) attempt(alone);
    snapshot->release();
  }
}

}  // namespace leasehold::commit
