// kill_writer DIRECTORY LEDGER LINES: writes to an LMDB store through the Committer from several
// threads until it is killed. What it was told is durable stands in the ledger; audit lines go to
// the file LINES, late and some at a time, so that a kill finds many of them only in the outbox.
#include <cstdio>
#include <thread>

#include "backends/storage/lmdb.h"
#include "tests/kill/ledger.h"
#include "vault/base/mutex.h"
#include "vault/commit/committer.h"
#include "vault/commit/txn.h"

using namespace leasehold;
using commit::Batch;
using commit::WriteTxn;
using testing::kLedgerSpace;
using testing::Ledger;

namespace {

class StderrLog final : public LogSink {
 public:
  void write(LogLevel, std::string_view message) override {
    std::fprintf(stderr, "writer: %.*s\n", static_cast<int>(message.size()), message.data());
  }
};

// Keeps lines in memory until there are many groups of them, as a device does that syncs late.
class LateDrain final : public commit::Drain {
 public:
  explicit LateDrain(const char* path)
      : file_(::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  Result<std::uint64_t> append(std::uint64_t /*group*/,
                               std::span<const std::string_view> bodies) override {
    for (const std::string_view body : bodies) waiting_.append(body).append("\n");
    last_ += bodies.size();
    if (++groups_ % kGroupsKept != 0) return last_;
    if (::write(file_, waiting_.data(), waiting_.size()) < 0)
      return failure(Code::internal, "cannot write the lines");
    waiting_.clear();
    synced_ = last_;
    return last_;
  }
  commit::AuditSynced synced() override { return {0, {synced_, {}}}; }

 private:
  static constexpr int kGroupsKept = 10;
  const int file_;
  int groups_ = 0;
  std::string waiting_;
  std::uint64_t last_ = 0, synced_ = 0;
};

struct Writer {
  storage::Storage& storage;
  const barrier::Barrier& barrier;
  commit::Committer& committer;
  Ledger& ledger;

  Status write(storage::Snapshot& snapshot, int thread, std::uint64_t seq) {
    Batch batch({}, commit::Unrecorded{"a test"});
    WriteTxn txn(snapshot, barrier, kLedgerSpace, batch);
    const std::string value = std::to_string(seq);
    for (const char* side : {"one", "two"})
      VAULT_TRY(txn.put(testing::pair_name(side, thread, seq % testing::kSlots), as_bytes(value)));
    VAULT_TRY(txn.put(testing::fresh_name(thread, seq), as_bytes(value)));
    if (seq > testing::kFresh)
      VAULT_TRY(txn.erase(testing::fresh_name(thread, seq - testing::kFresh)));
    txn.add("total", 1, 0);
    batch.audit.push_back(testing::audit_line(thread, seq));
    return committer.commit(batch).status();
  }

  // One logical write, run again while somebody else makes the same directory.
  bool write_until_done(storage::Snapshot& snapshot, int thread, std::uint64_t seq) {
    for (;;) {
      if (!snapshot.renew().ok()) return false;
      const Status status = write(snapshot, thread, seq);
      if (status.ok()) return true;
      if (!status.is(Code::conflict)) return false;
    }
  }

  void run(int thread) {
    auto snapshot = storage.snapshot();
    auto& mine = ledger.threads[thread];
    while (snapshot.ok() && !ledger.failed) {
      const std::uint64_t seq = ++mine.begun;
      if (!write_until_done(**snapshot, thread, seq)) break;
      mine.acked = seq;
      ++ledger.acks;
    }
    ledger.failed = true;
  }
};

}  // namespace

int main(int count, char** arguments) {
  if (count != 4) return 2;
  StderrLog log;
  SystemClock clock;
  SystemRandom random;
  auto storage = storage::open_lmdb(arguments[1], {}, log);
  if (!storage.ok()) {
    std::fprintf(stderr, "writer: %s\n", storage.error().message.c_str());
    return 1;
  }
  const barrier::Barrier barrier(testing::kLedgerStore, testing::ledger_keys(), random);
  LateDrain drain(arguments[3]);
  commit::Committer committer(**storage, barrier, clock, log);
  const Status started = committer.start(drain, random.take<16>());
  if (!started.ok()) {
    std::fprintf(stderr, "writer: %s\n", started.error().message.c_str());
    return 1;
  }
  Writer writer{**storage, barrier, committer, *Ledger::map(arguments[2])};
  std::vector<std::thread> threads;
  for (int i = 0; i < testing::kThreads; ++i) threads.emplace_back([&writer, i] { writer.run(i); });
  for (auto& thread : threads) thread.join();
  return 1;  // it ends by being killed
}
