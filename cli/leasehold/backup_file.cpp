#include "cli/leasehold/backup_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "vault/base/folder.h"

namespace leasehold::cli {
namespace {

constexpr int kTries = 3;
// Whoever else writes to that disk, the vault perhaps, goes on.
constexpr std::uint64_t kRoomKept = 1u << 30;
constexpr std::uint64_t kRoomShare = 20;  // of a smaller disk

// What a signal that ends the process takes with it.
std::atomic<const char*> unfinished{nullptr};
static_assert(std::atomic<const char*>::is_always_lock_free);

extern "C" void remove_unfinished(int signal) {
  if (const char* path = unfinished.load()) ::unlink(path);
  ::raise(signal);  // with its own effect, as the handler serves once
}

void remove_at_a_signal(const std::string& path) {
  unfinished = path.c_str();
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    struct sigaction before {
    }, once{};
    once.sa_handler = remove_unfinished;
    once.sa_flags = SA_RESETHAND;
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
      ::sigaction(signal, &once, nullptr);
  }
}

bool begins_a_backup(int fd) {
  std::string begin(kBackupMagic.size(), 0);
  const ssize_t size = ::pread(fd, begin.data(), begin.size(), 0);
  return size >= 0 && kBackupMagic.starts_with(begin.substr(0, static_cast<std::size_t>(size)));
}

}  // namespace

BackupFile::~BackupFile() {
  if (fd_ < 0) return;
  unfinished = nullptr;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

Status BackupFile::open() {
  if (::access(path_.c_str(), F_OK) == 0)
    return failure(Code::invalid, path_ + " exists already: name another file");
  for (int tries = 0; tries < kTries; ++tries) {
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ >= 0) remove_at_a_signal(temporary_);
    if (fd_ >= 0) return lock();
    if (errno != EEXIST) return cannot("make");
    VAULT_TRY(remove_left_over());
  }
  return in_use();
}

Status BackupFile::write(std::string_view bytes) {
  VAULT_TRY(leave_room(bytes.size()));
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot("write");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Status BackupFile::finish() {
  if (::fsync(fd_) != 0) return cannot("write");
  if (::link(temporary_.c_str(), path_.c_str()) != 0) return cannot("name");
  if (!sync_folder_of(path_)) {
    const Error why = cannot("flush to disk the folder of");
    ::unlink(path_.c_str());
    return why;
  }
  return {};  // the other name goes with this
}

// Held as long as it is written, so that it is not taken for one that was left behind.
Status BackupFile::lock() const {
  return ::flock(fd_, LOCK_EX | LOCK_NB) == 0 ? Status() : Status(in_use());
}

// What a backup that was killed has left: ours by its beginning, and nobody writes to it.
Status BackupFile::remove_left_over() const {
  const int left = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (left < 0) return errno == ENOENT ? Status() : Status(foreign());
  struct stat status {
  }, named{};
  const bool free = ::flock(left, LOCK_EX | LOCK_NB) == 0;
  const bool ours = ::fstat(left, &status) == 0 && S_ISREG(status.st_mode) &&
                    status.st_uid == ::geteuid() && begins_a_backup(left);
  // Another backup may have removed it, and have made its own, before the lock was ours.
  const bool still = ::lstat(temporary_.c_str(), &named) == 0 && named.st_ino == status.st_ino &&
                     named.st_dev == status.st_dev;
  if (free && ours && still) ::unlink(temporary_.c_str());
  ::close(left);
  if (!ours) return foreign();
  return free ? Status() : Status(in_use());
}

Status BackupFile::leave_room(std::size_t size) const {
  struct statvfs disk {};
  if (::fstatvfs(fd_, &disk) != 0 || disk.f_blocks == 0) return {};  // it does not tell
  const std::uint64_t kept = std::min(kRoomKept, disk.f_blocks / kRoomShare * disk.f_frsize);
  if (disk.f_bavail * disk.f_frsize >= kept + size) return {};
  return failure(Code::invalid,
                 fmt::format("{}: a backup leaves {} MiB of its disk free, and there is no more "
                             "room: name a file on another disk",
                             path_, kept >> 20));
}

Error BackupFile::foreign() const {
  return failure(Code::invalid,
                 fmt::format("{} is in the way, where the backup is written until it is whole, and "
                             "is not of a backup: `rm {}` if nobody needs it, or name another file",
                             temporary_, temporary_));
}

Error BackupFile::in_use() const {
  return failure(
      Code::invalid,
      temporary_ + " is being written by another backup: wait for it, or name another file");
}

Error BackupFile::cannot(const char* what) const {
  return failure(Code::internal,
                 fmt::format("cannot {} {}: {}", what, temporary_, std::strerror(errno)));
}

}  // namespace leasehold::cli
