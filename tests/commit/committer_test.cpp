#include <doctest/doctest.h>

#include <algorithm>
#include <thread>

#include "tests/support/eventually.h"
#include "tests/support/every_storage.h"
#include "tests/support/faulty_storage.h"
#include "tests/support/null_log.h"
#include "tests/support/vault_store.h"
#include "vault/commit/counters.h"
#include "vault/commit/outbox.h"

using namespace leasehold;
using commit::Batch;
using commit::Submission;
using commit::WriteTxn;
using storage::Outcome;
using testing::kTestSpace;
using testing::VaultRun;
using testing::VaultStore;

namespace {

auto putting(std::string_view name, std::string_view value = "v") {
  return [=](WriteTxn& txn) { return txn.put(name, as_bytes(value)); };
}
auto adding(std::string_view name, std::int64_t delta, std::int64_t min = 0,
            std::int64_t max = 1000) {
  return [=](WriteTxn& txn) -> Status {
    txn.add(name, delta, min, max);
    return {};
  };
}
std::size_t outbox_records(VaultRun& run) {
  const auto shown = run.snapshot();
  std::size_t count = 0;
  const barrier::PhysicalKey table(barrier::Table::outbox);
  const auto each = [&](const storage::Entry&) { return ++count > 0; };
  CHECK(shown->scan(table.view(), table.end_of_prefix().view(), SIZE_MAX, storage::Scan::keys, each)
            .ok());
  return count;
}
Submission audited(VaultRun& run, std::string name, const std::vector<std::string>& lines) {
  Texts bodies;
  for (const std::string& line : lines) bodies.push_back(line);
  return run.operate([&](WriteTxn& txn) { return txn.put(name, as_bytes("v")); },
                     std::move(bodies));
}

std::vector<std::string> bodies(testing::KeptDrain& drain) {
  std::vector<std::string> all;
  for (const auto& line : drain.lines()) all.push_back(line.second);
  return all;
}

// Resumed on the commit thread; the test thread polls.
struct Flagged : Submission {
  std::atomic<bool> done{false};
  Flagged() {
    resume = [](Waiter* waiter) {
      static_cast<Flagged*>(static_cast<Submission*>(waiter))->done = true;
    };
  }
};

}  // namespace

TEST_CASE_FIXTURE(VaultStore,
                  "committer: a commit raises index and group, and the store verifies") {
  const auto before = committer.head();
  CHECK(before.group == 1);
  CHECK(before.incarnation == committer.incarnation());
  const auto operation = operate(putting("a"));
  CHECK(operation.status().ok());
  CHECK(operation.result.index == before.index + 1);
  clock.advance(Seconds{5});
  CHECK(write(putting("b")).ok());
  const auto head = committer.head();
  CHECK(head.index == before.index + 2);
  CHECK(head.group == 3);
  CHECK(head.time_seen == clock.now());
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: what a replaced key sealed is refused, and done again") {
  const auto before = snapshot();
  commit::Changes changes;
  WriteTxn txn(*before, barrier, kTestSpace, changes);
  REQUIRE(txn.put("a", as_bytes("v")).ok());
  barrier::KeyRing newer = testing::test_keys();
  newer.term = 2;
  random.fill(newer.data[2].writable());
  barrier.add_terms(newer);
  const Batch stale(std::move(changes), commit::Unrecorded{"a test"});
  CHECK(committer.commit(stale).status().is(Code::conflict));
  CHECK(write(putting("a")).ok());
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: the time seen never goes back") {
  const auto before = committer.head().time_seen;
  clock.set({before.ns - 1'000'000});
  CHECK(write(putting("a")).ok());
  CHECK(committer.head().time_seen == before);
}

