#include "vault/audit/log_files.h"

#include <filesystem>

namespace leasehold::audit {

bool is_device_at(std::string_view device, const std::string& path) {
  constexpr std::string_view kFile = "file ";
  if (!device.starts_with(kFile)) return false;
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path given = fs::weakly_canonical(fs::absolute(path, error), error);
  return given == fs::weakly_canonical(fs::path(device.substr(kFile.size())), error);
}

// By the first bytes of gzip, xz, zstd and bzip2 (RFC 1952, RFC 8878 and the formats' own texts).
bool is_compressed(std::string_view start) {
  for (const std::string_view magic : {"\x1f\x8b",
                                       "\xfd"
                                       "7zXZ",
                                       "\x28\xb5\x2f\xfd", "BZh"})
    if (start.starts_with(magic)) return true;
  return false;
}

}  // namespace leasehold::audit
