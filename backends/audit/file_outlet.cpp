// A plain file for a view of the log. The log itself is log_file.h's.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "backends/audit/outlet.h"
#include "vault/base/descriptor.h"

namespace leasehold::audit {
namespace {

class FileOutlet final : public Outlet {
 public:
  FileOutlet(std::string path, mode_t mode) : path_(std::move(path)), mode_(mode) {}

  Status connect(Nanos) override {
    file_.reset();
    // O_NONBLOCK: a FIFO in the file's place is refused below instead of waited for.
    Descriptor opened(::open(
        path_.c_str(),
        O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, mode_));
    if (opened.get() < 0) return fault("cannot open", errno);
    struct stat status {};
    if (::fstat(opened.get(), &status) != 0 || !S_ISREG(status.st_mode))
      return failure(Code::internal, where() + ": cannot use", "it is not a regular file");
    file_ = std::move(opened);
    ends_half_ = status.st_size > 0 && !ends_whole(status.st_size);
    return {};
  }

  Status send(std::string_view line, Nanos) override {
    std::string text = ends_half_ ? "\n" : "";
    text.append(line).push_back('\n');
    std::string_view rest = text;
    while (!rest.empty()) {
      const ssize_t count = ::write(file_.get(), rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fault("cannot write", errno);
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    ends_half_ = false;
    return {};
  }

  bool moved() override {
    struct stat open {
    }, there{};
    return ::fstat(file_.get(), &open) != 0 || ::lstat(path_.c_str(), &there) != 0 ||
           open.st_ino != there.st_ino || open.st_dev != there.st_dev;
  }

  std::string where() const override { return "file " + path_; }

 private:
  Error fault(std::string_view what, int error) const {
    return failure(error == ENOSPC ? Code::no_space : Code::internal,
                   where() + ": " + std::string(what), std::generic_category().message(error));
  }
  // A line that a full disk cut short is ended before the next.
  bool ends_whole(off_t size) const {
    const Descriptor reader(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    char last = '\n';
    return ::pread(reader.get(), &last, 1, size - 1) != 1 || last == '\n';
  }

  const std::string path_;
  const mode_t mode_;
  Descriptor file_;
  bool ends_half_ = false;
};

}  // namespace

std::unique_ptr<Outlet> make_file_outlet(const std::string& path, unsigned mode) {
  return std::make_unique<FileOutlet>(path, static_cast<mode_t>(mode));
}

}  // namespace leasehold::audit
