#pragma once
// A directory that belongs to one vault process: ours alone (0700), on a local disk, and locked
// while this object lives. open() makes it when it is absent; errors say what to do.
//
// Thread safety: none needed; it only holds the lock.

#include <cstdint>
#include <memory>
#include <string>

#include "vault/base/log.h"
#include "vault/base/result.h"

namespace leasehold::storage {

// The name of a network file system by its statfs magic, or null. Memory maps are not coherent
// there.
const char* network_file_system(std::uint64_t magic);

// Whether the directory, where there is one, is this user's and closed to others.
Status check_owner(const std::string& path);
// What open() would refuse, without making, changing or locking anything. Path: without a slash at
// its end.
Status check_data_directory(const std::string& path, LogSink& log);

class DataDirectory {
 public:
  static Result<std::unique_ptr<DataDirectory>> open(const std::string& path, LogSink& log);
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;
};

}  // namespace leasehold::storage
