#include "backends/storage/lmdb_environment.h"

#include <sys/stat.h>

#include <cerrno>

#include "backends/storage/lmdb_group.h"
#include "backends/storage/lmdb_pages.h"
#include "vault/base/folder.h"

namespace leasehold::storage {

namespace {

constexpr std::string_view kFormatKey = "format", kIndexKey = "index";
constexpr const char* kRecords = "records";
constexpr std::size_t kFormatSize = 4, kIndexSize = 8;
constexpr MDB_dbi kFreePages = 0;  // LMDB's own list

class Txn {
 public:
  Txn(MDB_env* env, unsigned flags) { begun_ = mdb_txn_begin(env, nullptr, flags, &txn_); }
  Txn(const Txn&) = delete;
  Txn& operator=(const Txn&) = delete;
  ~Txn() {
    if (txn_ != nullptr) mdb_txn_abort(txn_);
  }
  int begun() const { return begun_; }
  MDB_txn* get() const { return txn_; }
  int commit() { return mdb_txn_commit(std::exchange(txn_, nullptr)); }

 private:
  MDB_txn* txn_ = nullptr;
  int begun_ = 0;
};

int put(MDB_txn* txn, MDB_dbi main, std::string_view name, ByteView bytes) {
  MDB_val key = to_val(as_bytes(name)), value = to_val(bytes);
  return mdb_put(txn, main, &key, &value, 0);
}

// Pages on the free list: each entry is the transaction that freed them and a counted list.
std::size_t free_pages(MDB_env* env) {
  Txn txn(env, MDB_RDONLY);
  MDB_cursor* cursor = nullptr;
  if (txn.begun() != 0 || mdb_cursor_open(txn.get(), kFreePages, &cursor) != 0) return 0;
  std::size_t pages = 0;
  MDB_val key, value;
  while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
    std::size_t count = 0;
    if (value.mv_size >= sizeof count) std::memcpy(&count, value.mv_data, sizeof count);
    pages += count;
  }
  mdb_cursor_close(cursor);
  return pages;
}

}  // namespace

bool holds_records(const std::string& path) {
  MDB_env* env = nullptr;
  if (mdb_env_create(&env) != 0) return false;
  mdb_env_set_maxdbs(env, 1);
  std::size_t entries = 0;
  if (mdb_env_open(env, path.c_str(), MDB_RDONLY | MDB_NOLOCK | MDB_NOTLS, 0600) == 0) {
    Txn txn(env, MDB_RDONLY);
    MDB_dbi records = 0;
    MDB_stat stat;
    if (txn.begun() == 0 && mdb_dbi_open(txn.get(), kRecords, 0, &records) == 0 &&
        mdb_stat(txn.get(), records, &stat) == 0)
      entries = stat.ms_entries;
  }
  mdb_env_close(env);
  return entries > 0;
}

bool is_no_space(int rc) {
  return rc == MDB_MAP_FULL || rc == MDB_TXN_FULL || rc == ENOSPC || rc == EDQUOT || rc == EFBIG;
}

// For the one who starts or restores, who has no log yet.
Error LmdbEnvironment::no_space(int rc) const {
  if (rc == EDQUOT)
    return failure(Code::no_space, "storage is full: the disk quota of this user is used up");
  if (rc == EFBIG)
    return failure(Code::no_space,
                   "storage is full: " + file_ +
                       " may grow no more: raise the limit of file sizes (ulimit -f, LimitFSIZE)");
  if (rc == ENOSPC)
    return failure(Code::no_space, "storage is full: free space on the disk of the data directory");
  MDB_envinfo info{};
  mdb_env_info(env_, &info);
  return failure(Code::no_space,
                 fmt::format("storage is full: its map is, not the disk: raise map_size in the "
                             "stanza storage \"lmdb\" (it is {} MiB now)",
                             info.me_mapsize >> 20));
}

