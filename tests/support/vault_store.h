#pragma once
// A storage with barrier, clock and Committer on it, and an audit drain that keeps what it is
// given.
//
//   VaultStore store;                          // in memory
//   store.write([](WriteTxn& txn) { return txn.put("a", as_bytes("1")); });

#include "backends/storage/memory.h"
#include "tests/support/fake_clock.h"
#include "tests/support/null_log.h"
#include "tests/support/seeded_random.h"
#include "vault/base/mutex.h"
#include "vault/commit/committer.h"
#include "vault/commit/txn.h"

namespace leasehold::testing {

// Thread-safe, so that a test may look while the Committer runs.
class KeptDrain final : public commit::Drain {
 public:
  Result<std::uint64_t> append(std::uint64_t /*group*/,
                               std::span<const std::string_view> bodies) override {
    MutexLock lock(mutex_);
    if (failing_) return failure(Code::unavailable, "no audit device could record");
    const std::uint64_t last = lines_.size() + bodies.size();
    for (const auto& body : bodies) lines_.emplace_back(last, body);
    if (syncing_) synced_.last.seq = last;
    return last;
  }
  commit::AuditSynced synced() override {
    MutexLock lock(mutex_);
    return synced_;
  }
  void fail(bool failing) {
    MutexLock lock(mutex_);
    failing_ = failing;
  }
  void sync(bool syncing) {
    MutexLock lock(mutex_);
    syncing_ = syncing;
  }
  // Lines of requests that changed nothing, and are on disk.
  void record_reads(std::uint64_t count) {
    MutexLock lock(mutex_);
    for (std::uint64_t i = 0; i < count; ++i) lines_.emplace_back(lines_.size() + 1, "read");
    synced_.last.seq = lines_.size();
  }
  // The disk may have lost every line that it had not synced; what comes is synced again.
  void lose_unsynced() {
    MutexLock lock(mutex_);
    synced_.since = lines_.size() + 1;
    synced_.last.seq = lines_.size();
    syncing_ = true;
  }
  // Each with the number of the last line that was appended with it.
  std::vector<std::pair<std::uint64_t, std::string>> lines() {
    MutexLock lock(mutex_);
    return lines_;
  }

 private:
  Mutex mutex_;
  bool failing_ GUARDED_BY(mutex_) = false;
  bool syncing_ GUARDED_BY(mutex_) = true;
  commit::AuditSynced synced_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::uint64_t, std::string>> lines_ GUARDED_BY(mutex_);
};

inline constexpr barrier::StoreId kTestStore{0x5e};
inline constexpr barrier::Space kTestSpace{0x0a};

inline barrier::KeyRing test_keys() {
  SeededRandom random(42);
  return barrier::KeyRing::generate(random);
}

// SeededRandom has one state; a test that seals from several threads needs this.
class LockedRandom final : public Random {
 public:
  explicit LockedRandom(std::uint64_t seed) : random_(seed) {}
  void fill(std::span<std::uint8_t> out) override {
    MutexLock lock(mutex_);
    random_.fill(out);
  }

 private:
  Mutex mutex_;
  SeededRandom random_ GUARDED_BY(mutex_);
};

// One run of a vault over a storage that may outlive it.
struct VaultRun {
  explicit VaultRun(storage::Storage& to, std::uint64_t seed = 1)
      : storage(to),
        random(seed),
        barrier(kTestStore, test_keys(), random),
        committer(to, barrier, clock, log) {}

  Status start() { return committer.start(drain, random.take<16>()); }
  std::unique_ptr<storage::Snapshot> snapshot() {
    auto made = storage.snapshot();
    VAULT_ASSERT(made.ok());
    return std::move(made).value();
  }
  // Runs `body` on a WriteTxn and commits its batch; the operation's result.
  template <class Body>
  commit::Submission operate(Body&& body,
                             commit::OnRecord on_record = commit::Unrecorded{"a test"}) {
    const auto shown = snapshot();
    commit::Changes changes;
    commit::WriteTxn txn(*shown, barrier, kTestSpace, changes);
    const Status done = body(txn);
    if (!done.ok()) {
      commit::Submission refused;
      refused.refused = done;
      return refused;
    }
    return committer.commit({std::move(changes), std::move(on_record)});
  }
  template <class Body>
  Status write(Body&& body, commit::OnRecord on_record = commit::Unrecorded{"a test"}) {
    return operate(body, std::move(on_record)).status();
  }
  // What stands under `name`; "-" when absent.
  std::string read(std::string_view name) {
    const auto shown = snapshot();
    commit::ReadTxn txn(*shown, barrier, kTestSpace);
    const auto record = txn.get(name);
    if (!record.ok()) return "error: " + record.error().message;
    return *record ? std::string(as_text((*record)->value.reveal())) : "-";
  }
  std::string list(std::string_view directory, std::string_view after = {}, std::size_t limit = 0) {
    const auto shown = snapshot();
    commit::ReadTxn txn(*shown, barrier, kTestSpace);
    const auto names = txn.list(directory, after, limit);
    if (!names.ok()) return "error: " + names.error().message;
    std::string all;
    for (const auto& name : *names) all += name + " ";
    return all;
  }
  std::int64_t counter(std::string_view name) {
    const auto shown = snapshot();
    commit::ReadTxn txn(*shown, barrier, kTestSpace);
    const auto value = txn.counter(name);
    return value.ok() ? *value : -1;
  }
  bool verifies() {
    const auto shown = snapshot();
    const auto verified = commit::verify_store(*shown, barrier, [](std::uint64_t) { return true; });
    return verified.ok() && verified->matches;
  }

  storage::Storage& storage;
  FakeClock clock;
  LockedRandom random;
  NullLog log;
  KeptDrain drain;
  barrier::Barrier barrier;
  commit::Committer committer;
};

struct OwnedStorage {
  std::unique_ptr<storage::Storage> owned = storage::make_memory_storage();
};
struct VaultStore : OwnedStorage, VaultRun {
  VaultStore() : VaultRun(*owned) { VAULT_ASSERT(start().ok()); }
};

}  // namespace leasehold::testing
