// Two locks. `mutex` guards the chain and is held for one write() per device. `busy` is held while
// devices sync, open or reopen, so that a file is never exchanged under a running fdatasync; it is
// taken after `mutex`, or alone.
#include "vault/audit/log.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "vault/audit/chain_records.h"
#include "vault/audit/sequencer.h"
#include "vault/base/mutex.h"
#include "vault/base/watch.h"

namespace leasehold::audit {
namespace {

using std::chrono::milliseconds;

// Lines wait for the disk at most this long plus one fdatasync; 100 ms is promised.
constexpr milliseconds kSyncEvery{20};
constexpr Nanos kCheckpointEvery = std::chrono::seconds(1);
// How often an unsigned tail is looked at; also how soon a removed file is noticed.
constexpr milliseconds kLookEvery{100};

Error not_running() {
  return failure(Code::unavailable, "the audit log is not running",
                 "append before start or after close");
}

// A body that looks like the log's own records, or ends its line early, would break the chain.
Status check_body(std::string_view body) {
  if (!body.starts_with(kVaultRecord) || body.back() != '}' || body.find('\n') != std::string::npos)
    return failure(Code::internal, "the audit log could not record this request",
                   "an audit body must be one line of JSON that begins with \"time\"");
  if (body.size() > kBodyBytesMax)
    return failure(Code::internal, "the audit log could not record this request",
                   "an audit body is longer than a line may be");
  return {};
}

// Outside the lock: the one pass over the bytes of each body.
Result<std::vector<HashedBody>> hash_all(std::span<const std::string_view> bodies) {
  std::vector<HashedBody> hashed;
  hashed.reserve(bodies.size() + 1);
  for (const std::string_view body : bodies) {
    VAULT_TRY(check_body(body));
    hashed.push_back({body, body_hash(body)});
  }
  return hashed;
}

}  // namespace

DeviceId id_of(std::string_view where) {
  const crypto::Digest hash = crypto::sha256(as_bytes(where));
  DeviceId id;
  std::copy_n(hash.begin(), id.size(), id.begin());
  return id;
}

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

Result<std::uint64_t> AuditLog::State::write(std::span<const HashedBody> bodies) {
  VAULT_TRY(sign_in_time(bodies.size()));
  Status written = chain.append(bodies);
  note(written.ok());
  VAULT_TRY(std::move(written));
  return chain.position().seq;
}

// Verification takes no longer end of a log on trust than a vault leaves (format.h): the thread
// below signs once a second, unless a disk holds it up.
Status AuditLog::State::sign_in_time(std::size_t coming) {
  if (!records) return begin_again();
  const std::uint64_t unsigned_lines = chain.position().seq - signed_seq;
  const Instant now = clock.instant();
  const bool in_time = now < add(unsigned_since, kSignAfter);
  if (unsigned_lines > 0 && in_time && unsigned_lines + coming <= kSignAfterLines) return {};
  if (unsigned_lines > 0) VAULT_TRY(sign());
  unsigned_since = now;
  return {};
}

Status AuditLog::State::write_own(FunctionRef<std::string(const Position&)> make) {
  Status written = chain.append(make);
  note(written.ok());
  return written;
}

void AuditLog::State::note(bool written) {
  if (records.exchange(written) && !written) say_none_records();
  if (written ? unsynced || !chain.has_devices() : stopping) return;
  unsynced = unsynced || written;
  work.notify_one();  // to sync, or to try the devices again
}

void AuditLog::State::say_none_records() {
  log.error(
      "audit: no device can record: until one can, credentials are revoked and nothing else is "
      "done");
}

// The first lines of this run. Before anything else is written; again until a device takes them.
Status AuditLog::State::begin() {
  if (has_begun) return {};
  const WallTime now = clock.now();
  Position last;
  VAULT_TRY(write_own([&](const Position& before) {
    last = before;
    return epoch_body(identity, now, before);
  }));
  has_begun = true;
  signed_seq = synced_seq = round_seq = last.seq;
  for (const std::string& device : chain.take_torn()) {
    log.warn("audit: {}: the last line was half written and has been cut off", device);
    VAULT_TRY(write_own([&](const Position&) { return torn_body(now, device); }));
  }
  checkpoint();
  return {};
}

// Whether a device works again is found out here and not with somebody's change.
void AuditLog::State::probe() {
  if (!chain.may_retry() || !begin_again().ok()) return;
  log.info("audit: requests that change something are accepted again");
}

// What comes next may have waited in the store, and have earlier times than the second signature
// says; it is what vouches for the time of the first.
Status AuditLog::State::begin_again() {
  if (!has_begun) return begin();
  VAULT_TRY(sign());
  return sign();
}

// Signs the line before it; the signature of one second costs as much as fifty lines.
void AuditLog::State::checkpoint() {
  if (chain.position().seq > signed_seq) (void)sign();
}

Status AuditLog::State::sign() {
  VAULT_TRY(write_own(
      [this](const Position& before) { return checkpoint_body(identity, clock.now(), before); }));
  signed_seq = chain.position().seq;
  return {};
}

// Each file ends with a checkpoint and the next one begins with a record that names it, and is
// signed at once: a start, and verification, know by that that the file is ours.
Status AuditLog::State::begin_new_files() {
  checkpoint();
  Status failed;
  if (!chain.reopen(failed)) return failed;
  const Status written = chain.tell();
  note(written.ok());
  VAULT_TRY(written);
  return failed;
}

// What was found out beside a write.
void AuditLog::State::note_failed_devices() {
  if (chain.has_devices() && !chain.any_works() && records.exchange(false)) say_none_records();
}

// Once a second, also while nothing is written: a file that is gone is missed before it is needed.
void AuditLog::State::look_around() {
  const Instant now = clock.instant();
  if (now < add(looked_at, kCheckpointEvery)) return;
  looked_at = now;
  if (chain.find_moved()) {
    if (!std::exchange(said_moved, true))
      log.warn("audit: a log file was removed or renamed without SIGHUP; beginning a new one");
    if (begin_new_files().ok()) said_moved = false;
    note_failed_devices();
  }
  if (chain.find_shrunk()) signed_seq = 0;  // it is signed at once
  checkpoint();
}

void AuditLog::State::sync_round() {
  unsynced = false;
  const Position through = chain.position();
  const auto targets = chain.sync_targets();
  std::vector<Status> results;
  mutex.unlock();
  {
    MutexLock lock(busy);
    for (const auto& target : targets) {
      const Watch::Call call(watch, *target.device);
      results.push_back(target.device->sync());
    }
  }
  mutex.lock();
  bool flushed = false;
  std::optional<std::uint64_t> since;  // of the device that has most on its disk
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (results[i].ok()) {
      flushed = true;
      chain.synced(targets[i], through);
      const auto held = chain.holds_since(targets[i]);
      if (chain.settles(targets[i]) && held && (!since || *held < *since)) since = held;
    } else {
      chain.sync_failed(targets[i], results[i].error());
    }
  }
  round_seq = through.seq;
  if (!flushed) failed_seq = through.seq;
  if (since) note_synced(*since, through);
  note_failed_devices();
  synced.notify_all();
}