TEST_CASE_FIXTURE(VaultStore, "committer: counters are folded and keep their bounds") {
  CHECK(write(adding("uses", 3)).ok());
  CHECK(counter("uses") == 3);
  CHECK(write(adding("uses", -1)).ok());
  CHECK(counter("uses") == 2);
  const auto below = operate(adding("uses", -3));
  CHECK(below.result.outcome == Outcome::bound);
  CHECK(below.status().is(Code::conflict));  // the handler looks again
  CHECK(operate(adding("uses", 5, 0, 6)).result.outcome == Outcome::bound);
  CHECK(write(adding("uses", 4, 0, 6)).ok());
  CHECK(counter("uses") == 6);
  // A cap that was lowered meanwhile does not stop a decrease.
  CHECK(write(adding("uses", -1, 0, 2)).ok());
  CHECK(operate(adding("uses", 1, 0, 2)).result.outcome == Outcome::bound);
  CHECK(operate(adding("uses", INT64_MAX, 0, INT64_MAX)).result.outcome == Outcome::bound);
  CHECK(counter("uses") == 5);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: a bound says how it reads when it is hit") {
  static constexpr Bound kQuota{"leases of a mount", Code::limited, "lease count quota exceeded"};
  static constexpr Bound kUses{"uses", Code::denied, "permission denied"};
  const auto adding_two = [&](std::int64_t leases) {
    return operate([leases](WriteTxn& txn) -> Status {
      txn.add("leases", leases, 0, 10, &kQuota);
      txn.add("uses", -1, 0, 5, &kUses);
      return {};
    });
  };
  CHECK(write(adding("uses", 1)).ok());
  const auto above = adding_two(11);
  REQUIRE(above.status().is(Code::limited));
  CHECK(above.status().error().message == "lease count quota exceeded");
  CHECK(adding_two(10).status().ok());
  const auto spent = adding_two(-1);
  REQUIRE(spent.status().is(Code::denied));
  CHECK(spent.status().error().message == "permission denied");
  CHECK(counter("leases") == 10);
}

TEST_CASE_FIXTURE(VaultStore, "committer: a refused addition takes its whole batch with it") {
  const auto operation = operate([](WriteTxn& txn) -> Status {
    txn.add("one", 1, 0);
    txn.add("one", 1, 0);
    txn.add("two", -1, 0);
    return txn.put("a", as_bytes("v"));
  });
  CHECK(operation.result.outcome == Outcome::bound);
  CHECK(read("a") == "-");
  CHECK(counter("one") == 0);
  CHECK(write(adding("one", 1)).ok());
  CHECK(counter("one") == 1);
}

TEST_CASE("committer: nothing of a refused batch counts for the others of its group") {
  auto inner = storage::make_memory_storage();
  testing::FaultyStorage held(*inner, -1);
  VaultRun run(held);
  REQUIRE(run.start().ok());
  const auto shown = run.snapshot();
  std::vector<Batch> batches;
  for (const int below : {0, 1, 0}) {
    commit::Changes changes;
    WriteTxn txn(*shown, run.barrier, kTestSpace, changes);
    txn.add("one", 1, 0);
    if (below != 0) txn.add("two", -below, 0);
    batches.emplace_back(std::move(changes), commit::Unrecorded{"a test"});
  }
  std::vector<Flagged> operations(batches.size());
  held.hold();
  for (std::size_t i = 0; i < operations.size(); ++i) {
    operations[i].batch = &batches[i];
    REQUIRE(run.committer.submit(&operations[i]));
    REQUIRE(testing::eventually([&] { return held.held == 1; }));  // the first, alone
  }
  held.let_go();
  for (const Flagged& one : operations)
    REQUIRE(testing::eventually([&] { return one.done.load(); }));
  CHECK(operations[1].result.outcome == Outcome::bound);
  CHECK(operations[2].status().ok());
  CHECK(run.counter("one") == 2);
  CHECK(run.verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: an erased counter is gone and begins again at nothing") {
  CHECK(write(adding("uses", 9)).ok());
  CHECK(write([](WriteTxn& txn) -> Status {
          txn.erase_counter("uses");
          return {};
        }).ok());
  CHECK(counter("uses") == 0);
  CHECK(verifies());
  CHECK(write(adding("uses", 2)).ok());
  CHECK(counter("uses") == 2);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: a counter's record may be erased as a record") {
  CHECK(write(adding("uses", 9)).ok());
  CHECK(write([&](WriteTxn& txn) {
          return txn.erase(barrier.counter_key(kTestSpace, "uses"));
        }).ok());
  CHECK(counter("uses") == 0);
  CHECK(write(adding("uses", 2)).ok());
  CHECK(counter("uses") == 2);
  CHECK(verifies());
}

TEST_CASE("committer: counters beyond the cache are read again, in the same run and the next") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    const int many = 3 * commit::CounterCache::kYoungMax;
    {
      VaultRun run(*made.storage);
      REQUIRE(run.start().ok());
      for (int from = 0; from < many; from += 50) {
        const auto shown = run.snapshot();
        Batch batch({}, commit::Unrecorded{"a test"});
        WriteTxn txn(*shown, run.barrier, kTestSpace, batch);
        for (int i = from; i < from + 50; ++i) txn.add("c" + std::to_string(i), 1, 0);
        REQUIRE(run.committer.commit(batch).status().ok());
      }
      CHECK(run.write(adding("c0", 1)).ok());
      CHECK(run.counter("c0") == 2);
      CHECK(run.verifies());
    }
    VaultRun next(*made.storage, 2);
    REQUIRE(next.start().ok());
    CHECK(next.write(adding("c0", 1)).ok());
    CHECK(next.counter("c0") == 3);
    CHECK(next.verifies());
  }
}

