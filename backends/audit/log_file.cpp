#include "backends/audit/log_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <system_error>

#include "backends/audit/lines_backward.h"
#include "vault/base/folder.h"

namespace leasehold::audit {
namespace {

constexpr off_t kRoom = 1 << 20;

std::string reason(int error) { return std::generic_category().message(error); }

// Writes all of `text`; how far it came is in `written`, the error in errno.
bool write_all(int fd, std::string_view text, std::size_t& written) {
  written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    written += static_cast<std::size_t>(count);
  }
  return true;
}

std::optional<std::uint64_t> size_of(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_size);
}

std::optional<WallTime> made_at(int fd) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &status) != 0) return std::nullopt;
  if ((status.stx_mask & STATX_BTIME) == 0) return std::nullopt;
  return WallTime{status.stx_btime.tv_sec * 1'000'000'000 + status.stx_btime.tv_nsec};
}

std::string directory_of(const std::string& file_path) {
  return file_path.substr(0, file_path.rfind('/') + 1);
}

class StandardOutput final : public Device {
 public:
  Result<Tail> open() override { return Tail{}; }
  Status write(std::string_view lines) override {
    std::size_t written = 0;
    if (write_all(STDOUT_FILENO, lines, written)) return {};
    return failure(Code::internal, "stdout: cannot write", reason(errno));
  }
  Status sync() override { return {}; }
  Result<bool> reopen() override { return false; }
  bool keeps_lines() const override { return false; }
  std::string where() const override { return "stdout"; }
};

class Discard final : public Device {
 public:
  Result<Tail> open() override { return Tail{}; }
  Status write(std::string_view) override { return {}; }
  Status sync() override { return {}; }
  Result<bool> reopen() override { return false; }
  bool keeps_lines() const override { return false; }
  std::string where() const override { return "discard"; }
};

}  // namespace

std::unique_ptr<Device> make_stdout_device() { return std::make_unique<StandardOutput>(); }
std::unique_ptr<Device> make_discard_device() { return std::make_unique<Discard>(); }

LogFile::~LogFile() {
  if (fd_ >= 0) ::close(fd_);
}

Error LogFile::fault(std::string_view what, int error) const {
  return failure(error == ENOSPC || error == EDQUOT ? Code::no_space : Code::internal,
                 where() + ": " + std::string(what), reason(error));
}

// The file that is there, or a new one with its mode, whatever the umask of the process.
int LogFile::open_or_create() const {
  // O_NONBLOCK: a FIFO in the file's place is refused below instead of waited for.
  const int flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK;
  const int there = ::open(file_path_.c_str(), flags);
  if (there >= 0 || errno != ENOENT) return there;
  const int fd = ::open(file_path_.c_str(), flags | O_CREAT | O_EXCL, mode_);
  if (fd >= 0) (void)::fchmod(fd, mode_);  // refused by few file systems; then it is narrower
  return fd;
}

Error LogFile::no_regular_file() const {
  return failure(Code::internal, where() + ": cannot use",
                 "it is not a regular file; \"discard\" drops the lines, \"stdout\" prints them");
}

Error LogFile::symbolic_link() const {
  return failure(Code::internal, where() + ": cannot open",
                 "it is a symbolic link; name the file itself");
}

Status LogFile::check() const {
  struct stat status {};
  const bool there = ::lstat(file_path_.c_str(), &status) == 0;  // else open() makes it
  if (there && S_ISLNK(status.st_mode)) return symbolic_link();
  if (there && !S_ISREG(status.st_mode)) return no_regular_file();
  return check_room(there
                        ? std::max<std::int64_t>(
                              static_cast<std::int64_t>(status.st_blocks) * 512 - status.st_size, 0)
                        : 0);
}

