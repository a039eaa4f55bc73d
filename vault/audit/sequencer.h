#pragma once
// Gives each body its place in the chain and writes it to every device that works. Keeps for each
// device whether it works, what it holds, and since which line it holds everything; so it can say
// which lines are on disk somewhere and what a returning device missed (a gap record).
// Thread safety: none; AuditLog's mutex guards it.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "vault/audit/chain_records.h"
#include "vault/audit/log.h"
#include "vault/base/function_ref.h"
#include "vault/base/mutex.h"
#include "vault/base/watch.h"

namespace leasehold::audit {

inline constexpr Nanos kRetryFailedDevice = std::chrono::seconds(1);
// How long lines go to a file that was renamed in its folder while no new one can be begun: whoever
// rotates sends SIGHUP soon, or packs and removes it.
inline constexpr Nanos kRotationGrace = std::chrono::minutes(1);

struct HashedBody {
  std::string_view body;
  crypto::Digest hash;
};

class Sequencer {
 public:
  // `busy` is held around open() and reopen(): a sync may be running on another thread.
  Sequencer(const std::vector<std::unique_ptr<Device>>& devices, Mutex& busy, Watch& watch,
            Clock& clock, LogSink& log);

  // Opens every device and goes on from the last line any of them (or the store) knows. A device
  // with a log that somebody else wrote to is not used; one that cannot be opened is tried again.
  // `identity` must outlive this.
  void open(const Identity& identity);
  // The devices whose last line was found torn when they were first opened.
  std::vector<std::string> take_torn() { return std::exchange(torn_, {}); }
  // No device can be used, and one because its log was changed while the server was down: a matter
  // for an operator.
  bool found_changed() const;
  // A device works, or it is time to try one again.
  bool may_retry() const;
  bool any_works() const;
  // The first lines of this run: its epoch, and a checkpoint. The line before them.
  Result<Position> begin_run(WallTime now);
  // All bodies or none. An error when no device took them.
  Status append(std::span<const HashedBody> bodies);
  // One record of the log's own, made when the line before it is known: what returning devices must
  // be told may come first.
  Status append(FunctionRef<std::string(const Position& before)> make);
  // That alone, where there is any.
  Status tell();
  // True when a device began a new file.
  bool reopen(Status& first_failure);

  const Position& position() const { return position_; }
  // The newest commit of this store that a device told of when it was first opened.
  std::uint64_t commit_at_start() const { return commit_at_start_; }
  // Set by open() when a log tells of commits that the store does not have.
  const std::optional<Error>& older() const { return older_; }
  bool has_devices() const { return !slots_.empty(); }
  bool held_remembered() const { return held_remembered_; }
  bool find_moved();
  // Asks each device to put its file aside if that is due; true when one did.
  bool rotate(WallTime now);
  void prune();
  // Reads the files again that were cut under the running server; true when there is one. The next
  // lines tell of it.
  bool find_shrunk();

  // A sync of every working device: begin, sync() each without the log's lock, then report.
  struct SyncTarget {
    std::size_t slot;
    Device* device;
    std::uint64_t opening;
  };
  std::vector<SyncTarget> sync_targets() const;
  // From which line on a good sync brought every line to this device's disk; nothing when its file
  // was exchanged meanwhile.
  std::optional<std::uint64_t> holds_since(const SyncTarget& target) const;
  // Whether what it synced is recorded for good. Standard output and the like count only alone.
  bool settles(const SyncTarget& target) const;
  void sync_failed(const SyncTarget& target, const Error& error);
  // A good sync of an unchanged file brought the lines up to `through` to its disk.
  void synced(const SyncTarget& target, const Position& through);
  std::vector<Held> held() const;

 private:
  enum class Health { works, returning, failed };
  struct Slot {
    Device* device = nullptr;
    Health health = Health::failed;
    Position last;  // the last line it took
    Position
        on_disk;  // the last line seen on its disk, by this run or an earlier one; zero: unknown
    bool begins = false;          // its file is a new one, and must say which it follows
    std::optional<Position> cut;  // it held lines up to here, which are gone and not yet on record
    std::uint64_t remnant = 0;
    std::uint64_t holds_since = 0;    // every line from here on went to it and may be synced
    std::uint64_t opening = 0;        // of its open file
    std::vector<Position> attempted;  // the lines of a write that failed: some may be there
    bool checked = false;             // its log was found to be ours
    bool changed = false;             // or not
    Instant retry_at;
    std::string reported;     // the failure that the server log has; empty: it works
    Instant moved_at;         // when its file was first found moved and no new one could be begun
    std::string not_rotated;  // why its file could not be put aside, as the server log has it
    std::string not_begun;    // why no new file could be begun, as the server log has it
  };

  void retry_failed();
  void retry(Slot& slot);
  Result<Tail> open(Slot& slot);
  Status examine(Slot& slot);
  Position known_of(const Device& device) const;
  bool was_cut(Slot& slot, const Tail& tail);
  Status check(const Slot& slot, const Tail& tail) const;
  std::vector<Gap> gaps() const;
  std::vector<Cut> cuts() const;
  std::vector<std::string> beginning() const;
  void not_reopened(Slot& slot, const Error& why);
  Position begin_lines();
  Status write_lines(const Position& after);
  void chain(Position& at, std::string_view body, const crypto::Digest& hash);
  bool write_to(Slot& slot, const Position& after);
  bool confirmed();
  void fail(Slot& slot, const Error& error);

  std::vector<Slot> slots_;
  bool any_keeps_ = false;  // a device whose lines can be read again
  Mutex& busy_;
  Watch& watch_;
  Clock& clock_;
  LogSink& log_;
  const Identity* identity_ = nullptr;
  std::uint64_t store_commit_ = 0;     // the store's last one, at start
  std::uint64_t commit_at_start_ = 0;  // the newest one that a log told of
  std::optional<Error> older_;         // why the store is not the one the log belongs to
  bool started_ = false;
  bool held_remembered_ = false;  // by the end of a device's log at the start
  Position position_;
  bool begun_ = false;  // a line of this run was written
  std::vector<std::string> torn_;
  std::string lines_;              // reused
  std::vector<Position> chained_;  // where each of them stands
};

}  // namespace leasehold::audit