// Only a disk that works again says which lines are in doubt: written earlier, they would go to one
// that still fails.
void AuditLog::State::note_synced(std::uint64_t since, const Position& through) {
  if (since > synced_seq + 1) on_disk.since = since;
  synced_seq = through.seq;
  on_disk.last = through;
  on_disk.held = chain.held();
}

void AuditLog::State::run() {
  MutexLock lock(mutex);
  while (!stopping) {
    if (!unsynced) {
      if (!records || chain.position().seq > signed_seq)
        work.wait_for(mutex, kLookEvery);
      else if (chain.has_devices())
        work.wait_for(mutex, kCheckpointEvery);
      else
        work.wait(mutex);
    }
    if (stopping) break;  // behind the end of the log stands nothing
    if (records)
      look_around();
    else
      probe();
    if (!unsynced) continue;
    sync_round();
    if (!sync_always && !stopping) stop.wait_for(mutex, kSyncEvery);
  }
}

AuditLog::AuditLog(std::vector<std::unique_ptr<Device>> devices, Clock& clock, LogSink& log,
                   std::function<void()> stuck)
    : state_(std::make_unique<State>(std::move(devices), clock, log, std::move(stuck))) {}

AuditLog::~AuditLog() { close(); }

Status AuditLog::start(const Identity& identity) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  VAULT_ASSERT(!state.running && !state.stopping);
  state.identity = identity;
  state.commit_key.emplace(identity.sign_seed, identity.store_id);
  if (!state.devices.empty()) state.watch.start();
  state.chain.open(state.identity);
  if (state.chain.older()) return *state.chain.older();
  state.identity.commit = std::max(state.identity.commit, state.chain.commit_at_start());
  if (state.chain.found_changed())
    return failure(Code::internal, "no audit device could be opened; the server log names each");
  state.looked_at = state.clock.instant();
  Status begun = state.begin();
  if (!begun.ok()) {
    state.say_none_records();
    begun = failure(Code::unavailable, "no audit device can record; the server log names each");
  }
  state.running = true;
  state.thread = std::thread([&state] { state.run(); });
  return begun;
}

