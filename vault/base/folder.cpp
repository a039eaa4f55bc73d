#include "vault/base/folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace leasehold {

bool sync_folder_of(const std::string& path) {
  const auto name_end = path.find_last_not_of('/');
  const auto slash = path.rfind('/', name_end);
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return errno == EACCES;
  const bool synced = ::fsync(fd) == 0 || errno == EINVAL;
  const int why = errno;
  ::close(fd);
  errno = why;
  return synced;
}

}  // namespace leasehold
