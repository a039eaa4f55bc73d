#pragma once
// What a dying disk does to LMDB: the write of its root page fails, and the environment refuses
// every transaction from then on. The data before it is whole.
//
//   break_lmdb(directory);   // the next commit ends with Outcome::unknown

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "vault/base/result.h"

namespace leasehold::testing {

// LMDB writes its root through a descriptor of its own, which alone is synchronous.
inline void break_lmdb(const std::string& directory) {
  int broken = 0;
  for (int fd = 3; fd < 1024; ++fd) {
    std::error_code ignored;
    const auto path = std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
    if (path != directory + "/data.mdb" || (::fcntl(fd, F_GETFL) & O_DSYNC) == 0) continue;
    const int reader = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    VAULT_ASSERT(reader >= 0 && ::dup2(reader, fd) == fd);
    ::close(reader);
    ++broken;
  }
  VAULT_ASSERT(broken == 1);
}

// The descriptor that its pages are written through takes nothing while this lives; its root is not
// touched.
class PagesRefused {
 public:
  explicit PagesRefused(const std::string& directory) {
    for (int fd = 3; fd < 1024 && fd_ < 0; ++fd) {
      std::error_code ignored;
      const auto path =
          std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored);
      if (path == directory + "/data.mdb" && (::fcntl(fd, F_GETFL) & O_DSYNC) == 0) fd_ = fd;
    }
    VAULT_ASSERT(fd_ >= 0);
    kept_ = ::dup(fd_);
    const int reader = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    VAULT_ASSERT(kept_ >= 0 && reader >= 0 && ::dup2(reader, fd_) == fd_);
    ::close(reader);
  }
  ~PagesRefused() {
    ::dup2(kept_, fd_);
    ::close(kept_);
  }
  PagesRefused(const PagesRefused&) = delete;
  PagesRefused& operator=(const PagesRefused&) = delete;

 private:
  int fd_ = -1, kept_ = -1;
};

}  // namespace leasehold::testing