bool AuditLog::can_record() const { return state_->records; }

Result<std::uint64_t> AuditLog::write(std::span<const std::string_view> bodies,
                                      std::uint64_t commit) {
  State& state = *state_;
  // The last one says which commit it was.
  const bool numbers = commit != 0 && !bodies.empty() && state.commit_key;
  VAULT_TRY_ASSIGN(auto hashed, hash_all(bodies.first(bodies.size() - numbers)));
  std::string numbered;
  if (numbers) {
    VAULT_TRY(check_body(bodies.back()));
    numbered = with_commit(bodies.back(), commit, *state.commit_key);
    hashed.push_back({numbered, body_hash(numbered)});
  }
  MutexLock lock(state.mutex);
  if (!state.running) return not_running();
  VAULT_TRY_ASSIGN(const std::uint64_t line, state.write(hashed));
  state.identity.commit = std::max(state.identity.commit, commit);
  return line;
}

void AuditLog::note_commit(std::uint64_t commit) {
  MutexLock lock(state_->mutex);
  state_->identity.commit = std::max(state_->identity.commit, commit);
}

std::uint64_t AuditLog::commit_at_start() const {
  MutexLock lock(state_->mutex);
  return state_->chain.commit_at_start();
}

bool AuditLog::held_remembered() const {
  MutexLock lock(state_->mutex);
  return state_->chain.held_remembered();
}

Status AuditLog::flush(std::uint64_t seq) {
  State& state = *state_;
  MutexLock lock(state.mutex);
  if (!state.sync_always || !state.chain.has_devices()) return {};
  while (state.round_seq < seq) state.synced.wait(state.mutex);
  if (state.failed_seq < seq) return {};
  return failure(Code::internal, "the audit log could not record this request",
                 "no audit device could flush the lines to disk; the server log names each device");
}

Status AuditLog::append(std::span<const std::string_view> bodies) {
  VAULT_TRY_ASSIGN(const std::uint64_t seq, write(bodies));
  return bodies.empty() ? Status() : flush(seq);
}

Synced AuditLog::synced() const {
  MutexLock lock(state_->mutex);
  return state_->on_disk;
}

Status AuditLog::reopen() {
  MutexLock lock(state_->mutex);
  if (!state_->running) return not_running();
  return state_->begin_new_files();
}

void AuditLog::close() {
  State& state = *state_;
  bool closed = false;
  {
    MutexLock lock(state.mutex);
    if (!state.running) return;
    state.running = false;
    const WallTime now = state.clock.now();
    if (state.has_begun &&
        state.write_own([now](const Position&) { return closed_body(now); }).ok()) {
      state.checkpoint();
      closed = state.signed_seq == state.chain.position().seq;
    }
    state.stopping = true;
    state.work.notify_all();
    state.stop.notify_all();
  }
  state.thread.join();
  {
    MutexLock lock(state.mutex);
    state.sync_round();
    state.on_disk.closed = closed && state.on_disk.last == state.chain.position();
  }
  state.watch.stop();
}

bool AuditLog::waits_for_disk() const { return state_->sync_always; }

AuditLog::Position AuditLog::position() const {
  MutexLock lock(state_->mutex);
  return state_->chain.position();
}

const std::vector<std::unique_ptr<Device>>& AuditLog::devices() const { return state_->devices; }

}  // namespace leasehold::audit
