#include "backends/storage/lmdb.h"

#include <lmdb.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <iterator>

#include "backends/storage/ballast.h"
#include "backends/storage/data_directory.h"
#include "backends/storage/lmdb_environment.h"
#include "backends/storage/lmdb_group.h"

namespace leasehold::storage {

namespace {

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

bool is_no_space(int rc) {
  return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
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
    if (value.mv_size < kModSize) return lmdb_error("read", MDB_CORRUPTED);
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
    if (rc == MDB_READERS_FULL)
      return failure(Code::unavailable, "busy: too many requests are reading, try again");
    if (rc != 0) return lmdb_error("read", rc);
    live_ = true;
    return {};
  }

 private:
  static int walk(MDB_cursor* cursor, ByteView from, ByteView to, std::size_t limit, Scan what,
                  FunctionRef<bool(const Entry&)> each) {
    MDB_val key = to_val(from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    while (rc == 0 && compare(to_view(key), to) < 0) {
      if (value.mv_size < kModSize) return MDB_CORRUPTED;
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
        index_(index),
        nearly_full_(environment_->nearly_full()) {}

  Result<std::unique_ptr<Snapshot>> snapshot() override {
    if (environment_ == nullptr) return unusable();
    auto snapshot = std::make_unique<LmdbSnapshot>(*environment_);
    VAULT_TRY(snapshot->renew());
    return std::unique_ptr<Snapshot>(std::move(snapshot));
  }

  void commit(std::span<const Batch* const> group, GroupObserver& observer,
              std::span<CommitResult> results) override;
  Result<std::uint64_t> last_index() override { return index_.load(); }
  Status ready() override;
  std::string_view kind() const override { return "lmdb"; }
  bool low_on_space() const override { return nearly_full_ || ballast_.missing(); }

 private:
  int write(std::span<const Batch* const> group, GroupObserver& observer,
            std::span<CommitResult> results, bool& ended);
  Outcome judge(int rc, bool ended);
  bool disk_is_full() const;
  bool is_usable() const;
  Error deleted() const;

  // In the order of dependence: the directory's lock goes last.
  const std::unique_ptr<DataDirectory> directory_;
  const LmdbOptions options_;
  std::unique_ptr<LmdbEnvironment> environment_;  // exchanged by ready(); null when that failed
  mutable Ballast ballast_;
  LogSink& log_;
  std::atomic<std::uint64_t> index_;
  std::atomic<bool> nearly_full_;
};

void Lmdb::commit(std::span<const Batch* const> group, GroupObserver& observer,
                  std::span<CommitResult> results) {
  if (environment_ == nullptr) {
    std::fill(results.begin(), results.end(), CommitResult{});
    return;
  }
  bool ended = false;
  const int rc = write(group, observer, results, ended);
  if (rc == 0) {
    nearly_full_ = environment_->nearly_full();
    return;
  }
  const Outcome outcome = judge(rc, ended);
  // What was refused before the error stays refused; what comes after it was never looked at.
  for (CommitResult& result : results)
    if (result.outcome == Outcome::committed || result.outcome == Outcome::failed)
      result = {outcome, 0};
}

// `ended` says that the error came from ending the transaction, where LMDB has touched the disk.
int Lmdb::write(std::span<const Batch* const> group, GroupObserver& observer,
                std::span<CommitResult> results, bool& ended) {
  std::fill(results.begin(), results.end(), CommitResult{});
  MDB_txn* txn = nullptr;
  if (const int rc = mdb_txn_begin(environment_->get(), nullptr, 0, &txn)) return rc;
  LmdbGroup writes(txn, environment_->records(), index_, observer);
  int rc = writes.run(group, results);
  if (rc == 0 && writes.any_admitted()) rc = environment_->write_index(txn, writes.index());
  if (rc != 0 || !writes.any_admitted()) {
    mdb_txn_abort(txn);
    return rc;
  }
  ended = true;
  rc = mdb_txn_commit(txn);
  if (rc == 0 && environment_->is_deleted()) return ENOENT;
  if (rc == 0) index_ = writes.index();
  return rc;
}

Outcome Lmdb::judge(int rc, bool ended) {
  // LMDB reports a write cut short by a full disk as EIO.
  if (is_no_space(rc) || (rc == EIO && ended && disk_is_full())) {
    if (ended && !is_usable()) {
      log_.error("storage failed while it ended a commit: it is opened anew at the next unsealing");
      return Outcome::unknown;
    }
    if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL) {
      nearly_full_ = environment_->nearly_full();
      log_.error(
          "the map of storage is full, not the disk: raise map_size in the stanza storage \"lmdb\" "
          "(it is {} GiB now) and restart",
          options_.map_bytes >> 30);
    } else {
      ballast_.release();
    }
    return Outcome::no_space;
  }
  if (rc == ENOENT && ended) {
    log_.error("{}", deleted().message);
    return Outcome::unknown;
  }
  log_.error("storage failed: LMDB cannot {}: {}", ended ? "commit" : "write", mdb_strerror(rc));
  return ended ? Outcome::unknown : Outcome::failed;
}

Status Lmdb::ready() {
  // Not opened anew: that would make an empty store in its place.
  if (environment_ != nullptr && environment_->is_deleted()) return deleted();
  if (environment_ != nullptr && is_usable()) return {};
  log_.warn("storage: LMDB gave up after an error; it is opened anew");
  environment_.reset();  // LMDB takes one environment per file and process
  VAULT_TRY_ASSIGN(auto environment, LmdbEnvironment::open(directory_->path(), options_));
  VAULT_TRY_ASSIGN(const std::uint64_t index, environment->read_index());
  index_ = index;
  nearly_full_ = environment->nearly_full();
  environment_ = std::move(environment);
  return {};
}

bool Lmdb::disk_is_full() const {
  constexpr std::size_t kFull = 1u << 20;
  struct statvfs disk;
  return ::statvfs(directory_->path().c_str(), &disk) == 0 && disk.f_bavail * disk.f_frsize < kFull;
}

// The last that has the bytes is this process.
Error Lmdb::deleted() const {
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
  std::string unit(end, text_end);
  if (unit.starts_with(' ')) unit.erase(0, 1);
  for (char& c : unit) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
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

Result<std::unique_ptr<Storage>> open_lmdb(const std::string& path, const LmdbOptions& options,
                                           LogSink& log) {
  VAULT_TRY_ASSIGN(auto directory, DataDirectory::open(path, log));
  VAULT_TRY_ASSIGN(auto environment, LmdbEnvironment::open(path, options));
  VAULT_TRY_ASSIGN(const std::uint64_t index, environment->read_index());
  return std::unique_ptr<Storage>(
      std::make_unique<Lmdb>(std::move(directory), std::move(environment), index, options, log));
}

}  // namespace leasehold::storage
