#include "backends/storage/lmdb.h"

#include <lmdb.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <iterator>

#include "backends/storage/ballast.h"
#include "backends/storage/data_directory.h"
#include "backends/storage/lmdb_environment.h"
#include "backends/storage/lmdb_group.h"
#include "vault/base/bound.h"
#include "vault/base/encoding.h"

namespace leasehold::storage {

namespace {

constexpr Bound kReading{"requests are reading"};
constexpr std::size_t kMapMin = std::size_t{64} << 20, kMapMax = std::size_t{64} << 40;

struct Unit {
  std::string_view name;
  std::size_t bytes;
};
// As Vault reads sizes: the units of ten and of two, in any case.
constexpr Unit kUnits[] = {{"", 1},
                           {"mb", 1'000'000},
                           {"mib", std::size_t{1} << 20},
                           {"gb", 1'000'000'000},
                           {"gib", std::size_t{1} << 30},
                           {"tb", 1'000'000'000'000},
                           {"tib", std::size_t{1} << 40}};
constexpr std::size_t kMapStep = 64u << 10;  // whole pages, of whatever size

Error unusable() {
  return failure(Code::unavailable, "storage failed: see the log of the vault",
                 "LMDB could not be opened again; the next unsealing tries once more");
}

class LmdbSnapshot final : public Snapshot {
 public:
  explicit LmdbSnapshot(const LmdbEnvironment& environment) : environment_(environment) {}
  ~LmdbSnapshot() override {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }

  Result<std::optional<Found>> get(ByteView key) override {
    VAULT_ASSERT(live_);
    MDB_val at = to_val(key), value;
    const int rc = mdb_get(txn_, environment_.records(), &at, &value);
    if (rc == MDB_NOTFOUND) return std::optional<Found>();
    if (rc != 0) return lmdb_error("read", rc);
    return std::optional<Found>(to_found(value));
  }

  Status scan(ByteView from, ByteView to, std::size_t limit, Scan what,
              FunctionRef<bool(const Entry&)> each) override {
    VAULT_ASSERT(live_);
    if (limit == 0) return {};
    MDB_cursor* cursor = nullptr;
    if (const int rc = mdb_cursor_open(txn_, environment_.records(), &cursor))
      return lmdb_error("read", rc);
    const int rc = walk(cursor, from, to, limit, what, each);
    mdb_cursor_close(cursor);
    if (rc != 0 && rc != MDB_NOTFOUND) return lmdb_error("read", rc);
    return {};
  }

  void release() override {
    if (live_) mdb_txn_reset(txn_);
    live_ = false;
  }

  Status renew() override {
    release();
    const int rc = txn_ == nullptr ? mdb_txn_begin(environment_.get(), nullptr, MDB_RDONLY, &txn_)
                                   : mdb_txn_renew(txn_);
    if (rc == MDB_READERS_FULL) return kReading.hit();
    if (rc != 0) return lmdb_error("read", rc);
    live_ = true;
    return {};
  }

 private:
  // A tree that somebody made, whose branches name one page many times, would be walked for ever:
  // keys that do not ascend end it.
  static int walk(MDB_cursor* cursor, ByteView from, ByteView to, std::size_t limit, Scan what,
                  FunctionRef<bool(const Entry&)> each) {
    MDB_val key = to_val(from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    ByteView last;
    while (rc == 0 && compare(to_view(key), to) < 0) {
      if (!last.empty() && compare(last, to_view(key)) >= 0) return MDB_CORRUPTED;
      last = to_view(key);
      const Found found = to_found(value);
      const Entry entry{to_view(key), what == Scan::values ? found.value : ByteView(), found.mod};
      if (!each(entry) || --limit == 0) return 0;
      rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    }
    return rc;
  }

  const LmdbEnvironment& environment_;
  MDB_txn* txn_ = nullptr;
  bool live_ = false;
};

class Lmdb final : public Storage {
 public:
  Lmdb(std::unique_ptr<DataDirectory> directory, std::unique_ptr<LmdbEnvironment> environment,
       std::uint64_t index, const LmdbOptions& options, LogSink& log)
      : directory_(std::move(directory)),
        options_(options),
        environment_(std::move(environment)),
        ballast_(directory_->file("ballast"), options.ballast_bytes, log),
        log_(log),
        index_(index) {
    look_at_map();
  }

  Result<std::unique_ptr<Snapshot>> snapshot() override {
    if (environment_ == nullptr) return unusable();
    auto snapshot = std::make_unique<LmdbSnapshot>(*environment_);
    VAULT_TRY(snapshot->renew());
    return std::unique_ptr<Snapshot>(std::move(snapshot));
  }

  void commit(std::span<const Batch* const> group, GroupObserver& observer,
              std::span<CommitResult> results) override;
  Status import(std::span<const Entry> entries) override;
  Result<std::uint64_t> last_index() override { return index_.load(); }
  Status ready() override;
  std::string_view kind() const override { return "lmdb"; }
  bool low_on_space() const override { return nearly_full_ || ballast_.missing(); }
  std::string where() const override { return "lmdb " + directory_->path(); }
  std::string trouble() const override {
    if (displaced_)
      return "data.mdb is not the file that the vault opened, or was cut: no writes; see its log";
    if (nearly_full_ || ballast_.absent())
      return std::string(kFull) + "; until then nothing is written but revocations";
    return {};
  }

 private:
  // How a transaction that failed was ended.
  struct Failed {
    int rc = 0;
    bool ended = false;  // by a commit, where LMDB has touched the disk
    bool moved = false;  // its id stands in the file: it may have happened
  };
  Failed write(std::span<const Batch* const> group, GroupObserver& observer,
               std::span<CommitResult> results);
  Outcome judge(const Failed& failed);
  void no_space(int rc);
  void look_at_map();
  bool leads_here();
  bool disk_is_full() const;
  bool is_usable() const;
  Error displaced(LmdbEnvironment::DataFile place) const;

  // In the order of dependence: the directory's lock goes last.
  const std::unique_ptr<DataDirectory> directory_;
  const LmdbOptions options_;
  std::unique_ptr<LmdbEnvironment> environment_;  // exchanged by ready(); null when that failed
  mutable Ballast ballast_;
  LogSink& log_;
  std::atomic<std::uint64_t> index_;
  std::atomic<bool> nearly_full_{false};
  std::atomic<bool> displaced_{false};  // the path does not lead to the open file
};

void Lmdb::commit(std::span<const Batch* const> group, GroupObserver& observer,
                  std::span<CommitResult> results) {
  std::fill(results.begin(), results.end(), CommitResult{});
  if (environment_ == nullptr || !leads_here()) return;
  const Failed failed = write(group, observer, results);
  if (failed.rc == 0) return look_at_map();
  const Outcome outcome = judge(failed);
  // What was refused before the first that would have been committed stays refused; the others were
  // refused by what did not happen, or never looked at.
  bool open = false;
  for (CommitResult& result : results) {
    open = open || result.outcome == Outcome::committed || result.outcome == Outcome::failed;
    if (open) result = {outcome, 0};
  }
}

Status Lmdb::import(std::span<const Entry> entries) {
  if (environment_ == nullptr) return unusable();
  VAULT_TRY_ASSIGN(const std::uint64_t index, environment_->import(entries, index_));
  index_ = index;
  return {};
}

Lmdb::Failed Lmdb::write(std::span<const Batch* const> group, GroupObserver& observer,
                         std::span<CommitResult> results) {
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(environment_->get(), nullptr, 0, &txn)) return {rc};
  const std::size_t id = mdb_txn_id(txn);
  std::uint64_t stored = 0;
  if (const int read = environment_->read_index(txn, stored); read != 0 || stored != index_) {
    mdb_txn_abort(txn);
    if (read != 0) return {read};
    // Its numbers and ours would mix: one store, two histories.
    log_.error(
        "storage: another process has written to {}/data.mdb, past the lock of this one; nothing "
        "more is written. Stop one of them, then unseal",
        directory_->path());
    return {MDB_BAD_TXN, false, true};
  }
  LmdbGroup writes(txn, environment_->records(), index_, observer);
  int rc = writes.run(group, results);
  if (rc == 0 && writes.any_admitted()) rc = environment_->write_index(txn, writes.index());
  if (rc != 0 || !writes.any_admitted()) {
    mdb_txn_abort(txn);
    return {rc};
  }
  rc = mdb_txn_commit(txn);
  if (rc != 0) return {rc, true, !is_usable() || environment_->last_transaction() >= id};
  if (!leads_here()) return {ENOENT, true, true};
  index_ = writes.index();
  return {};
}

// Whatever the error: before the id of the transaction moved, nothing has happened.
Outcome Lmdb::judge(const Failed& failed) {
  const char* const what = failed.ended ? "commit" : "write";
  if (failed.moved) {
    log_.error(
        "storage failed while it ended a commit ({}): it is opened anew at the next unsealing",
        mdb_strerror(failed.rc));
    return Outcome::unknown;
  }
  // LMDB reports a write cut short as EIO.
  if (is_no_space(failed.rc) || (failed.rc == EIO && failed.ended && disk_is_full())) {
    no_space(failed.rc);
    return Outcome::no_space;
  }
  log_.error("storage: LMDB cannot {} in {}: {}; nothing was written", what, directory_->path(),
             mdb_strerror(failed.rc));
  return Outcome::failed;
}

void Lmdb::no_space(int rc) {
  if (rc != MDB_MAP_FULL && rc != MDB_TXN_FULL) {
    ballast_.release();
    return;
  }
  look_at_map();
  if (nearly_full_) return;  // said
  log_.error("a write was larger than what is left of storage's map, {} MiB (map_size)",
             options_.map_bytes >> 20);
}

// Says it when only the reserve is left, when there is room again, and at each start.
void Lmdb::look_at_map() {
  const bool full = environment_->nearly_full();
  if (nearly_full_.exchange(full) == full) return;
  if (full)
    log_.error(
        "the map of storage is full, not the disk: only revocations are written until map_size in "
        "the stanza storage \"lmdb\" (it is {} MiB now) is raised and the vault restarted",
        options_.map_bytes >> 20);
  else
    log_.info("the map of storage has room again: writes are accepted");
}

// Looked at before and after each commit: what was acknowledged must be there after the next start.
bool Lmdb::leads_here() {
  const auto place = environment_->place();
  const bool here = place == LmdbEnvironment::DataFile::here;
  const bool before = displaced_.exchange(!here);
  if (!here && !before) log_.error("storage: {}", displaced(place).message);
  if (here && before) log_.info("storage: data.mdb is back in its place; writes go on");
  return here;
}

Status Lmdb::ready() {
  // Not opened anew: that would make an empty store in its place.
  if (environment_ != nullptr && !leads_here()) return displaced(environment_->place());
  if (environment_ != nullptr && is_usable()) {
    // After a commit of which it could not be said whether it happened, the file knows.
    VAULT_TRY_ASSIGN(index_, environment_->read_index());
    return {};
  }
  log_.warn("storage: LMDB gave up after an error; it is opened anew");
  environment_.reset();  // LMDB takes one environment per file and process
  VAULT_TRY_ASSIGN(auto environment, LmdbEnvironment::open(directory_->path(), options_));
  VAULT_TRY_ASSIGN(const std::uint64_t index, environment->read_index());
  index_ = index;
  environment_ = std::move(environment);
  look_at_map();
  return {};
}

bool Lmdb::disk_is_full() const {
  constexpr std::size_t kFull = 1u << 20;
  struct statvfs disk;
  return ::statvfs(directory_->path().c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < kFull;
}

Error Lmdb::displaced(LmdbEnvironment::DataFile place) const {
  if (place == LmdbEnvironment::DataFile::cut)
    return failure(Code::unavailable,
                   fmt::format("{}/data.mdb was cut while the vault runs: what it lost is on no "
                               "disk. Nothing is written; stop the vault and restore a backup",
                               directory_->path()));
  if (place != LmdbEnvironment::DataFile::deleted)
    return failure(
        Code::unavailable,
        fmt::format("{}/data.mdb is not the file that the vault has open: it was renamed "
                    "or exchanged. Nothing is written until it is back in its place",
                    directory_->path()));
  // The last that has the bytes is this process.
  return failure(Code::unavailable,
                 fmt::format("{0}/data.mdb was deleted while the vault runs: nothing written now "
                             "would last. Its bytes are still under /proc/{1}/fd: copy them before "
                             "you stop the vault, or restore a backup, then start it again",
                             directory_->path(), ::getpid()));
}

// After a failed write of its root LMDB refuses every further transaction.
bool Lmdb::is_usable() const {
  MDB_txn* txn = nullptr;
  if (mdb_txn_begin(environment_->get(), nullptr, 0, &txn) != 0) return false;
  mdb_txn_abort(txn);
  return true;
}

}  // namespace

Result<std::size_t> parse_map_size(std::string_view text) {
  std::size_t count = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, count);
  std::string unit = lower_case({end, text_end});
  if (unit.starts_with(' ')) unit.erase(0, 1);
  const auto known = std::find_if(std::begin(kUnits), std::end(kUnits),
                                  [&unit](const Unit& one) { return one.name == unit; });
  const bool readable = error == std::errc() && known != std::end(kUnits);
  if (!readable || count > kMapMax / known->bytes || count * known->bytes < kMapMin)
    return failure(
        Code::invalid,
        "map_size must be a number of bytes, or one with MB, MiB, GB, GiB, TB or TiB behind it, "
        "from 64MiB to 64TiB");
  return count * known->bytes / kMapStep * kMapStep;
}

Status check_lmdb(const std::string& path, LogSink& log) {
  VAULT_TRY(check_data_directory(path, log));
  return check_ballast(path + "/ballast", LmdbOptions().ballast_bytes);
}

Result<std::unique_ptr<Storage>> open_lmdb(const std::string& path, const LmdbOptions& options,
                                           LogSink& log) {
  VAULT_TRY_ASSIGN(auto directory, DataDirectory::open(path, log));
  VAULT_TRY_ASSIGN(auto environment, LmdbEnvironment::open(path, options));
  VAULT_TRY_ASSIGN(const std::uint64_t index, environment->read_index());
  return std::unique_ptr<Storage>(
      std::make_unique<Lmdb>(std::move(directory), std::move(environment), index, options, log));
}

}  // namespace leasehold::storage