TEST_CASE("committer: a new run has a new incarnation and goes on where the last one stopped") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    commit::Head before;
    {
      VaultRun run(*made.storage, 1);
      REQUIRE(run.start().ok());
      CHECK(run.write(putting("a", "1")).ok());
      before = run.committer.head();
    }
    VaultRun next(*made.storage, 2);
    REQUIRE(next.start().ok());
    CHECK(next.read("a") == "1");
    CHECK(next.committer.head().index == before.index + 1);
    CHECK(next.committer.head().incarnation != before.incarnation);
    CHECK(next.verifies());
  }
}

TEST_CASE_FIXTURE(VaultStore, "committer: audit bodies reach the drain once they are durable") {
  CHECK(audited(*this, "a", {"request a", "response a"}).status().ok());
  CHECK(audited(*this, "b", {"request b"}).status().ok());
  const auto lines = drain.lines();
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].second == "request a");
  CHECK(lines[1].second == "response a");
  CHECK(lines[2].second == "request b");
  CHECK(lines[0].first == lines[1].first);
  CHECK(lines[1].first < lines[2].first);
  CHECK(outbox_records(*this) == 2);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: outbox records go in bulk once their lines are synced") {
  drain.sync(false);
  for (int i = 0; i < 100; ++i)
    CHECK(audited(*this, "n" + std::to_string(i), {"line"}).status().ok());
  CHECK(outbox_records(*this) == 100);
  drain.sync(true);
  CHECK(audited(*this, "last", {"line"}).status().ok());
  CHECK(write(putting("later")).ok());
  CHECK(outbox_records(*this) == 0);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: a log that goes on without changes is remembered") {
  CHECK(write(putting("a change")).ok());
  drain.record_reads(50);
  clock.advance(std::chrono::seconds(11));
  const auto remembered = [&] {
    const auto shown = snapshot();
    const auto head = commit::read_head(*shown, barrier);
    REQUIRE(head.ok());
    return (*head)->audit_position.seq;
  };
  CHECK(testing::eventually([&] { return remembered() == 50; }));
  CHECK(verifies());
}

TEST_CASE("committer: what was not synced is drained again, in order, by the next run") {
  for (auto& made : testing::every_storage()) {
    CAPTURE(made.name);
    const std::string long_line(commit::kOutboxPartMax + 1000, 'x');
    {
      VaultRun run(*made.storage);
      REQUIRE(run.start().ok());
      CHECK(audited(run, "synced", {"synced"}).status().ok());
      CHECK(run.write(putting("so that the head knows")).ok());
      run.drain.sync(false);
      CHECK(audited(run, "a", {"1", long_line, "", "2"}).status().ok());
      CHECK(audited(run, "b", {"3"}).status().ok());
    }
    VaultRun next(*made.storage, 2);
    REQUIRE(next.start().ok());
    CHECK(bodies(next.drain) == std::vector<std::string>{"1", long_line, "", "2", "3"});
    CHECK(next.verifies());
    for (int i = 0; i < 40; ++i) CHECK(audited(next, "n", {"l"}).status().ok());
    CHECK(next.write(putting("x")).ok());
    CHECK(outbox_records(next) < commit::kOutboxEraseMin);
    CHECK(next.verifies());
  }
}

TEST_CASE_FIXTURE(VaultStore, "committer: a batch no device could record says so, and is durable") {
  drain.fail(true);
  const auto operation = audited(*this, "a", {"line"});
  CHECK(operation.status().ok());
  CHECK(operation.audit.is(Code::unavailable));
  CHECK(read("a") == "v");
  CHECK(operate(putting("b")).audit.ok());
  CHECK(outbox_records(*this) == 1);
}

