// leaseholdd verify-backup and restore-backup.

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "cli/leaseholdd/offline.h"
#include "vault/backup/reader.h"
#include "vault/base/encoding.h"
#include "vault/commit/restored.h"

namespace leasehold::server_process {

namespace {

struct Closer {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Closer>;

Result<File> open_backup(const Options& options) {
  if (options.backup.empty()) return failure(Code::invalid, "name the file of the backup");
  File file(std::fopen(options.backup.c_str(), "rbe"));
  if (file) return file;
  const int why = errno;
  const std::string advice =
      why == EACCES
          ? "; a backup is its maker's alone (mode 0600): give it to the user that restores, "
            "`chown USER " +
                options.backup + "`, in a folder that this user may enter"
          : "";
  return failure(Code::not_found,
                 "cannot open " + options.backup + ": " + std::strerror(why) + advice);
}

Result<std::optional<crypto::PublicKey>> key_of(const Options& options) {
  if (options.public_key.empty()) return std::optional<crypto::PublicKey>();
  auto key = array_from_hex<crypto::PublicKey>(options.public_key);
  if (key) return key;
  return failure(Code::invalid, "-public-key needs 64 hexadecimal digits");
}

// A bar on a terminal; nothing elsewhere.
class Bar {
 public:
  Bar(const char* doing, std::FILE* file) : doing_(doing), shown_(isatty(STDERR_FILENO) != 0) {
    struct stat status {};
    if (::fstat(fileno(file), &status) == 0) of_ = static_cast<std::uint64_t>(status.st_size);
  }
  ~Bar() {
    if (shown_) std::fprintf(stderr, "\r\033[K");
  }
  Bar(const Bar&) = delete;
  Bar& operator=(const Bar&) = delete;

  void show(std::uint64_t bytes) {
    const std::uint64_t percent = of_ == 0 ? 100 : bytes * 100 / of_;
    if (!shown_ || percent == percent_) return;
    percent_ = percent;
    const std::string done(percent * kWidth / 100, '#');
    std::fprintf(stderr, "\r%s [%-*s] %3u%%", doing_, static_cast<int>(kWidth), done.c_str(),
                 static_cast<unsigned>(percent));
  }

 private:
  static constexpr std::size_t kWidth = 40;
  const char* const doing_;
  const bool shown_;
  std::uint64_t of_ = 0, percent_ = 101;
};

void describe(const backup::Summary& summary, bool key_given) {
  fmt::print("backup of store {}, commit {}, made {}\n", hex(summary.header.store),
             summary.header.group, rfc3339(summary.header.created));
  fmt::print("{} records, {} bytes; every frame is there, and signed by public key {}\n",
             summary.records, summary.bytes, hex(summary.header.key));
  if (!key_given)
    fmt::print(
        "the public key is taken from the backup itself; give the one that init printed "
        "(-public-key)\nto rule out a backup that somebody else made\n");
}

using Each = FunctionRef<Status(std::span<const storage::Entry>)>;

Result<backup::Summary> read(const char* doing, const Options& options, Each each) {
  VAULT_TRY_ASSIGN(const File file, open_backup(options));
  backup::ReadOptions how;
  VAULT_TRY_ASSIGN(how.key, key_of(options));
  Bar bar(doing, file.get());
  how.progress = [&bar](std::uint64_t bytes) { bar.show(bytes); };
  return backup::read_backup(file.get(), how, each);
}

Result<backup::Summary> read_only(const Options& options) {
  return read("verifying", options, [](std::span<const storage::Entry>) { return Status(); });
}

Status check_empty(storage::Storage& storage) {
  VAULT_TRY_ASSIGN(auto snapshot, storage.snapshot());
  bool empty = true;
  const std::uint8_t first[] = {0x00}, end[] = {0xff};
  VAULT_TRY(snapshot->scan(first, end, 1, storage::Scan::keys, [&](const storage::Entry&) {
    empty = false;
    return true;
  }));
  if (empty) return {};
  return failure(Code::invalid,
                 "the storage is not empty, and a restore never writes over anything: name another "
                 "data directory in the configuration, or move the files of this one away");
}

Status write_mark(storage::Storage& storage, const commit::RestoredMark& mark) {
  const Bytes value = mark.serialize();
  const auto key = commit::restored_key();
  const storage::Entry entry[] = {{key.view(), value, 1}};
  return storage.import(entry);
}

}  // namespace

Status verify_backup(const Options& options) {
  VAULT_TRY_ASSIGN(const auto summary, read_only(options));
  describe(summary, !options.public_key.empty());
  fmt::print("that nothing older stands in it is seen when a restored store is unsealed\n");
  return {};
}

Status restore_backup(const Options& options, storage::Storage& storage, WallTime now) {
  if (options.restored == Options::Restored::drill)
    return failure(
        Code::invalid,
        "a restore is the same for a drill: leave -restored=drill away here, and give it "
        "to leaseholdd when it is started");
  VAULT_TRY(check_empty(storage));
  VAULT_TRY_ASSIGN(const auto summary, read_only(options));
  commit::RestoredMark mark;
  mark.at = now;
  mark.keep_tokens = options.restored == Options::Restored::keep_tokens;
  VAULT_TRY(write_mark(storage, mark));
  VAULT_TRY_ASSIGN(const auto written,
                   read("restoring", options, [&](std::span<const storage::Entry> entries) {
                     return storage.import(entries);
                   }));
  if (written.records != summary.records)
    return failure(Code::invalid,
                   "the backup was exchanged while it was read: empty the storage and "
                   "restore again");
  mark.state = commit::RestoredMark::State::whole;
  VAULT_TRY(write_mark(storage, mark));
  describe(summary, !options.public_key.empty());
  fmt::print(
      "restored. When the vault is next unsealed, the records are compared with their head, {},\n"
      "and each target is reconciled with the leases before it issues anything; all on record.\n"
      "Beside an audit log that knows of more than the backup, start it once with `leaseholdd "
      "{}`.\n",
      mark.keep_tokens ? "tokens are kept" : "every token is revoked",
      mark.keep_tokens ? "-restored=keep-tokens" : "-restored");
  fmt::print(
      "\nIF THE ORIGINAL IS STILL RUNNING, as in a drill, start this one with `leaseholdd "
      "-restored=drill`\n"
      "only: it then reaches no target. Any other start ends the accounts of the original.\n\n");
  if (mark.keep_tokens) return {};
  fmt::print(
      "No token is left then. For a new root token put\n"
      "  disable_unauthed_generate_root_endpoints = false\n"
      "into the listener stanza before the start, unseal, and let the holders of the unseal or "
      "recovery keys run\n"
      "  leasehold operator generate-root -init\n"
      "Take the line out again when that is done.\n");
  return {};
}

}  // namespace leasehold::server_process