// Of kRoom behind the last line, `allocated` bytes are the file's already.
Status LogFile::check_room(std::int64_t allocated) const {
  struct statvfs disk {};
  if (::statvfs(directory_of(file_path_).c_str(), &disk) != 0) return {};  // told by who opens it
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free + static_cast<std::uint64_t>(allocated) >= static_cast<std::uint64_t>(kRoom)) return {};
  return failure(Code::no_space, where() + ": has no room yet",
                 "its disk must have " + std::to_string(kRoom >> 20) + " MiB free");
}

bool LogFile::is_used() const {
  struct stat status {};
  return ::lstat(file_path_.c_str(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
}

Result<int> LogFile::open_file() const {
  const int fd = open_or_create();
  if (fd < 0 && errno == ELOOP) return symbolic_link();
  if (fd < 0 && errno == ENXIO) return no_regular_file();  // a socket
  if (fd < 0 && errno == ENOENT)
    return failure(Code::internal, where() + ": cannot open",
                   "its directory does not exist; create it for the server's user");
  if (fd < 0) return fault("cannot open", errno);
  struct stat status {};
  std::string refusal;
  if (::fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return no_regular_file();
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0)
    refusal = "another process writes to it; give each server its own file";
  if (refusal.empty() && status.st_size == 0 && !sync_folder_of(file_path_))
    refusal = "its directory cannot be flushed to disk: " + reason(errno);
  if (refusal.empty()) return fd;
  ::close(fd);
  return failure(Code::internal, where() + ": cannot use", std::move(refusal));
}

Result<Tail> LogFile::open() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  VAULT_TRY_ASSIGN(const int fd, open_file());
  auto tail = read_tail(fd);
  if (tail.ok() && needs_room_) {
    const Status room = make_room(fd);
    if (!room.ok()) tail = room.error();
  }
  if (!tail.ok()) {
    ::close(fd);
    return tail;
  }
  needs_room_ = false;
  fd_ = fd;
  folder_ = folder();
  end_ = size_of(fd).value_or(0);
  begun_.reset();
  end_remnant_ = tail->remnant != 0;
  return tail;
}

// A disk is used when there is room for more than the next line: else
// every line that happens to fit would let requests through whose own lines do not.
Status LogFile::make_room(int fd) const {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fault("cannot read its size", errno);
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, kRoom) == 0) return {};
  if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM) return {};
  return fault("has no room yet", errno);
}

