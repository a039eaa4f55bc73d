// operator backup: the storage of a running vault into a file, piece by piece.

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/session.h"
#include "vault/base/clock.h"
#include "vault/base/folder.h"

namespace leasehold::cli {
namespace {

// As vault/backup/FORMAT.md draws it; tests/e2e/restored_test.py holds the two together.
constexpr std::string_view kMagic = "leasehold backup";
constexpr std::string_view kLastPiece = "application/vnd.leasehold.backup-end";

// A file that is there under its name when all of it is on the disk, and not at all before.
class NewFile {
 public:
  explicit NewFile(std::string path) : path_(std::move(path)), temporary_(path_ + ".part") {}
  ~NewFile() {
    if (fd_ < 0) return;
    ::close(fd_);
    ::unlink(temporary_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  Status open() {
    if (::access(path_.c_str(), F_OK) == 0)
      return failure(Code::invalid, path_ + " exists already: name another file");
    for (int tries = 0; tries < kTries; ++tries) {
      fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
      if (fd_ >= 0) return lock();
      if (errno != EEXIST) return cannot("make");
      VAULT_TRY(remove_left_over());
    }
    return in_use();
  }
  Status write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return cannot("write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
    return {};
  }
  Status finish() {
    if (::fsync(fd_) != 0) return cannot("write");
    if (::link(temporary_.c_str(), path_.c_str()) != 0) return cannot("name");
    if (!sync_folder_of(path_)) return cannot("flush to disk the folder of");
    return {};  // the other name goes with this
  }

 private:
  static constexpr int kTries = 3;

  // Held as long as it is written, so that it is not taken for one that was left behind.
  Status lock() const { return ::flock(fd_, LOCK_EX | LOCK_NB) == 0 ? Status() : Status(in_use()); }
  // What a backup that was killed has left: ours by its beginning, and nobody writes to it.
  Status remove_left_over() const {
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
  static bool begins_a_backup(int fd) {
    std::string begin(kMagic.size(), 0);
    const ssize_t size = ::pread(fd, begin.data(), begin.size(), 0);
    return size >= 0 && kMagic.starts_with(begin.substr(0, static_cast<std::size_t>(size)));
  }
  Error foreign() const {
    return failure(
        Code::invalid,
        fmt::format("{} is in the way, where the backup is written until it is whole, and "
                    "is not of a backup: `rm {}` if nobody needs it, or name another file",
                    temporary_, temporary_));
  }
  Error in_use() const {
    return failure(Code::invalid,
                   temporary_ +
                       " is being written by another backup: wait for it, or name another "
                       "file");
  }
  Error cannot(const char* what) const {
    return failure(Code::internal,
                   fmt::format("cannot {} {}: {}", what, temporary_, std::strerror(errno)));
  }
  const std::string path_, temporary_;
  int fd_ = -1;
};

// How far it is, on a terminal; the server cannot say how much there is.
class Progress {
 public:
  Progress() : shown_(isatty(STDERR_FILENO) != 0), since_(clock_.instant()) {}
  void add(std::size_t bytes) {
    bytes_ += bytes;
    if (!shown_) return;
    const double took = static_cast<double>(clock_.instant().ns - since_.ns) / 1e9;
    const double mib = static_cast<double>(bytes_) / (1u << 20);
    fmt::print(stderr, "\r{:.1f} MiB, {:.1f} MiB/s", mib, mib / std::max(took, 0.001));
  }
  void end() const {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  const bool shown_;
  SystemClock clock_;
  const Instant since_;
  std::uint64_t bytes_ = 0;
};

// 0, or the exit code of what went wrong and was said.
int fetch(Session& session, const std::string& id, NewFile& file, Progress& progress) {
  for (std::uint64_t number = 1;; ++number) {
    Call call{"GET", "sys/storage/backup/" + id};
    call.query.push_back({"piece", std::to_string(number)});
    const auto piece = session.send(std::move(call));
    if (!is_good(piece)) {
      progress.end();
      return session.refused("Error reading the backup", piece);
    }
    if (const Status written = file.write(piece->body); !written.ok()) {
      progress.end();
      return session.misused(written.error().message);
    }
    progress.add(piece->body.size());
    if (piece->content_type == kLastPiece) return kSuccess;
  }
}

int run_backup(Session& session) {
  const std::string path = session.args().positional(0);
  NewFile file(path);
  if (const Status opened = file.open(); !opened.ok())
    return session.misused(opened.error().message);
  const auto begun = session.send({"PUT", "sys/storage/backup"});
  if (!is_good(begun)) return session.refused("Error beginning the backup", begun);
  const Json* data = begun->data();
  if (data == nullptr) return session.misused("the server does not make backups");
  const std::string id = data->string_at("id");
  Progress progress;
  const int fetched = fetch(session, id, file, progress);
  progress.end();
  if (fetched != kSuccess) {
    session.send({"DELETE", "sys/storage/backup/" + id}).ok();
    return fetched;
  }
  if (const Status finished = file.finish(); !finished.ok())
    return session.misused(finished.error().message);
  return session.succeed(
      fmt::format("Wrote {}: {} bytes, commit {} of the vault.\nNext: leasehold "
                  "operator backup verify {}",
                  path, progress.bytes(), data->integer_at("commit"), path));
}

constexpr std::string_view kHelp =
    "Writes the storage of the running vault into FILE, from one state of it, while the vault goes "
    "on.\n"
    "What is sealed stays sealed: the file shows as much as a stolen disk, and opens with the "
    "vault's\n"
    "own seal. It needs a token with sudo on sys/storage/backup.\n\n"
    "  $ leasehold operator backup vault.backup";

constexpr std::string_view kAliasHelp =
    "The same as `operator backup`, for hands that know Vault's name for it.\n\n"
    "  $ leasehold operator raft snapshot save vault.backup";

constexpr Command kCommands[] = {
    {"operator backup",
     "Back up the running vault into a file",
     "[flags] FILE",
     kHelp,
     {},
     1,
     1,
     run_backup},
    {"operator raft snapshot save",
     "The same as operator backup",
     "[flags] FILE",
     kAliasHelp,
     {},
     1,
     1,
     run_backup},
};

}  // namespace

std::span<const Command> operator_backup_commands() { return kCommands; }

}  // namespace leasehold::cli
