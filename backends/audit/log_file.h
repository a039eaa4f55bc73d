#pragma once
// The three devices behind `file_path`: a regular file, standard output, and nothing. The file's
// rules are in file.h.

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "backends/audit/rotation.h"
#include "vault/audit/log.h"

namespace leasehold::audit {

class LogFile final : public Device {
 public:
  LogFile(std::string file_path, mode_t mode, const Rotation& rotation = {})
      : file_path_(std::move(file_path)), mode_(mode), rotation_(rotation) {}
  ~LogFile() override;

  Result<Tail> open() override;
  Status write(std::string_view lines) override;
  Status sync() override;
  Result<bool> reopen() override;
  Result<bool> rotate(WallTime now) override;
  Status prune() override;
  Status abandon() override;
  bool moved() override;
  bool lost() override;
  bool astray() override;
  bool shrunk() override;
  Status each_back(FunctionRef<bool(std::string_view line)> each) override;
  Status check() const override;
  bool is_used() const override;
  std::string where() const override { return "file " + file_path_; }

 private:
  using Folder = std::optional<std::pair<dev_t, ino_t>>;
  Folder folder() const;
  int open_or_create() const;
  Result<int> open_file() const;
  Result<Tail> read_tail(int fd) const;
  Status end_torn_line(int fd, std::uint64_t whole, std::string_view torn, Tail& tail) const;
  bool undo(std::size_t written);
  Status check_room(std::int64_t allocated) const;
  Status make_room(int fd) const;
  Error fault(std::string_view what, int error) const;
  Error no_regular_file() const;
  Error symbolic_link() const;

  const std::string file_path_;
  const mode_t mode_;
  const Rotation rotation_;
  std::optional<WallTime> begun_;  // the open file, as far as its age matters; none: not known yet
  int fd_ = -1;
  Folder folder_;             // of the path, when the open file was opened there
  bool needs_room_ = true;    // at first, and after a write that found no space
  bool end_remnant_ = false;  // the next write begins with a newline
  std::uint64_t end_ = 0;     // the size that the open file is to have
};

// Lines to standard output; the chain begins anew with each process.
std::unique_ptr<Device> make_stdout_device();
// Takes every line and keeps none, for tests and measurements.
std::unique_ptr<Device> make_discard_device();

}  // namespace leasehold::audit