Result<Tail> LogFile::read_tail(int fd) const {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return fault("cannot read its size", errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  LinesBackward lines(fd, size);
  const auto torn = lines.half_line();
  const auto last = lines.next();
  if (lines.failed())
    return failure(Code::internal, where() + ": cannot read its last line",
                   "move the file away; the log goes on in a new one");
  Tail tail;
  if (last) {
    const auto line = parse_line(*last);
    if (!line.ok())
      return failure(Code::internal, where() + ": cannot use",
                     "its last line is not of this log; move the file away");
    tail.seq = line->seq;
    tail.hash = line_hash(line->previous, line->seq, line->body);
  }
  if (!torn->empty()) VAULT_TRY(end_torn_line(fd, size - torn->size(), *torn, tail));
  return tail;
}

Status LogFile::each_back(FunctionRef<bool(std::string_view line)> each) {
  struct stat status {};
  if (fd_ < 0 || ::fstat(fd_, &status) != 0) return fault("cannot read its size", errno);
  LinesBackward lines(fd_, static_cast<std::uint64_t>(status.st_size));
  auto line = lines.half_line() ? lines.next() : std::nullopt;
  while (line && each(*line)) line = lines.next();
  if (!lines.failed()) return {};
  return failure(Code::internal, where() + ": cannot read its last lines",
                 "move the file away; the log goes on in a new one");
}

Status LogFile::end_torn_line(int fd, std::uint64_t whole, std::string_view torn,
                              Tail& tail) const {
  tail.torn = true;
  if (::ftruncate(fd, static_cast<off_t>(whole)) == 0) return {};
  if (errno != EPERM && errno != EACCES) return fault("cannot cut off a half-written line", errno);
  // Append-only. Text that lacks nothing but its newline gets it; other text stays as a remnant.
  const auto line = parse_line(torn);
  if (!line.ok()) {
    tail.remnant = torn.size() + 1;
    return {};
  }
  std::size_t written = 0;
  if (!write_all(fd, "\n", written)) return fault("cannot write", errno);
  tail.seq = line->seq;
  tail.hash = line_hash(line->previous, line->seq, line->body);
  return {};
}

Status LogFile::write(std::string_view lines) {
  if (fd_ < 0) return failure(Code::internal, where() + ": cannot write", "it is not open");
  std::size_t written = 0;
  if (end_remnant_) {
    if (!write_all(fd_, "\n", written)) return fault("cannot write", errno);
    end_remnant_ = false;
    end_ += written;
  }
  if (write_all(fd_, lines, written)) {
    end_ += written;
    return {};
  }
  needs_room_ = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
  const Error error = fault("cannot write", errno);
  // What cannot be undone here, open() finds: it reads the tail again.
  undo(written);
  return error;
}

bool LogFile::undo(std::size_t written) {
  if (written == 0) return true;
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return false;
  return ::ftruncate(fd_, status.st_size - static_cast<off_t>(written)) == 0;
}

Status LogFile::sync() {
  if (fd_ < 0 || ::fdatasync(fd_) == 0) return {};
  return fault("cannot flush to disk", errno);
}

bool LogFile::moved() {
  struct stat opened {
  }, named{};
  if (fd_ < 0 || ::fstat(fd_, &opened) != 0) return false;
  if (::lstat(file_path_.c_str(), &named) != 0)
    return errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP;
  return opened.st_dev != named.st_dev || opened.st_ino != named.st_ino;
}

bool LogFile::lost() {
  struct stat opened {};
  return fd_ >= 0 && ::fstat(fd_, &opened) == 0 && opened.st_nlink == 0;
}

LogFile::Folder LogFile::folder() const {
  struct stat status {};
  if (::stat(directory_of(file_path_).c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

bool LogFile::astray() { return fd_ >= 0 && moved() && folder() != folder_; }

// Appending fills a hole that somebody cut: looked at once a second, it is seen unless more was
// written meanwhile than was cut off.
bool LogFile::shrunk() {
  const auto size = fd_ < 0 ? std::nullopt : size_of(fd_);
  return size && *size < end_;
}

Result<bool> LogFile::reopen() {
  if (!moved()) return false;
  VAULT_TRY_ASSIGN(const int fd, open_file());
  struct stat status {};
  if (::fstat(fd, &status) != 0 || status.st_size != 0) {
    ::close(fd);
    return failure(Code::internal, where() + ": cannot begin a new file",
                   "the file at that path is not empty; move it away and send SIGHUP again");
  }
  const Status flushed = sync();
  if (!flushed.ok()) {
    ::close(fd);
    return flushed.error();
  }
  ::close(fd_);
  fd_ = fd;
  folder_ = folder();
  end_ = 0;
  begun_.reset();
  return true;
}

// The age of a file that was there before is that of its name on the disk, where the file system
// remembers it.
Result<bool> LogFile::rotate(WallTime now) {
  if (fd_ < 0 || moved()) return false;
  if (!begun_) begun_ = made_at(fd_).value_or(now);
  if (!rotation_.is_due(end_, since(now, *begun_))) return false;
  const Status aside = put_aside(file_path_, now);
  if (!aside.ok())
    return failure(aside.error().code, where() + ": " + aside.error().message,
                   aside.error().detail);
  return true;
}

Status LogFile::abandon() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
  const std::string aside = file_path_ + ".unfinished";
  if (::rename(file_path_.c_str(), aside.c_str()) == 0 || errno == ENOENT) return {};
  return fault("cannot be put aside", errno);
}

Status LogFile::prune() {
  if (rotation_.files == 0) return {};
  const Status removed = remove_oldest(file_path_, rotation_.files);
  if (removed.ok()) return {};
  return failure(removed.error().code, where() + ": " + removed.error().message,
                 removed.error().detail);
}

}  // namespace leasehold::audit
