#pragma once
// What the audit log's callers and its sync thread share; log.cpp is the calls, log_state.cpp what
// is written beside them: the first lines of a run, checkpoints, new files, and the sync rounds.
//
// Two locks. `mutex` guards the chain and is held for one write() per device. `busy` is held while
// devices sync, open or reopen, so that a file is never exchanged under a running fdatasync; it is
// taken after `mutex`, or alone.

#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "vault/audit/chain_records.h"
#include "vault/audit/log.h"
#include "vault/audit/sequencer.h"
#include "vault/base/mutex.h"
#include "vault/base/watch.h"

namespace leasehold::audit {

struct AuditLog::State {
  State(std::vector<std::unique_ptr<Device>> given, Clock& machine_clock, LogSink& server_log,
        std::function<void()> stuck)
      : devices(std::move(given)),
        sync_always(std::any_of(devices.begin(), devices.end(),
                                [](const auto& device) { return device->sync_always; })),
        clock(machine_clock),
        log(server_log),
        watch(server_log, "audit", std::move(stuck)),
        chain(devices, busy, watch, machine_clock, server_log) {}

  const std::vector<std::unique_ptr<Device>> devices;
  const bool sync_always;
  Clock& clock;
  LogSink& log;
  Identity identity;
  std::optional<CommitKey> commit_key;  // once started
  Watch watch;

  Mutex busy;
  mutable Mutex mutex;
  Sequencer chain GUARDED_BY(mutex);
  bool running GUARDED_BY(mutex) = false;
  bool stopping GUARDED_BY(mutex) = false;
  bool has_begun GUARDED_BY(mutex) = false;  // its epoch record is written
  std::atomic<bool> records{false};          // as the last attempt went; changed under the mutex
  bool unsynced GUARDED_BY(mutex) = false;
  std::uint64_t signed_seq GUARDED_BY(mutex) = 0;  // of the last checkpoint's own line
  Instant unsigned_since GUARDED_BY(mutex);        // when the first line behind it was written
  bool said_moved GUARDED_BY(mutex) = false;       // and no new file could be begun since
  Instant looked_at GUARDED_BY(mutex);             // when a checkpoint or a moved file was sought
  std::uint64_t synced_seq GUARDED_BY(mutex) = 0;  // the last line on a disk, or before this run
  Synced on_disk GUARDED_BY(mutex);                // of this run
  std::uint64_t round_seq GUARDED_BY(mutex) = 0;   // the last sync round went up to here
  std::uint64_t failed_seq GUARDED_BY(mutex) = 0;  // the last round that failed went up to here
  Condition work;                                  // for the sync thread: lines to sync, or stop
  Condition stop;                                  // for the sync thread between rounds
  Condition synced;                                // for flush() with sync_always
  std::thread thread;

  Result<std::uint64_t> write(std::span<const HashedBody> bodies) REQUIRES(mutex);
  Status write_own(FunctionRef<std::string(const Position& before)> make) REQUIRES(mutex);
  Status begin() REQUIRES(mutex);
  void note(bool written) REQUIRES(mutex);
  void note_failed_devices() REQUIRES(mutex);
  void say_none_records();
  void probe() REQUIRES(mutex);
  Status begin_again() REQUIRES(mutex);
  Status sign_in_time(std::size_t coming) REQUIRES(mutex);
  Status sign() REQUIRES(mutex);
  void checkpoint() REQUIRES(mutex);
  Status begin_new_files() REQUIRES(mutex);
  void look_around() REQUIRES(mutex);
  void sync_round() REQUIRES(mutex);
  void note_synced(std::uint64_t since, const Position& through) REQUIRES(mutex);
  void run();
};

}  // namespace leasehold::audit
