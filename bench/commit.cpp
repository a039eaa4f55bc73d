// What a durable commit costs: `bench_commit [SECONDS]` prints commits per second and CPU per
// commit (user + system, the whole process, sealing included) at 1, 8 and 64 clients, for a batch
// the size of a service token (3 guards, 3 puts, a counter, two audit bodies). Beside it, in the
// same run, what the disk gives to anyone: LMDB with one transaction per write, and append +
// fdatasync.
#include <fcntl.h>
#include <fmt/core.h>
#include <lmdb.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <functional>
#include <thread>

#include "backends/storage/lmdb.h"
#include "tests/support/null_log.h"
#include "vault/commit/committer.h"
#include "vault/commit/txn.h"

using namespace leasehold;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Runs `one(client)` on `clients` threads for `seconds` and prints what it did.
void measure(const char* what, int clients, double seconds, const std::function<bool(int)>& one) {
  std::atomic<bool> stop{false};
  std::atomic<long> done{0}, failed{0};
  const double wall = seconds_of(CLOCK_MONOTONIC), cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  std::vector<std::thread> threads;
  for (int i = 0; i < clients; ++i)
    threads.emplace_back([&, i] {
      while (!stop) ++(one(i) ? done : failed);
    });
  ::usleep(static_cast<useconds_t>(seconds * 1e6));
  stop = true;
  for (auto& thread : threads) thread.join();
  const auto count = static_cast<double>(done);
  fmt::print("{:<34}{:>4} clients{:>10.0f} /s{:>9.1f} us CPU{}\n", what, clients,
             count / (seconds_of(CLOCK_MONOTONIC) - wall),
             (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu) / count * 1e6,
             failed > 0 ? fmt::format("  ({} failed)", failed.load()) : "");
}

struct Synced final : commit::Drain {
  std::atomic<std::uint64_t> last{0};
  Result<std::uint64_t> append(std::uint64_t /*group*/,
                               std::span<const std::string_view> bodies) override {
    return last += bodies.size();
  }
  commit::AuditSynced synced() override { return {0, {last, {}}}; }
};

struct Store {
  NullLog log;
  SystemClock clock;
  SystemRandom random;
  std::unique_ptr<storage::Storage> storage;
  std::unique_ptr<barrier::Barrier> barrier;
  std::unique_ptr<commit::Committer> committer;
  Synced drain;
  std::vector<PhysicalKey> guarded;

  explicit Store(const std::string& path) {
    auto opened = storage::open_lmdb(path, {}, log);
    VAULT_ASSERT(opened.ok());
    storage = std::move(opened).value();
    barrier = std::make_unique<barrier::Barrier>(barrier::StoreId{1},
                                                 barrier::KeyRing::generate(random), random);
    committer = std::make_unique<commit::Committer>(*storage, *barrier, clock, log);
    VAULT_ASSERT(committer->start(drain, random.take<16>()).ok());
    commit::Batch batch({}, commit::Unrecorded{"a measurement"});
    for (const char* name : {"caller", "mount", "policies"}) {
      guarded.push_back(barrier->value_key(barrier::kCoreSpace, name));
      Bytes sealed;
      barrier->seal(guarded.back(), name, as_bytes(std::string(450, 'r')), sealed);
      batch.storage.put(guarded.back().view(), sealed);
    }
    VAULT_ASSERT(committer->commit(batch).status().ok());
  }

  PhysicalKey key(Table table, std::int64_t ms, ByteView id) const {
    PhysicalKey made(table);
    made.push_be(static_cast<std::uint64_t>(ms), barrier::kMillisSize);
    made.push(barrier->id_hash("token", id));
    return made;
  }

  bool create_token() {
    thread_local std::unique_ptr<storage::Snapshot> snapshot;
    if (!snapshot) snapshot = std::move(storage->snapshot()).value();
    if (!snapshot->renew().ok()) return false;
    commit::Batch batch({}, commit::Unrecorded{"a measurement"});
    commit::WriteTxn txn(*snapshot, *barrier, barrier::kCoreSpace, batch);
    for (const PhysicalKey& read : guarded)
      if (!txn.version(read).ok()) return false;
    const auto id = random.take<16>();
    const std::int64_t now = clock.now().millis();
    const std::string record(450, 't');
    const bool put = txn.put(key(Table::token, now, id), "hvs.name", as_bytes(record)).ok() &&
                     txn.mark(key(Table::child, now, id)).ok() &&
                     txn.mark(key(Table::expiry, now + 3'600'000, id)).ok();
    txn.add("tokens", 1, 0);
    for (int line = 0; line < 2; ++line) batch.audit.push_back(std::string(700, 'a'));
    snapshot->release();
    const auto operation = committer->commit(batch);
    return put && operation.status().ok();
  }
};

struct RawLmdb {
  MDB_env* env = nullptr;
  MDB_dbi main = 0;
  std::atomic<std::uint64_t> next{0};

  explicit RawLmdb(const std::string& path) {
    mdb_env_create(&env);
    mdb_env_set_mapsize(env, std::size_t{16} << 30);
    VAULT_ASSERT(mdb_env_open(env, path.c_str(), 0, 0600) == 0);
  }
  ~RawLmdb() { mdb_env_close(env); }
  bool put() {
    std::uint8_t name[8], bytes[500] = {};
    put_be(name, ++next, sizeof name);
    MDB_txn* txn = nullptr;
    MDB_val key{sizeof name, name}, value{sizeof bytes, bytes};
    if (mdb_txn_begin(env, nullptr, 0, &txn) != 0) return false;
    if (mdb_dbi_open(txn, nullptr, 0, &main) != 0 || mdb_put(txn, main, &key, &value, 0) != 0) {
      mdb_txn_abort(txn);
      return false;
    }
    return mdb_txn_commit(txn) == 0;
  }
};

}  // namespace

int main(int count, char** arguments) {
  const double seconds = count > 1 ? std::atof(arguments[1]) : 3;
  const auto root = std::filesystem::temp_directory_path() / "leasehold-bench-commit";
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root / "raw");
  {
    const int file = ::open((root / "append").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const std::string line(500, 'x');
    measure("append + fdatasync", 1, seconds, [&](int) {
      return ::write(file, line.data(), line.size()) > 0 && ::fdatasync(file) == 0;
    });
    ::close(file);
  }
  for (const int clients : {1, 8, 64}) {
    RawLmdb raw(root / "raw");
    measure("LMDB, a transaction per write", clients, seconds, [&](int) { return raw.put(); });
    const std::string path = root / ("store" + std::to_string(clients));
    Store store(path);
    measure("committer, a token per commit", clients, seconds,
            [&](int) { return store.create_token(); });
  }
  std::filesystem::remove_all(root);
}
