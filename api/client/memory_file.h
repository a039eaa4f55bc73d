#pragma once
// A text where a library wants the name of a file: a file in memory, which only this process can
// open by its name and which is gone with the object. Thread safety: values.

#include <string>

#include "vault/base/bytes.h"
#include "vault/base/result.h"

namespace leasehold::client {

class MemoryFile {
 public:
  static Result<MemoryFile> holding(ByteView text);
  MemoryFile(MemoryFile&& other) noexcept;
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile();

  std::string path() const;

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace leasehold::client
