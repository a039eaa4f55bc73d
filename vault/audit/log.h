#pragma once
// The audit log: one sequencer that gives every body its place in the hash chain, and the devices
// it writes to. A line has reached the kernel when append() returns, and the disk within 100 ms
// (its own thread calls fdatasync), or before append() returns with `sync = "always"`. Bodies are
// built and hashed outside the lock. At least one device must take a line, else append() is an
// error and the caller must not let the answer leave. A device that failed is tried again once a
// second, by this log itself when no other works: can_record() tells callers beforehand, so that
// nothing is changed that cannot be recorded. If it missed lines, a gap record says which. Without
// any device every append succeeds and nothing is written.
// Thread safety: every method from any thread.

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vault/audit/format.h"
#include "vault/base/function_ref.h"
#include "vault/base/log.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

// A place in the chain: a line and its hash. Zero: before the first line.
struct Position {
  std::uint64_t seq = 0;
  crypto::Digest hash{};
  bool operator==(const Position&) const = default;
};

// The last line a device holds, read back at start.
struct Tail {
  std::uint64_t seq = 0;
  crypto::Digest hash{};  // zero: the device holds nothing
  bool torn = false;      // its last line was incomplete and has been cut off
  // Bytes of half a line that could not be cut off (an append-only file), with the newline that the
  // next write puts behind them.
  std::uint64_t remnant = 0;
};

// A device, and the last line that was seen on its disk.
using DeviceId = std::array<std::uint8_t, 8>;  // of the hash of its where()
DeviceId id_of(std::string_view where);
struct Held {
  DeviceId device{};
  Position last = {};
};

// What is on a disk: the lines from `since` to `last`. After a failed fdatasync nobody knows which
// pages the kernel dropped, so `since` may rise: lines before it that were not yet seen here as
// synced may be on no disk, and whoever still has them writes them again.
struct Synced {
  std::uint64_t since = 0;
  Position last = {};      // zero until this run has synced one
  std::vector<Held> held;  // by each device that keeps lines, at the time of `last`
  bool closed = false;     // the log was closed in order, and `last` is its last line
};

class Device {
 public:
  virtual ~Device() = default;
  // Again after a failure: closes what is open and reads the tail anew.
  virtual Result<Tail> open() = 0;
  // Whole lines, all or none: what a failure leaves behind, open() removes or reports.
  virtual Status write(std::string_view lines) = 0;
  // Waits, up to a bound of its own, until what it took has left: asked where no device that keeps
  // lines took them. A device that writes at once has nothing to wait for.
  virtual Status confirm() { return {}; }
  // Runs beside write(), never beside open() or reopen().
  virtual Status sync() = 0;
  // After rotation by someone else (SIGHUP): true when a new file was begun.
  // On failure the old file stays in use.
  virtual Result<bool> reopen() = 0;
  // Puts the open file aside, under another name, when it is large or old enough by its own rules:
  // true when it did. reopen() then begins the next.
  virtual Result<bool> rotate(WallTime /*now*/) { return false; }
  // Removes files that it put aside and is to keep no longer.
  virtual Status prune() { return {}; }
  // Its lines are of a vault of which nothing was kept: they get out of the way, the latest such
  // stay. Not while it is open.
  virtual Status abandon() { return {}; }
  // True when the path no longer leads to the open file: removed, or renamed without a signal.
  virtual bool moved() { return false; }
  // True when the open file has no name any more: what is written to it goes with it.
  virtual bool lost() { return false; }
  // True when the folder of the path is not the one that the open file was in, or is gone: what is
  // written to it is not found where the device says.
  virtual bool astray() { return false; }
  // True when the open file is shorter than what was written to it.
  virtual bool shrunk() { return false; }
  // False: what it takes is out of sight at once (a pipe, nothing at all).
  virtual bool keeps_lines() const { return true; }
  // False: it is shown a part of the log only, so that what it takes is not on record.
  virtual bool counts() const { return true; }
  // The whole lines of the open log from the last one back, without newline, until `each` says
  // false.
  virtual Status each_back(FunctionRef<bool(std::string_view line)> /*each*/) { return {}; }
  // What open() would refuse, as far as that is seen without making or changing anything.
  virtual Status check() const { return {}; }
  // It holds something already; seen without opening it.
  virtual bool is_used() const { return false; }
  virtual std::string where() const = 0;  // for the log: "file /var/log/…"

  // What `sys/audit` shows.
  std::string type, path, description;
  std::vector<std::pair<std::string, std::string>> options;
  bool sync_always = false;  // its stanza asked for it; one such device makes the whole log so
};

struct Identity {
  Bytes store_id;
  Bytes incarnation;
  ByteView sign_seed;  // must outlive the log
  // What the store remembers, if it does: the last line that was seen on a disk, and the last one
  // on each device's. A device that ends before its own was cut while the server was down: the
  // chain goes on from the remembered line, with a record that says so. A log that holds another
  // line in its place was changed and is not used.
  Position remembered = {};
  std::vector<Held> held = {};
  bool closed =
      false;  // in order, by the remembered line: nothing stands behind it but a new start
  // The number of the store's last commit; the log tells of the newest that its lines were durable
  // with. A log that knows a later one than the store is the log of a newer store: start() refuses,
  // since an older copy was put back, unless it is said to be one.
  std::uint64_t commit = 0;
  bool may_be_older = false;
};

class AuditLog {
 public:
  using Position = audit::Position;

  // `stuck`: a device has not come back from a call for minutes, and its thread cannot be freed;
  // from a thread of this log.
  AuditLog(std::vector<std::unique_ptr<Device>> devices, Clock& clock, LogSink& log,
           std::function<void()> stuck = {});
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Opens the devices, cites the last surviving hash in an epoch record, starts the sync thread.
  // Code::unavailable: no device can be used yet; the log runs all the same, and begins once one
  // can. Code::internal: a log was changed while the server was down; nothing runs.
  Status start(const Identity& identity);
  // At least one device took what was written last, or there is none configured. Costs nothing.
  bool can_record() const;
  // Chains and writes the bodies in order, together; the line of the last one. `commit` is the
  // number of the commit they were durable with; 0: none.
  Result<std::uint64_t> write(std::span<const std::string_view> bodies, std::uint64_t commit = 0);
  // A commit without lines of its own; the next checkpoint tells of it.
  void note_commit(std::uint64_t commit);
  // The newest commit that the devices told of at start; 0: none.
  std::uint64_t commit_at_start() const;
  // A device had, at start, the line that the store remembers, or what came after it.
  bool held_remembered() const;
  // With `sync = "always"` waits for the disk: an error when the line did not get there.
  Status flush(std::uint64_t seq);
  // Both.
  Status append(std::span<const std::string_view> bodies);
  Synced synced() const;
  Status reopen();  // SIGHUP
  // Close record, checkpoint, fdatasync. Safe to call twice; append() refuses afterwards.
  void close();

  bool waits_for_disk() const;  // flush() does: a device asked for `sync = "always"`
  Position position() const;
  const std::vector<std::unique_ptr<Device>>& devices() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace leasehold::audit
