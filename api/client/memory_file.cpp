#include "api/client/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace leasehold::client {

Result<MemoryFile> MemoryFile::holding(ByteView text) {
  MemoryFile file(::memfd_create("pem", MFD_CLOEXEC));
  while (file.descriptor_ >= 0 && !text.empty()) {
    const ssize_t wrote = ::write(file.descriptor_, text.data(), text.size());
    if (wrote < 0 && errno != EINTR) break;
    if (wrote > 0) text = text.subspan(static_cast<std::size_t>(wrote));
  }
  if (file.descriptor_ >= 0 && text.empty()) return file;
  return failure(Code::internal,
                 std::string("cannot keep a file in memory: ") + std::strerror(errno));
}

MemoryFile::MemoryFile(MemoryFile&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

MemoryFile::~MemoryFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::string MemoryFile::path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

}  // namespace leasehold::client
