#pragma once
// A file that takes space on the disk so that it can be given back: when the disk is full,
// release() frees what revocations need. missing() is true until the disk has room for a new one.
//
// Thread-safe.

#include <atomic>
#include <string>

#include "vault/base/log.h"
#include "vault/base/mutex.h"
#include "vault/base/result.h"

namespace leasehold::storage {

// Whether the file is there, or the disk has room for it; makes nothing. Code::no_space says what
// follows.
Status check_ballast(const std::string& path, std::size_t size);

class Ballast {
 public:
  // Makes the file unless `size` is 0; failing is logged and shows in missing().
  Ballast(std::string path, std::size_t size, LogSink& log);

  // True when there was one.
  bool release() EXCLUDES(mutex_);
  bool missing() EXCLUDES(mutex_);
  // The same as it was last seen: does not look at the disk.
  bool absent() const { return !present_; }

 private:
  bool make() REQUIRES(mutex_);
  bool room() const;

  const std::string path_;
  const std::size_t size_;
  LogSink& log_;
  Mutex mutex_;
  std::atomic<bool> present_{true};  // changed under the mutex
};

}  // namespace leasehold::storage
