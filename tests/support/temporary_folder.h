#pragma once
// A folder of its own for one test, removed with what is in it.

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace leasehold::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    char name[] = "/tmp/leasehold-test-XXXXXX";
    if (const char* made = ::mkdtemp(name)) path_ = made;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  // Returns the full path.
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
    const std::string at = file(name);
    std::ofstream(at, std::ios::binary) << text;
    ::chmod(at.c_str(), mode);
    return at;
  }

 private:
  std::string path_;
};

}  // namespace leasehold::testing