Error lmdb_error(const char* what, int rc) {
  return failure(Code::internal, "storage failed: see the log of the vault",
                 fmt::format("LMDB cannot {}: {}", what, mdb_strerror(rc)));
}

Result<std::unique_ptr<LmdbEnvironment>> LmdbEnvironment::open(const std::string& path,
                                                               const LmdbOptions& options) {
  std::unique_ptr<LmdbEnvironment> environment(new LmdbEnvironment);
  environment->file_ = path + "/data.mdb";
  MDB_env*& env = environment->env_;
  if (const int rc = mdb_env_create(&env)) return lmdb_error("start", rc);
  mdb_env_set_mapsize(env, options.map_bytes);
  mdb_env_set_maxreaders(env, options.readers_max);
  mdb_env_set_maxdbs(env, 4);
  if (const int rc = mdb_env_open(env, path.c_str(), MDB_NOTLS, 0600)) {
    return failure(Code::internal,
                   fmt::format("cannot open {}/data.mdb: {}; restore a backup if it is damaged",
                               path, mdb_strerror(rc)));
  }
  mdb_filehandle_t file = -1;
  struct stat opened {};
  if (mdb_env_get_fd(env, &file) != 0 || ::fstat(file, &opened) != 0)
    return lmdb_error("look at its file", errno);
  environment->device_ = opened.st_dev;
  environment->inode_ = opened.st_ino;
  environment->size_ = static_cast<std::uint64_t>(opened.st_size);
  if (!holds_its_pages(env, file, environment->size_))
    return failure(Code::internal,
                   fmt::format("{}/data.mdb was cut: it has {} bytes, and pages that it names lie "
                               "behind them. If it is a copy, copy it again; else restore a backup",
                               path, environment->size_));
  int dead = 0;
  mdb_reader_check(env, &dead);  // what a killed process left would keep old pages for ever
  VAULT_TRY(environment->open_databases());
  if (!sync_folder_of(environment->file_)) return lmdb_error("flush its folder to disk", errno);
  return environment;
}

LmdbEnvironment::~LmdbEnvironment() {
  if (env_ != nullptr) mdb_env_close(env_);
}

Status LmdbEnvironment::open_databases() {
  VAULT_TRY(check_format());
  Txn txn(env_, 0);
  if (txn.begun() != 0) return lmdb_error("begin", txn.begun());
  std::uint8_t format[kFormatSize];
  put_be(format, kLmdbFormat, kFormatSize);
  int rc = mdb_dbi_open(txn.get(), nullptr, 0, &main_);
  if (rc == 0) rc = mdb_dbi_open(txn.get(), kRecords, MDB_CREATE, &records_);
  if (rc == 0) rc = put(txn.get(), main_, kFormatKey, format);
  if (rc == 0) rc = txn.commit();
  if (is_no_space(rc)) return no_space(rc);
  if (rc != 0) return lmdb_error("make its databases", rc);
  return {};
}

// Before anything is written.
Status LmdbEnvironment::check_format() const {
  Txn txn(env_, MDB_RDONLY);
  if (txn.begun() != 0) return lmdb_error("read", txn.begun());
  MDB_dbi main = 0;
  if (const int rc = mdb_dbi_open(txn.get(), nullptr, 0, &main)) return lmdb_error("read", rc);
  MDB_val key = to_val(as_bytes(kFormatKey)), value;
  const int rc = mdb_get(txn.get(), main, &key, &value);
  if (rc == MDB_NOTFOUND) {
    MDB_stat stat;
    mdb_stat(txn.get(), main, &stat);
    if (stat.ms_entries == 0) return {};
    return failure(Code::invalid,
                   "data.mdb belongs to another program: name another data directory");
  }
  if (rc != 0 || value.mv_size != kFormatSize) return lmdb_error("read its format", rc);
  const std::uint64_t format = get_be(to_view(value).data(), kFormatSize);
  if (format > kLmdbFormat)
    return failure(Code::unsupported,
                   fmt::format("data.mdb was written by a newer version (format {}, this one knows "
                               "{}): upgrade Leasehold, or restore a backup made by this version",
                               format, kLmdbFormat));
  return {};
}

