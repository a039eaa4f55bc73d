#include "config/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace leasehold::config {
namespace {

Error cannot(const char* verb, const std::string& path, int error_number) {
  return failure(Code::invalid, std::string("cannot ") + verb + " the configuration " + path +
                                    ": " + std::strerror(error_number));
}

struct File {
  int descriptor;
  ~File() {
    if (descriptor >= 0) ::close(descriptor);
  }
};

Status check_protected(const std::string& path, const struct stat& status) {
  if (!S_ISREG(status.st_mode))
    return failure(Code::invalid,
                   path + " is not a regular file; give -config a file or directory");
  if ((status.st_mode & S_IWOTH) != 0)
    return failure(Code::invalid, path + " can be written by every user; run: chmod o-w " + path);
  if (static_cast<std::size_t>(status.st_size) > kFileBytesMax)
    return failure(Code::invalid, path + " is larger than 1 MiB; is it a configuration?");
  return {};
}

Status append_directory(const std::string& path, std::vector<std::string>& files) {
  std::vector<std::string> found;
  std::error_code error;
  std::filesystem::directory_iterator entries(path, error);
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const auto extension = entries->path().extension();
    if (extension == ".hcl" || extension == ".json") found.push_back(entries->path().string());
  }
  if (error) return cannot("list", path, error.value());
  if (found.empty()) return failure(Code::invalid, "there is no *.hcl or *.json file in " + path);
  std::sort(found.begin(), found.end());
  files.insert(files.end(), found.begin(), found.end());
  return {};
}

}  // namespace

Result<std::vector<std::string>> expand_paths(const std::vector<std::string>& paths) {
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return cannot("read", path, errno);
    if (S_ISDIR(status.st_mode)) {
      VAULT_TRY(append_directory(path, files));
    } else {
      files.push_back(path);
    }
  }
  return files;
}

Result<std::string> read_protected_file(const std::string& path) {
  // Non-blocking, so that a FIFO put in the file's place cannot hang the start.
  const File file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
  struct stat status {};
  if (file.descriptor < 0 || ::fstat(file.descriptor, &status) != 0)
    return cannot("read", path, errno);
  VAULT_TRY(check_protected(path, status));
  std::string text(kFileBytesMax, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.descriptor, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return cannot("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace leasehold::config
