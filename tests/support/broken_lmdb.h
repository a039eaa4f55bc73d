#pragma once
// What a dying disk does to LMDB: the write of its root page fails, and the environment refuses
// every transaction from then on. The data before it is whole.
//
//   break_lmdb(directory);   // the next commit ends with Outcome::unknown
//
// And what whoever can write its file does to it.

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
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

// Somebody made the tree: all branches of a page lead to its first child. Of a storage that is
// closed.
inline void make_lmdb_repeat_itself(const std::string& directory) {
  constexpr std::size_t kPage = 4096, kFlagsAt = 10, kLowerAt = 12, kNodesAt = 16, kChildSize = 6;
  constexpr std::uint16_t kIsBranch = 1;
  const int fd = ::open((directory + "/data.mdb").c_str(), O_RDWR | O_CLOEXEC);
  VAULT_ASSERT(fd >= 0);
  int branches = 0;
  std::uint8_t page[kPage];
  const auto number_at = [&page](std::size_t at) {
    return static_cast<std::size_t>(page[at] | page[at + 1] << 8);
  };
  for (off_t at = 0; ::pread(fd, page, kPage, at) == kPage; at += kPage) {
    std::uint64_t own = 0;
    std::memcpy(&own, page, sizeof own);
    if (own != static_cast<std::uint64_t>(at) / kPage || number_at(kFlagsAt) != kIsBranch) continue;
    const std::size_t first = number_at(kNodesAt);
    for (std::size_t node = kNodesAt + 2; node < number_at(kLowerAt); node += 2)
      std::memcpy(page + number_at(node), page + first, kChildSize);
    VAULT_ASSERT(::pwrite(fd, page, kPage, at) == kPage);
    ++branches;
  }
  ::close(fd);
  VAULT_ASSERT(branches > 0);
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