TEST_CASE_FIXTURE(VaultStore,
                  "committer: what no device took is recorded once one works, in order") {
  const std::string long_line(commit::kOutboxPartMax + 1000, 'x');
  drain.fail(true);
  CHECK_FALSE(audited(*this, "a", {"1", long_line}).audit.ok());
  CHECK_FALSE(audited(*this, "b", {"2"}).audit.ok());
  drain.fail(false);
  CHECK(audited(*this, "c", {"3"}).audit.ok());
  CHECK(bodies(drain) == std::vector<std::string>{"1", long_line, "2", "3"});
  for (int i = 0; i < 40; ++i) CHECK(audited(*this, "n", {"l"}).audit.ok());
  CHECK(write(putting("later")).ok());
  CHECK(outbox_records(*this) < commit::kOutboxEraseMin);
  CHECK(verifies());
}

TEST_CASE_FIXTURE(VaultStore, "committer: what no device took is recorded without another write") {
  drain.fail(true);
  CHECK_FALSE(audited(*this, "a", {"1"}).audit.ok());
  drain.fail(false);
  while (drain.lines().empty()) std::this_thread::yield();
  CHECK(bodies(drain) == std::vector<std::string>{"1"});
}

TEST_CASE("committer: what no device took is recorded by the next run, whatever came after it") {
  auto storage = storage::make_memory_storage();
  {
    VaultRun run(*storage);
    REQUIRE(run.start().ok());
    run.drain.fail(true);
    for (int i = 0; i < 100; ++i) CHECK_FALSE(audited(run, "n", {std::to_string(i)}).audit.ok());
  }
  VaultRun next(*storage, 2);
  REQUIRE(next.start().ok());
  CHECK(bodies(next.drain).size() == 100);
  CHECK(bodies(next.drain).back() == "99");
}

TEST_CASE_FIXTURE(VaultStore,
                  "committer: what a disk lost is recorded again, and the outbox is freed") {
  CHECK(audited(*this, "a", {"synced"}).audit.ok());
  CHECK(write(putting("so that it is known to be synced")).ok());
  drain.sync(false);
  for (int i = 0; i < 50; ++i) CHECK(audited(*this, "n", {std::to_string(i)}).audit.ok());
  drain.lose_unsynced();
  for (int i = 0; i < 2; ++i) CHECK(audited(*this, "b", {"after"}).audit.ok());
  CHECK(write(putting("later")).ok());
  CHECK(outbox_records(*this) < commit::kOutboxEraseMin);
  const auto lines = bodies(drain);
  CHECK(std::count(lines.begin(), lines.end(), "synced") == 1);
  for (int i = 0; i < 50; ++i)
    CHECK(std::count(lines.begin(), lines.end(), std::to_string(i)) == 2);
  CHECK(verifies());
}

TEST_CASE("committer: batches that wait together are committed as one group") {
  auto storage = storage::make_memory_storage();
  VaultRun run(*storage);
  REQUIRE(run.start().ok());
  constexpr int kThreads = 8, kEach = 200;
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const auto status = run.write([&](WriteTxn& txn) {
          txn.add("all", 1, 0);
          return txn.put("t" + std::to_string(t) + "-" + std::to_string(i), as_bytes("v"));
        });
        if (!status.ok()) ++failed;
      }
    });
  for (auto& thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(run.counter("all") == kThreads * kEach);
  CHECK(run.committer.head().index == 1 + kThreads * kEach);
  CHECK(run.verifies());
}

TEST_CASE_FIXTURE(VaultStore,
                  "committer: what is owed is drained within a second while other commits go on") {
  drain.fail(true);
  CHECK_FALSE(audited(*this, "a", {"owed"}).audit.ok());
  drain.fail(false);
  CHECK(write(putting("b")).ok());
  CHECK(bodies(drain).empty());
  clock.advance(Seconds{1});
  CHECK(write(putting("c")).ok());
  CHECK(write(putting("d")).ok());
  CHECK(bodies(drain) == std::vector<std::string>{"owed"});
}

