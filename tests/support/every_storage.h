#pragma once
// Every kind of storage, each empty and in a place of its own, for tests that are true of all.
//
//   for (auto& made : testing::every_storage()) { CAPTURE(made.name); made.storage->... }

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "backends/storage/lmdb.h"
#include "backends/storage/memory.h"
#include "tests/support/null_log.h"

namespace leasehold::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "leasehold-XXXXXX").string();
    VAULT_ASSERT(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(TemporaryDirectory&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline storage::LmdbOptions small_lmdb() {
  storage::LmdbOptions options;
  options.ballast_bytes = 1u << 20;
  return options;
}

struct MadeStorage {
  const char* name;
  TemporaryDirectory directory;
  std::unique_ptr<storage::Storage> storage;
};

inline std::vector<MadeStorage> every_storage() {
  static NullLog log;
  std::vector<MadeStorage> all;
  all.push_back({"memory", {}, storage::make_memory_storage()});
  all.push_back({"lmdb", {}, nullptr});
  auto opened = storage::open_lmdb(all.back().directory.path(), small_lmdb(), log);
  VAULT_ASSERT(opened.ok());
  all.back().storage = std::move(opened).value();
  return all;
}

}  // namespace leasehold::testing
