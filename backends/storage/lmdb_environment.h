#pragma once
// An open LMDB environment of ours. The main database holds two records of its own, "format" and
// "index", and the named database "records", where everything else stands.
//
// Thread safety: LMDB's; beginning transactions from any thread.

#include <lmdb.h>
#include <sys/types.h>

#include <memory>
#include <string>

#include "backends/storage/lmdb.h"

namespace leasehold::storage {

// On users' disks. A version that older programs cannot read gets a higher number.
inline constexpr std::uint32_t kLmdbFormat = 1;

Error lmdb_error(const char* what, int rc);
// The disk, a quota, a limit of files, or the map: nothing more can be written, and all else works.
bool is_no_space(int rc);

class LmdbEnvironment {
 public:
  // `path` is a directory that was checked and locked before.
  static Result<std::unique_ptr<LmdbEnvironment>> open(const std::string& path,
                                                       const LmdbOptions& options);
  LmdbEnvironment(const LmdbEnvironment&) = delete;
  LmdbEnvironment& operator=(const LmdbEnvironment&) = delete;
  ~LmdbEnvironment();

  MDB_env* get() const { return env_; }
  MDB_dbi records() const { return records_; }
  Result<std::uint64_t> read_index() const;
  // As `txn` sees it; MDB_CORRUPTED when it is no index.
  int read_index(MDB_txn* txn, std::uint64_t& index) const;
  int write_index(MDB_txn* txn, std::uint64_t index) const;
  // Records with their versions, in one transaction; the index afterwards.
  Result<std::uint64_t> import(std::span<const Entry> entries, std::uint64_t index) const;
  // Whether its path still leads to the open file: what is written elsewhere would be missing after
  // the next start, and what is deleted goes when the process does. `cut`: it is shorter than it
  // was. One thread at a time.
  enum class DataFile { here, elsewhere, deleted, cut };
  DataFile place();
  // Of the last commit, as its pages on disk say.
  std::size_t last_transaction() const;
  // At least 95 % of the map is in use, so that only revocations should be written.
  bool nearly_full() const;

 private:
  LmdbEnvironment() = default;
  Status open_databases();
  Error no_space(int rc) const;
  Status check_format() const;

  MDB_env* env_ = nullptr;
  std::string file_;
  dev_t device_ = 0;  // of the open file
  ino_t inode_ = 0;
  std::uint64_t size_ = 0;  // as last seen
  MDB_dbi main_ = 0, records_ = 0;
};

}  // namespace leasehold::storage
