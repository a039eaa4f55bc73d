#include "backends/storage/ballast.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

namespace leasehold::storage {

namespace {

bool is_whole(const struct stat& file, std::size_t size) {
  return static_cast<std::size_t>(file.st_blocks) * 512 >= size;
}

}  // namespace

Status check_ballast(const std::string& path, std::size_t size) {
  struct stat file {};
  if (::stat(path.c_str(), &file) == 0 && is_whole(file, size)) return {};
  std::filesystem::path directory = std::filesystem::path(path).parent_path();
  if (::stat(directory.c_str(), &file) != 0) directory = directory.parent_path();
  struct statvfs disk {};
  if (::statvfs(directory.c_str(), &disk) != 0) return {};  // told by whoever opens it
  const std::uint64_t free = std::uint64_t{disk.f_bavail} * disk.f_frsize;
  if (free >= size) return {};
  return failure(
      Code::no_space,
      fmt::format("no room for the {} MiB reserve {}: {} MiB are free, and all writes but "
                  "revocations are refused until there is",
                  size >> 20, path, free >> 20));
}

Ballast::Ballast(std::string path, std::size_t size, LogSink& log)
    : path_(std::move(path)), size_(size), log_(log) {
  MutexLock lock(mutex_);
  present_ = size_ == 0 || make();
  if (!present_)
    log_.warn("no room for the {} MiB reserve {}: writes are refused until there is", size_ >> 20,
              path_);
}

bool Ballast::release() {
  MutexLock lock(mutex_);
  if (size_ == 0 || !present_) return false;
  present_ = false;
  if (::unlink(path_.c_str()) != 0) return false;
  log_.error(
      "the disk of the data directory is full: only revocations are written until there is "
      "room again");
  return true;
}

bool Ballast::missing() {
  if (present_) return false;
  MutexLock lock(mutex_);
  if (present_) return false;
  if (!room() || !make()) return true;
  present_ = true;
  log_.info("the disk of the data directory has room again: writes are accepted");
  return false;
}

// Twice the size, so that making it does not fill the disk again.
bool Ballast::room() const {
  struct statvfs disk;
  const std::string directory = path_.substr(0, path_.rfind('/'));
  if (::statvfs(directory.c_str(), &disk) != 0) return false;
  return disk.f_bavail * disk.f_frsize >= 2 * size_;
}

bool Ballast::make() {
  const int file = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  struct stat now;
  const bool whole = ::fstat(file, &now) == 0 && is_whole(now, size_);
  const bool made = whole || ::posix_fallocate(file, 0, static_cast<off_t>(size_)) == 0;
  ::close(file);
  if (!made) ::unlink(path_.c_str());
  return made;
}

}  // namespace leasehold::storage
