#include "vault/audit/log.h"

#include <algorithm>

#include "vault/audit/log_state.h"
#include "vault/base/metrics.h"

namespace leasehold::audit {
namespace {

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

// Requests and answers among the bodies; events are neither.
struct Kinds {
  std::uint64_t requests = 0, responses = 0;

  explicit Kinds(std::span<const std::string_view> bodies) {
    constexpr std::size_t kLookedAt = 128;  // the type follows the time
    for (const std::string_view body : bodies) {
      const std::string_view start = body.substr(0, kLookedAt);
      requests += start.find(R"("type":"request")") != start.npos;
      responses += start.find(R"("type":"response")") != start.npos;
    }
  }
  void took(Nanos time) const {
    if (requests > 0) metrics::took(metrics::Timer::audit_log_request, time, requests);
    if (responses > 0) metrics::took(metrics::Timer::audit_log_response, time, responses);
  }
  void failed() const {
    if (requests > 0) metrics::count(metrics::Counter::audit_log_request_failure, requests);
    if (responses > 0) metrics::count(metrics::Counter::audit_log_response_failure, responses);
  }
};

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
  const Kinds kinds(bodies);
  const Instant begun = metrics::instant();
  MutexLock lock(state.mutex);
  if (!state.running) return not_running();
  const auto line = state.write(hashed);
  if (!line.ok()) {
    kinds.failed();
    return line.error();
  }
  kinds.took(Nanos(metrics::instant().ns - begun.ns));
  state.identity.commit = std::max(state.identity.commit, commit);
  return *line;
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
