#pragma once
// The audit log: one sequencer that gives every body its place in the hash chain, and the devices it
// writes to. A line has reached the kernel when append() returns, and the disk within 100 ms (its own
// thread calls fdatasync), or before append() returns with `sync = "always"`.
// Bodies are built and hashed outside the lock. At least one device must take a line, else append()
// is an error and the caller must not let the answer leave.
// Thread safety: every method from any thread.

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "vault/audit/format.h"
#include "vault/base/log.h"
#include "vault/base/stanza.h"

namespace leasehold::audit {

// The last line a device holds, read back at start.
struct Tail {
  std::uint64_t seq = 0;
  crypto::Digest hash{};  // zero: the device holds nothing
  bool torn = false;      // its last line was incomplete and has been cut off
};

class Device {
 public:
  virtual ~Device() = default;
  virtual Result<Tail> open() = 0;
  virtual Status write(std::string_view lines) = 0;  // whole lines
  virtual Status sync() = 0;
  // After rotation by someone else (SIGHUP): true when a new file was begun.
  virtual Result<bool> reopen() = 0;
  virtual std::string where() const = 0;  // for the log: "file /var/log/…"

  // What `sys/audit` shows.
  std::string type, path, description;
  std::vector<std::pair<std::string, std::string>> options;
};

struct Identity {
  Bytes store_id;
  Bytes incarnation;
  ByteView sign_seed;  // must outlive the log
};

class AuditLog {
 public:
  AuditLog(std::vector<std::unique_ptr<Device>> devices, bool sync_always, Clock& clock,
           LogSink& log);
  ~AuditLog();
  AuditLog(const AuditLog&) = delete;
  AuditLog& operator=(const AuditLog&) = delete;

  // Opens the devices, cites the last surviving hash in an epoch record, starts the sync thread.
  Status start(const Identity& identity);
  // Chains and writes the bodies in order, together.
  Status append(std::span<const std::string> bodies);
  // The same for a commit group; once its lines are on disk, synced_group() is at least `group`.
  Status append_group(std::uint64_t group, std::span<const std::string> bodies);
  std::uint64_t synced_group() const;
  Status reopen();  // SIGHUP
  // Checkpoint, close record, fdatasync. Safe to call twice; append() refuses afterwards.
  void close();

  struct Position {
    std::uint64_t seq = 0;
    crypto::Digest hash{};
  };
  Position position() const;
  const std::vector<std::unique_ptr<Device>>& devices() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace leasehold::audit