TEST_CASE("committer: what the log does not take at the start stays owed") {
  auto storage = storage::make_memory_storage();
  {
    VaultRun run(*storage);
    run.drain.sync(false);
    REQUIRE(run.start().ok());
    for (const char* line : {"1", "2"}) CHECK(audited(run, "n", {line}).audit.ok());
  }
  VaultRun next(*storage, 2);
  next.drain.fail(true);
  REQUIRE(next.start().ok());
  CHECK_FALSE(audited(next, "n", {"3"}).audit.ok());
  next.drain.fail(false);
  CHECK(audited(next, "n", {"4"}).audit.ok());
  CHECK(bodies(next.drain) == std::vector<std::string>{"1", "2", "3", "4"});
  CHECK(next.verifies());
}

namespace {

class MemoryLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view message) override {
    MutexLock lock(mutex_);
    text_ += std::string(message) + "\n";
  }
  std::string text() {
    MutexLock lock(mutex_);
    return text_;
  }

 private:
  Mutex mutex_;
  std::string text_ GUARDED_BY(mutex_);
};

// Its commits last as many looks as the test says.
struct SlowStorage final : storage::Storage {
  explicit SlowStorage(storage::Storage& to) : inner(to) {}
  Result<std::unique_ptr<storage::Snapshot>> snapshot() override { return inner.snapshot(); }
  void commit(std::span<const storage::Batch* const> group, storage::GroupObserver& observer,
              std::span<storage::CommitResult> results) override {
    for (int i = 0; i < looks; ++i) watch->look();
    inner.commit(group, observer, results);
  }
  Status import(std::span<const storage::Entry> entries) override { return inner.import(entries); }
  Result<std::uint64_t> last_index() override { return inner.last_index(); }
  std::string_view kind() const override { return "slow"; }

  storage::Storage& inner;
  Watch* watch = nullptr;
  std::atomic<int> looks{0};
};

}  // namespace

TEST_CASE("committer: a storage that does not come back is named, and at last given up") {
  auto inner = storage::make_memory_storage();
  SlowStorage slow(*inner);
  testing::FakeClock clock;
  testing::LockedRandom random(1);
  MemoryLog log;
  testing::KeptDrain drain;
  const barrier::Barrier barrier(testing::kTestStore, testing::test_keys(), random);
  std::atomic<int> stuck{0};
  commit::Committer committer(slow, barrier, clock, log, [&] { ++stuck; });
  slow.watch = &committer.watch();
  REQUIRE(committer.start(drain, random.take<16>()).ok());
  const auto commit_in = [&](int looks) {
    slow.looks = looks;
    CHECK(committer.commit(Batch({}, std::string_view("line"))).status().ok());
  };
  commit_in(kLooksUntilNamed - 1);
  CHECK(log.text() == "");
  commit_in(kLooksUntilNamed);
  CHECK(log.text().find("storage: slow has not answered for 10 seconds") != std::string::npos);
  CHECK(log.text().find("answers again") != std::string::npos);
  CHECK(stuck == 0);
  commit_in(kLooksUntilStuck);
  CHECK(stuck == 1);
}

TEST_CASE("committer: stop completes everything that was taken in, and refuses what comes later") {
  auto storage = storage::make_memory_storage();
  VaultRun run(*storage);
  REQUIRE(run.start().ok());
  std::vector<Batch> batches(500, Batch({}, commit::Unrecorded{"a test"}));
  std::vector<std::unique_ptr<Flagged>> operations;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    batches[i].storage.put(
        barrier::PhysicalKey::from(Bytes{0x20, std::uint8_t(i / 256), std::uint8_t(i % 256)})
            .view(),
        {});
    operations.push_back(std::make_unique<Flagged>());
    operations[i]->batch = &batches[i];
    REQUIRE(run.committer.submit(operations[i].get()));
  }
  run.committer.stop();
  run.committer.stop();
  for (const auto& operation : operations) {
    CHECK(operation->done);
    CHECK(operation->status().ok());
  }
  Submission late;
  late.batch = &batches[0];
  CHECK_FALSE(run.committer.submit(&late));
  CHECK(late.status().is(Code::unavailable));
}

