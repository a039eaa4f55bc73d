#pragma once
// Bytes that a library wants to read from a path, kept in memory: no file is left behind anywhere.

#include <memory>
#include <string>

#include "vault/base/result.h"

namespace leasehold::postgresql {

class MemoryFile {
 public:
  static Result<std::shared_ptr<const MemoryFile>> make(const char* name, std::string_view text);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  // Leads to the bytes as long as this lives, in this process only.
  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace leasehold::postgresql
