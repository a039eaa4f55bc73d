#include "backends/target/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

namespace leasehold::postgresql {

Result<std::shared_ptr<const MemoryFile>> MemoryFile::make(const char* name,
                                                           std::string_view text) {
  const int descriptor = ::memfd_create(name, MFD_CLOEXEC);
  if (descriptor < 0)
    return failure(Code::unavailable, "no file descriptor is left: raise the limit of open files");
  std::shared_ptr<const MemoryFile> file(new MemoryFile(descriptor));
  if (::write(descriptor, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return failure(Code::unavailable, "out of memory");
  return file;
}

MemoryFile::~MemoryFile() { ::close(descriptor_); }

}  // namespace leasehold::postgresql