TEST_CASE("committer: waiters with a home loop are resumed there, by one post per group") {
  auto storage = storage::make_memory_storage();
  VaultRun run(*storage);
  REQUIRE(run.start().ok());
  Loop loop(run.clock);
  struct Homed : Submission {
    std::vector<std::uint64_t>* order = nullptr;
  };
  std::vector<std::uint64_t> order;
  std::vector<Batch> batches(50, Batch({}, commit::Unrecorded{"a test"}));
  std::vector<Homed> operations(50);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    batches[i].storage.put(Bytes{0x20, std::uint8_t(i)}, {});
    operations[i].batch = &batches[i];
    operations[i].home = &loop;
    operations[i].order = &order;
    operations[i].resume = [](Waiter* waiter) {
      auto* self = static_cast<Homed*>(static_cast<Submission*>(waiter));
      CHECK(Loop::current() == self->home);
      self->order->push_back(self->result.index);
      if (--self->home->live == 0) self->home->stop();
    };
    ++loop.live;
    REQUIRE(run.committer.submit(&operations[i]));
  }
  loop.run();
  run.committer.stop();  // before the loop goes, as at every shutdown
  REQUIRE(order.size() == operations.size());
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("committer: a full queue and a batch beyond the limits are refused at once") {
  auto storage = storage::make_memory_storage();
  VaultRun run(*storage);
  Batch batch({}, commit::Unrecorded{"a test"});
  Submission early;
  early.batch = &batch;
  CHECK_FALSE(run.committer.submit(&early));  // not started
  REQUIRE(run.start().ok());
  const auto guard = [](Batch& into, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
      into.storage.guard(Bytes{0x20, std::uint8_t(i >> 8), std::uint8_t(i)}, 0);
  };
  guard(batch, storage::kBatchGuardsMax);
  CHECK(run.committer.commit(batch).status().ok());
  batch.storage.guard(Bytes{0x21}, 0);
  CHECK(run.committer.commit(batch).status().is(Code::invalid));
  Batch writes({}, commit::Unrecorded{"a test"});
  for (std::size_t i = 0; i < storage::kBatchOperationsMax + 1; ++i)
    writes.storage.put(Bytes{0x20, std::uint8_t(i)}, Bytes{1});
  CHECK(run.committer.commit(writes).status().is(Code::invalid));
}

TEST_CASE("committer: while space is low users are refused and the background goes on") {
  auto inner = storage::make_memory_storage();
  testing::FaultyStorage faulty(*inner, -1);
  VaultRun run(faulty);
  REQUIRE(run.start().ok());
  faulty.low = true;
  CHECK(run.write(putting("a")).is(Code::no_space));
  CHECK(run.write([](WriteTxn& txn) {
             txn.changes().background = true;
             return txn.put("b", as_bytes("v"));
           })
            .ok());
  faulty.low = false;
  CHECK(run.write(putting("a")).ok());
  CHECK(run.verifies());
}

TEST_CASE("committer: a group without space changes nothing, and the vault goes on") {
  auto inner = storage::make_memory_storage();
  testing::FaultyStorage faulty(*inner, -1);
  VaultRun run(faulty);
  REQUIRE(run.start().ok());
  CHECK(run.write(adding("uses", 1)).ok());
  faulty.outcome = Outcome::no_space;
  const auto shown = run.snapshot();
  Batch batch({}, commit::Unrecorded{"a test"});
  WriteTxn txn(*shown, run.barrier, kTestSpace, batch);
  CHECK(txn.put("a", as_bytes("v")).ok());
  txn.add("uses", 1, 0);
  faulty.left = 0;
  const auto operation = run.committer.commit(batch);
  CHECK(operation.status().is(Code::no_space));
  CHECK(operation.status().error().message == std::string(storage::kFull));
  CHECK(operation.status().error().message.find("raise map_size") != std::string::npos);
  faulty.left = -1;
  CHECK(run.counter("uses") == 1);
  CHECK(run.committer.commit(batch).status().ok());
  CHECK(run.counter("uses") == 2);
  CHECK(run.verifies());
}

TEST_CASE("committer: one batch that does not fit does not fail its group") {
  testing::TemporaryDirectory directory;
  NullLog log;
  auto options = testing::small_lmdb();
  options.map_bytes = 900u << 10;
  auto opened = storage::open_lmdb(directory.path(), options, log);
  REQUIRE(opened.ok());
  VaultRun run(**opened);
  REQUIRE(run.start().ok());
  const std::string huge(1'000'000, 'x');
  for (int round = 0; round < 5; ++round) {
    std::vector<Batch> batches(9, Batch({}, commit::Unrecorded{"a test"}));
    std::vector<std::unique_ptr<Flagged>> operations;
    for (std::size_t i = 0; i < batches.size(); ++i) {
      const Bytes key{0x20, std::uint8_t(round), std::uint8_t(i)};
      batches[i].storage.put(key, i == 4 ? as_bytes(huge) : ByteView());
      operations.push_back(std::make_unique<Flagged>());
      operations[i]->batch = &batches[i];
    }
    for (auto& operation : operations) REQUIRE(run.committer.submit(operation.get()));
    for (std::size_t i = 0; i < batches.size(); ++i) {
      while (!operations[i]->done) std::this_thread::yield();
      CHECK(operations[i]->status().ok() == (i != 4));
    }
  }
  CHECK(run.verifies());
}

