// operator backup: the storage of a running vault into a file, piece by piece.

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "cli/leasehold/backup_file.h"
#include "cli/leasehold/groups.h"
#include "cli/leasehold/output.h"
#include "cli/leasehold/session.h"
#include "vault/base/clock.h"

namespace leasehold::cli {
namespace {

constexpr std::string_view kLastPiece = "application/vnd.leasehold.backup-end";
// No server makes one for longer.
constexpr Nanos kLongest{Seconds{6 * 3600}};

// As vault/backup/FORMAT.md draws a frame: type:u8 | length:u32 | payload | chain[32].
constexpr std::size_t kFrameHead = 1 + 4, kChainSize = 32;
constexpr std::size_t kFrameMax = 16u << 20;

bool take_frame(std::string_view& piece) {
  if (piece.size() < kFrameHead) return false;
  std::size_t length = 0;
  for (const char byte : piece.substr(1, kFrameHead - 1))
    length = length << 8 | static_cast<unsigned char>(byte);
  const std::size_t size = kFrameHead + length + kChainSize;
  if (length == 0 || length > kFrameMax || size > piece.size()) return false;
  piece.remove_prefix(size);
  return true;
}

// Whole frames, behind the magic in the first piece. What they hold, `backup verify` looks at.
bool is_piece(std::uint64_t number, std::string_view piece) {
  if (number == 1) {
    if (!piece.starts_with(kBackupMagic)) return false;
    piece.remove_prefix(kBackupMagic.size());
  }
  while (take_frame(piece))
    if (piece.empty()) return true;
  return false;
}

// How far it is, on a terminal; the server cannot say how much there is.
class Progress {
 public:
  Progress() : shown_(isatty(STDERR_FILENO) != 0), since_(clock_.instant()) {}
  void add(std::size_t bytes) {
    bytes_ += bytes;
    if (!shown_) return;
    const double mib = static_cast<double>(bytes_) / (1u << 20);
    const double seconds = static_cast<double>(took().count()) / 1e9;
    fmt::print(stderr, "\r{:.1f} MiB, {:.1f} MiB/s", mib, mib / std::max(seconds, 0.001));
  }
  Nanos took() { return Nanos{clock_.instant().ns - since_.ns}; }
  void end() const {
    if (shown_) fmt::print(stderr, "\r\033[K");
  }
  std::uint64_t bytes() const { return bytes_; }

 private:
  const bool shown_;
  SystemClock clock_;
  const Instant since_;
  std::uint64_t bytes_ = 0;
};

// The next piece, written; true when it was the last.
Result<bool> take(const Answer& piece, std::uint64_t number, BackupFile& file, Progress& progress) {
  if (!is_piece(number, piece.body))
    return failure(Code::invalid, "what the server sent is no part of a backup; nothing was kept");
  if (progress.took() > kLongest)
    return failure(Code::deadline, "the backup did not end within six hours; nothing was kept");
  VAULT_TRY(file.write(piece.body));
  progress.add(piece.body.size());
  return piece.content_type == kLastPiece;
}

// 0, or the exit code of what went wrong and was said.
int fetch(Session& session, const std::string& id, BackupFile& file, Progress& progress) {
  for (std::uint64_t number = 1;; ++number) {
    Call call{"GET", "sys/storage/backup/" + id};
    call.query.push_back({"piece", std::to_string(number)});
    const auto piece = session.send(std::move(call));
    if (!is_good(piece)) {
      progress.end();
      return session.refused("Error reading the backup", piece);
    }
    const auto last = take(*piece, number, file, progress);
    if (!last.ok()) {
      progress.end();
      return session.misused(last.error().message);
    }
    if (*last) return kSuccess;
  }
}

int run_backup(Session& session) {
  const std::string path = session.args().positional(0);
  BackupFile file(path);
  if (const Status opened = file.open(); !opened.ok())
    return session.misused(opened.error().message);
  const auto begun = session.send({"PUT", "sys/storage/backup"});
  if (!is_good(begun)) return session.refused("Error beginning the backup", begun);
  const Json* data = begun->data();
  if (data == nullptr) return session.misused("the server does not make backups");
  const std::string id = data->string_at("id");
  Progress progress;
  const int fetched = fetch(session, id, file, progress);
  progress.end();
  if (fetched != kSuccess) {
    session.send({"DELETE", "sys/storage/backup/" + id}).ok();
    return fetched;
  }
  if (const Status finished = file.finish(); !finished.ok())
    return session.misused(finished.error().message);
  return session.succeed(
      fmt::format("Wrote {}: {} bytes, commit {} of the vault.\nNext: leasehold "
                  "operator backup verify {}",
                  path, progress.bytes(), data->integer_at("commit"), path));
}

constexpr std::string_view kHelp =
    "Writes the storage of the running vault into FILE, from one state of it, while the vault goes "
    "on.\n"
    "What is sealed stays sealed: the file shows as much as a stolen disk, and opens with the "
    "vault's\n"
    "own seal. It needs a token with update and sudo on sys/storage/backup, and no other right:\n\n"
    "  $ echo 'path \"sys/storage/backup\" { capabilities = [\"update\", \"sudo\"] }' | leasehold "
    "policy write backup -\n"
    "  $ leasehold token create -policy=backup -orphan -period=72h   # nightly: `token renew`\n"
    "  $ leasehold operator backup vault.backup";

constexpr std::string_view kAliasHelp =
    "The same as `operator backup`, for hands that know Vault's name for it.\n\n"
    "  $ leasehold operator raft snapshot save vault.backup";

constexpr Command kCommands[] = {
    {"operator backup",
     "Back up the running vault into a file",
     "[flags] FILE",
     kHelp,
     {},
     1,
     1,
     run_backup},
    {"operator raft snapshot save",
     "The same as operator backup",
     "[flags] FILE",
     kAliasHelp,
     {},
     1,
     1,
     run_backup},
};

}  // namespace

std::span<const Command> operator_backup_commands() { return kCommands; }

}  // namespace leasehold::cli
