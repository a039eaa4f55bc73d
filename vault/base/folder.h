#pragma once
// A new or renamed file is on the disk once the folder that has its name is, whatever was done to
// the file itself.
//
//   if (::fsync(fd) != 0 || ::rename(temporary, path) != 0 || !sync_folder_of(path)) …
//
// Thread-safe.

#include <string>

namespace leasehold {

// False: errno says why. What may be entered and not listed cannot be flushed, nor on some file
// systems any folder: that is no failure.
bool sync_folder_of(const std::string& path);

}  // namespace leasehold
