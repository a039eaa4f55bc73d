#include "backends/storage/data_directory.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "vault/base/folder.h"

namespace leasehold::storage {

namespace {

constexpr std::uint64_t kFuse = 0x65735546;

Error cannot(const char* what, const std::string& path) {
  return failure(Code::internal, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

bool is_empty_folder(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_empty(path, error) && !error;
}

// Root would leave files behind that the service cannot open.
std::string advice(uid_t owner, const std::string& path) {
  const passwd* entry = ::getpwuid(owner);
  const std::string name = entry != nullptr ? entry->pw_name : fmt::format("#{}", owner);
  if (::geteuid() == 0)
    return fmt::format("run it as that user: `sudo -u '{}' leaseholdd ...`", name);
  return fmt::format(
      "run it as that user, `sudo -u '{}' leaseholdd ...`; or, if all of it is to be "
      "yours, `chown -R {} {}`",
      name, ::geteuid(), path);
}

// Files of ours that are another user's: root ran something here once. All else in the directory,
// as lost+found, concerns nobody.
Status check_file(const std::string& directory, const std::string& path, int wanted) {
  if (::faccessat(AT_FDCWD, path.c_str(), wanted, AT_EACCESS) == 0 || errno == ENOENT) return {};
  const int why = errno;
  struct stat found {};
  const bool known = ::lstat(path.c_str(), &found) == 0 && found.st_uid != ::geteuid();
  const std::string whose = known ? fmt::format(", it belongs to user {}", found.st_uid) : "";
  return failure(Code::invalid, fmt::format("cannot use {}: {}{}; run `chown -R {} {}`", path,
                                            std::strerror(why), whose, ::geteuid(), directory));
}

Status check_files(const std::string& path) {
  for (const char* name : {"/owner.lock", "/data.mdb", "/lock.mdb", "/ballast"})
    VAULT_TRY(check_file(path, path + name, R_OK | W_OK));
  const std::string keyhost = path + "/keyhost";
  VAULT_TRY(check_file(path, keyhost, R_OK | W_OK | X_OK));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(keyhost, error))
    VAULT_TRY(check_file(path, entry.path().string(), R_OK | W_OK));
  return {};
}

Status narrow(const std::string& path) {
  struct stat found;
  const bool narrow = ::stat(path.c_str(), &found) == 0 && (found.st_mode & 077) == 0;
  if (narrow || ::chmod(path.c_str(), 0700) == 0) return {};
  return cannot("change the mode of", path);
}

Status check_file_system(const std::string& path, LogSink& log) {
  struct statfs found;
  if (::statfs(path.c_str(), &found) != 0) return cannot("read the file system of", path);
  const auto magic = static_cast<std::uint64_t>(found.f_type) & 0xffffffff;
  if (const char* name = network_file_system(magic))
    return failure(Code::unsupported,
                   fmt::format("{} is on a network file system ({}), where LMDB loses data: use a "
                               "directory on a local disk",
                               path, name));
  if (magic == kFuse)
    log.warn("{} is on a FUSE file system: make sure that it is a local disk", path);
  return {};
}

std::string owner(int lock) {
  char text[32] = {};
  const ssize_t size = ::pread(lock, text, sizeof text - 1, 0);
  return size > 0
             ? fmt::format("process {}", std::string_view(text, static_cast<std::size_t>(size)))
             : "another process";
}

// The lock goes with the process, however it ends.
Result<int> take_lock(const std::string& path) {
  const std::string file = path + "/owner.lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return cannot("open", file);
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    const Error error =
        errno == EWOULDBLOCK
            ? failure(Code::unavailable,
                      fmt::format("{} is in use by {}: stop it first", path, owner(lock)))
            : cannot("lock", file);
    ::close(lock);
    return error;
  }
  const std::string pid = std::to_string(::getpid());
  if (::ftruncate(lock, 0) != 0 || ::pwrite(lock, pid.data(), pid.size(), 0) < 0) {
    // Only the text of a later error needs it.
  }
  return lock;
}

}  // namespace

// Source: linux/magic.h and statfs(2).
const char* network_file_system(std::uint64_t magic) {
  switch (magic) {
    case 0x6969:
      return "NFS";
    case 0x517b:
      return "SMB";
    case 0xff534d42:
      return "CIFS";
    case 0xfe534d42:
      return "SMB2";
    case 0x5346414f:
    case 0x6b414653:
      return "AFS";
    case 0x73757245:
      return "Coda";
    case 0x564c:
      return "NCP";
    case 0x01021997:
      return "9P";
    case 0x00c36400:
      return "Ceph";
    case 0x0bd00bd0:
      return "Lustre";
    case 0x47504653:
      return "GPFS";
    case 0x01161970:
      return "GFS2";
    case 0x7461636f:
      return "OCFS2";
    case 0x19830326:
      return "BeeGFS";
    case 0x786f4256:
      return "vboxsf";
    default:
      return nullptr;
  }
}

Status check_owner(const std::string& path) {
  struct stat found;
  if (::stat(path.c_str(), &found) != 0)
    return errno == ENOENT ? Status() : Status(cannot("read", path));
  if (!S_ISDIR(found.st_mode))
    return failure(Code::invalid, fmt::format("{} is not a directory: name another path", path));
  if (found.st_uid != ::geteuid())
    return failure(Code::invalid,
                   fmt::format("{} belongs to user {}, but the vault runs as {}: {}", path,
                               found.st_uid, ::geteuid(), advice(found.st_uid, path)));
  // One that was made for us and holds nothing yet has nothing to give away: open() narrows it.
  if ((found.st_mode & 077) != 0 && !is_empty_folder(path))
    return failure(Code::invalid,
                   fmt::format("{} is open to other users (mode {:o}): run `chmod 700 {}`", path,
                               found.st_mode & 07777, path));
  return {};
}

Status check_data_directory(const std::string& path, LogSink& log) {
  if (::access(path.c_str(), F_OK) == 0) {
    VAULT_TRY(check_owner(path));
    VAULT_TRY(check_files(path));
    return check_file_system(path, log);
  }
  if (errno != ENOENT) return cannot("read", path);
  const std::string above = std::filesystem::path(path).parent_path().string();
  if (::access(above.c_str(), W_OK | X_OK) == 0) return check_file_system(above, log);
  return failure(Code::invalid,
                 fmt::format("cannot make {}: {} in {}", path, std::strerror(errno), above));
}

Result<std::unique_ptr<DataDirectory>> DataDirectory::open(const std::string& path, LogSink& log) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot("make", path);
  if (!sync_folder_of(path)) return cannot("flush to disk the folder of", path);
  VAULT_TRY(check_owner(path));
  VAULT_TRY(check_files(path));
  VAULT_TRY(narrow(path));
  VAULT_TRY(check_file_system(path, log));
  VAULT_TRY_ASSIGN(const int lock, take_lock(path));
  return std::unique_ptr<DataDirectory>(new DataDirectory(path, lock));
}

DataDirectory::~DataDirectory() { ::close(lock_); }

}  // namespace leasehold::storage
