#pragma once
// What verification asks of the files it is given, beside their lines. Thread-safe functions.

#include <string>
#include <string_view>

namespace leasehold::audit {

// Whether `device`, as a log names it, is the one with this path.
bool is_device_at(std::string_view device, const std::string& path);
// Whether a file that starts so was packed by gzip, xz, zstd or bzip2.
bool is_compressed(std::string_view start);

}  // namespace leasehold::audit
