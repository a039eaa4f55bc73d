#pragma once
// The file that a backup is written to: under its name when all of it is on the disk, and not at
// all before. Until then it is FILE.part, which goes with the backup that fails, or that a signal
// ends; what a killed one has left behind is replaced.
//
//   BackupFile file("vault.backup");
//   VAULT_TRY(file.open());
//   VAULT_TRY(file.write(piece));
//   VAULT_TRY(file.finish());
//
// Not thread-safe; one at a time in a process.

#include <string>
#include <string_view>

#include "vault/base/result.h"

namespace leasehold::cli {

// What a backup begins with, as vault/backup/FORMAT.md draws it; tests/e2e/restored_test.py holds
// the two together.
inline constexpr std::string_view kBackupMagic = "leasehold backup";

class BackupFile {
 public:
  explicit BackupFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".part") {}
  ~BackupFile();
  BackupFile(const BackupFile&) = delete;
  BackupFile& operator=(const BackupFile&) = delete;

  Status open();
  // Code::invalid: the disk would be as good as full.
  Status write(std::string_view bytes);
  Status finish();

 private:
  Status lock() const;
  Status remove_left_over() const;
  Status leave_room(std::size_t size) const;
  Error foreign() const;
  Error in_use() const;
  Error cannot(const char* what) const;

  const std::string path_, temporary_;
  int fd_ = -1;
};

}  // namespace leasehold::cli