TEST_CASE("committer: after an unknown outcome no more is written until the vault starts again") {
  auto inner = storage::make_memory_storage();
  {
    testing::FaultyStorage faulty(*inner, -1);
    VaultRun run(faulty);
    REQUIRE(run.start().ok());
    const auto shown = run.snapshot();
    Batch batch({}, commit::Unrecorded{"a test"});
    WriteTxn txn(*shown, run.barrier, kTestSpace, batch);
    CHECK(txn.put("a", as_bytes("v")).ok());
    faulty.outcome = Outcome::unknown;
    faulty.left = 0;
    CHECK(run.committer.commit(batch).result.outcome == Outcome::unknown);
    faulty.left = -1;
    CHECK(run.write(putting("b")).is(Code::unavailable));
  }
  VaultRun next(*inner, 2);
  REQUIRE(next.start().ok());
  CHECK(next.read("a") == "v");  // it had happened
  CHECK(next.read("b") == "-");
  CHECK(next.verifies());
}

TEST_CASE("committer: wherever storage fails, a start fails whole and the next one succeeds") {
  auto inner = storage::make_memory_storage();
  {
    VaultRun run(*inner);
    REQUIRE(run.start().ok());
    run.drain.sync(false);
    CHECK(audited(run, "a", {"line"}).status().ok());
  }
  for (int nth = 0;; ++nth) {
    CAPTURE(nth);
    testing::FaultyStorage faulty(*inner, nth);
    VaultRun run(faulty, 2);
    const bool started = run.start().ok();
    faulty.left = -1;
    if (started) {
      CHECK(run.verifies());
      CHECK(nth >= 4);
      break;
    }
  }
}

TEST_CASE("committer: wherever storage fails, a write happens whole or not at all") {
  for (int nth = 0;; ++nth) {
    CAPTURE(nth);
    auto inner = storage::make_memory_storage();
    testing::FaultyStorage faulty(*inner, -1);
    VaultRun run(faulty);
    REQUIRE(run.start().ok());
    const auto shown = run.snapshot();
    faulty.left = nth;
    Batch batch({}, commit::Unrecorded{"a test"});
    WriteTxn txn(*shown, run.barrier, kTestSpace, batch);
    txn.add("uses", 1, 0);
    const bool done = txn.put("d/a", as_bytes("v")).ok() && txn.put("d/b", as_bytes("v")).ok() &&
                      run.committer.commit(batch).status().ok();
    faulty.left = -1;
    CHECK(run.list("d/") == (done ? "a b " : ""));
    CHECK(run.counter("uses") == (done ? 1 : 0));
    CHECK(run.verifies());
    if (done) break;
  }
}

TEST_CASE("head: it is read back as it was written, and nothing else is") {
  commit::Head head;
  head.term = 3;
  head.incarnation = {1, 2, 3};
  head.index = 77;
  head.group = 9;
  head.time_seen = {123456789};
  head.audit_synced = 8;
  head.multiset[31] = 5;
  head.audit_position.seq = 12;
  head.audit_position.hash[0] = 6;
  const Bytes bytes = head.serialize();
  const auto again = commit::Head::deserialize(bytes);
  REQUIRE(again.ok());
  CHECK(again->serialize() == bytes);
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(commit::Head::deserialize(ByteView(bytes).first(size)).ok());
  Bytes newer = bytes;
  newer[0] = 5;
  CHECK_FALSE(commit::Head::deserialize(newer).ok());
}

