#include "vault/audit/log_state.h"

namespace leasehold::audit {
namespace {

using std::chrono::milliseconds;

// Lines wait for the disk at most this long plus one fdatasync; 100 ms is promised.
constexpr milliseconds kSyncEvery{20};
constexpr Nanos kCheckpointEvery = std::chrono::seconds(1);
// How often an unsigned tail is looked at; also how soon a removed file is noticed.
constexpr milliseconds kLookEvery{100};

}  // namespace

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
  const auto last = chain.begin_run(clock.now());
  note(last.ok());
  if (!last.ok()) return last.error();
  has_begun = true;
  synced_seq = round_seq = last->seq;
  signed_seq = chain.position().seq;
  for (const std::string& device : chain.take_torn())
    log.warn("audit: {}: the last line was half written and has been cut off", device);
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
  if (chain.rotate(clock.now())) {
    if (begin_new_files().ok()) chain.prune();
    note_failed_devices();
  } else if (chain.find_moved()) {
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

}  // namespace leasehold::audit