Result<std::uint64_t> LmdbEnvironment::read_index() const {
  Txn txn(env_, MDB_RDONLY);
  if (txn.begun() != 0) return lmdb_error("read", txn.begun());
  std::uint64_t index = 0;
  if (const int rc = read_index(txn.get(), index)) return lmdb_error("read its index", rc);
  return index;
}

int LmdbEnvironment::read_index(MDB_txn* txn, std::uint64_t& index) const {
  index = 0;
  MDB_val key = to_val(as_bytes(kIndexKey)), value;
  const int rc = mdb_get(txn, main_, &key, &value);
  if (rc == MDB_NOTFOUND) return 0;
  if (rc != 0) return rc;
  if (value.mv_size != kIndexSize) return MDB_CORRUPTED;
  index = get_be(to_view(value).data(), kIndexSize);
  return 0;
}

int LmdbEnvironment::write_index(MDB_txn* txn, std::uint64_t index) const {
  std::uint8_t bytes[kIndexSize];
  put_be(bytes, index, kIndexSize);
  return put(txn, main_, kIndexKey, bytes);
}

Result<std::uint64_t> LmdbEnvironment::import(std::span<const Entry> entries,
                                              std::uint64_t index) const {
  Txn txn(env_, 0);
  int rc = txn.begun();
  for (const Entry& entry : entries) {
    if (rc != 0) break;
    MDB_val key = to_val(entry.key), value{kModSize + entry.value.size(), nullptr};
    rc = mdb_put(txn.get(), records_, &key, &value, MDB_RESERVE);
    if (rc != 0) break;
    auto* to = static_cast<std::uint8_t*>(value.mv_data);
    put_be(to, entry.mod, kModSize);
    if (!entry.value.empty()) std::memcpy(to + kModSize, entry.value.data(), entry.value.size());
    index = std::max(index, entry.mod);
  }
  if (rc == 0) rc = write_index(txn.get(), index);
  if (rc == 0) rc = txn.commit();
  if (is_no_space(rc)) return no_space(rc);
  if (rc == EIO)  // LMDB's word for a write that was cut short, too
    return failure(Code::internal, "the disk of " + file_ + " failed or is full: " +
                                       mdb_strerror(rc) + "; see the kernel's log");
  if (rc != 0) return lmdb_error("write", rc);
  return index;
}

LmdbEnvironment::DataFile LmdbEnvironment::place() {
  struct stat found {};
  if (::lstat(file_.c_str(), &found) == 0 && found.st_dev == device_ && found.st_ino == inode_) {
    const auto size = static_cast<std::uint64_t>(found.st_size);
    if (size < size_) return DataFile::cut;  // LMDB never shortens it
    size_ = size;
    return DataFile::here;
  }
  mdb_filehandle_t file = -1;
  const bool kept =
      mdb_env_get_fd(env_, &file) == 0 && ::fstat(file, &found) == 0 && found.st_nlink > 0;
  return kept ? DataFile::elsewhere : DataFile::deleted;
}

std::size_t LmdbEnvironment::last_transaction() const {
  MDB_envinfo info;
  return mdb_env_info(env_, &info) == 0 ? info.me_last_txnid : 0;
}

bool LmdbEnvironment::nearly_full() const {
  MDB_envinfo info;
  MDB_stat stat;
  if (mdb_env_info(env_, &info) != 0 || mdb_env_stat(env_, &stat) != 0) return false;
  const std::size_t pages = info.me_mapsize / stat.ms_psize;
  const std::size_t limit = pages / 100 * 95 + pages % 100 * 95 / 100;
  if (info.me_last_pgno + 1 < limit) return false;
  return info.me_last_pgno + 1 - std::min(info.me_last_pgno, free_pages(env_)) >= limit;
}

}  // namespace leasehold::storage