TEST_CASE("head: what the audit devices held counts for the line it was noted with") {
  commit::Head head;
  head.audit_position.seq = 12;
  head.audit_end.closed = true;
  head.audit_end.held.push_back({{1, 2}, {12, {}}});
  head.audit_end.held.push_back({{3}, {7, {}}});
  head.audit_end.held.back().last.hash[31] = 9;
  Bytes bytes = head.serialize();
  const auto again = commit::Head::deserialize(bytes);
  REQUIRE(again.ok());
  CHECK(again->audit_end.closed);
  REQUIRE(again->audit_end.held.size() == 2);
  CHECK(again->audit_end.held[1].last.seq == 7);
  CHECK(again->serialize() == bytes);
  CHECK_FALSE(commit::Head::deserialize(ByteView(bytes).first(bytes.size() - 1)).ok());
  // An earlier version moves the line and keeps the field as it was.
  commit::Head empty;
  const std::size_t line = empty.serialize().size() - 40;
  bytes[line + 7] = 13;
  const auto moved = commit::Head::deserialize(bytes);
  REQUIRE(moved.ok());
  CHECK_FALSE(moved->audit_end.closed);
  CHECK(moved->audit_end.held.empty());
}

TEST_CASE("head: a field of a newer version stays, unless it must be understood") {
  Bytes bytes = commit::Head().serialize();
  append(bytes, Bytes{0x05, 0, 0, 0, 2, 'a', 'b'});
  const auto read = commit::Head::deserialize(bytes);
  REQUIRE(read.ok());
  CHECK(read->serialize() == bytes);
  CHECK_FALSE(commit::Head::deserialize(ByteView(bytes).first(bytes.size() - 1)).ok());
  bytes[bytes.size() - 7] = 0x85;
  CHECK_FALSE(commit::Head::deserialize(bytes).ok());
}

TEST_CASE("head: one that a newer program wrote is refused by the name of that program") {
  commit::Head head;
  head.writer = "7.2.1";
  Bytes bytes = head.serialize();
  const auto read = commit::Head::deserialize(bytes);
  REQUIRE(read.ok());
  CHECK(read->writer == "7.2.1");
  CHECK(read->serialize() == bytes);

  bytes[0] = 5;
  CHECK(commit::Head::deserialize(bytes).error().message.find("Leasehold 7.2.1,") !=
        std::string::npos);
  bytes[0] = 4;
  append(bytes, Bytes{0x85, 0, 0, 0, 0});
  CHECK(commit::Head::deserialize(bytes).error().message.find("Leasehold 7.2.1,") !=
        std::string::npos);
  const Bytes bare = {5};
  CHECK(commit::Head::deserialize(bare).error().message.find("a newer version of Leasehold:") !=
        std::string::npos);
}

TEST_CASE("head: every group of a run says which program wrote it") {
  auto owned = storage::make_memory_storage();
  VaultRun run(*owned);
  REQUIRE(run.committer.start(run.drain, {}, {.writer = "7.2.1"}).ok());
  REQUIRE(run.operate(putting("a")).status().ok());
  const auto head = commit::read_head(*run.snapshot(), run.barrier);
  REQUIRE(head.ok());
  CHECK((*head)->writer == "7.2.1");
}

TEST_CASE("head: of format 1 it knew no line of the audit log") {
  commit::Head head;
  head.index = 77;
  head.multiset[31] = 5;
  Bytes first = head.serialize();
  first[0] = 1;
  first.resize(first.size() - 40);
  const auto read = commit::Head::deserialize(first);
  REQUIRE(read.ok());
  CHECK(read->serialize() == head.serialize());
  CHECK_FALSE(read->covers_seal);
}

TEST_CASE("head: of format 3 is read, and is of format 4 from then on") {
  commit::Head head;
  head.index = 77;
  Bytes bytes = head.serialize();
  REQUIRE(bytes[0] == 4);
  bytes[0] = 3;
  const auto read = commit::Head::deserialize(bytes);
  REQUIRE(read.ok());
  CHECK(read->covers_seal);
  CHECK(read->serialize() == head.serialize());
  bytes[0] = 5;
  CHECK(commit::Head::deserialize(bytes).error().message.find("upgrade") != std::string::npos);
}

TEST_CASE("head: the multiset adds and subtracts modulo 2^256") {
  commit::Multiset sum{};
  crypto::Digest one{}, all;
  one[31] = 1;
  all.fill(0xff);
  commit::subtract_from(sum, one);
  CHECK(sum == all);
  commit::add_to(sum, one);
  CHECK(sum == commit::Multiset{});
  commit::add_to(sum, all);
  commit::add_to(sum, all);
  commit::subtract_from(sum, all);
  CHECK(sum == all);
}
