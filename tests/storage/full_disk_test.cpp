// A disk that is really full: a small tmpfs, in a mount namespace of a child process.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "tests/support/every_storage.h"
#include "tests/support/null_log.h"

using namespace leasehold;
using storage::Batch;
using storage::Outcome;

namespace {

constexpr std::size_t kMiB = 1u << 20;

struct Accept final : storage::GroupObserver {
  bool admit(std::size_t) override { return true; }
  void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
               std::uint64_t) override {}
  void finish(std::uint64_t, Batch&) override {}
};

Outcome put(storage::Storage& storage, const std::string& key) {
  Batch batch;
  batch.put(as_bytes(key), as_bytes(std::string(3000, 'v')));
  const Batch* const group[] = {&batch};
  storage::CommitResult result[1];
  Accept accept;
  storage.commit(group, accept, result);
  return result[0].outcome;
}

bool mount_small_disk(const std::string& path) {
  const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
  if (::unshare(flags) != 0) return false;
  // Below a chroot "/" is no mount and cannot be made private; fill()'s caller unmounts in any
  // case.
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL)
    return false;
  return ::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=16m,mode=0700") == 0;
}

bool take_space(const std::string& path, std::size_t size) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const bool taken = file >= 0 && ::posix_fallocate(file, 0, static_cast<off_t>(size)) == 0;
  ::close(file);
  return taken;
}

// Exit codes of the child, each naming the sentence that is not true.
enum : int {
  kTrue,
  kNoDisk,
  kNoOpen,
  kFullTooEarly,
  kNotFull,
  kNotLow,
  kNoReserve,
  kLost,
  kStaysLow
};

int fill(const std::string& path) {
  if (!mount_small_disk(path)) return kNoDisk;
  NullLog log;
  storage::LmdbOptions options;
  options.ballast_bytes = 2 * kMiB;
  auto opened = storage::open_lmdb(path, options, log);
  if (!opened.ok() || !take_space(path + "/filler", 8 * kMiB)) return kNoOpen;
  auto& storage = **opened;

  int written = 0;
  Outcome outcome = Outcome::committed;
  while ((outcome = put(storage, "k" + std::to_string(written))) == Outcome::committed) ++written;
  if (written < 500) return kFullTooEarly;
  if (outcome != Outcome::no_space) return kNotFull;
  if (!storage.low_on_space() || storage.trouble().empty()) return kNotLow;
  // The reserve has room for what must still be written.
  for (int i = 0; i < 50; ++i)
    if (put(storage, "reserve" + std::to_string(i)) != Outcome::committed) return kNoReserve;

  auto snapshot = storage.snapshot();
  for (int i = 0; i < written; ++i) {
    const auto found = (*snapshot)->get(as_bytes("k" + std::to_string(i)));
    if (!found.ok() || !*found) return kLost;
  }
  (*snapshot)->release();
  ::unlink((path + "/filler").c_str());
  if (storage.low_on_space() || !storage.trouble().empty()) return kStaysLow;
  return put(storage, "again") == Outcome::committed ? kTrue : kStaysLow;
}

}  // namespace

TEST_CASE("lmdb: a full disk refuses, keeps a reserve, loses nothing, and recovers with room") {
  testing::TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const int told = fill(directory.path());
    if (told != kNoDisk) ::umount2(directory.path().c_str(), MNT_DETACH);
    ::_exit(told);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoDisk && ::geteuid() != 0) {
    // No user namespaces here (a chroot, a hardened kernel): as root, who needs none.
    const std::string self = std::filesystem::read_symlink("/proc/self/exe");
    status = std::system(("sudo -n '" + self + "' -tc='lmdb: a full disk*'").c_str());
    REQUIRE(WIFEXITED(status));
  }
  CHECK(WEXITSTATUS(status) == kTrue);
}
