#include "vault/core/road/unsealed.h"

#include "vault/audit/record.h"
#include "vault/base/clock_anchor.h"
#include "vault/base/encoding.h"
#include "vault/core/authority/wrapped.h"
#include "vault/core/road/key_rotation.h"

namespace leasehold::core {

namespace {

// Clocks are corrected by less after a restart, and so little does no harm to leases.
constexpr Nanos kClockBehind = std::chrono::minutes(5);

// The committer's way to the audit log.
class LogDrain final : public commit::Drain {
 public:
  explicit LogDrain(audit::AuditLog& log) : log_(log) {}
  Result<std::uint64_t> append(std::uint64_t group,
                               std::span<const std::string_view> bodies) override {
    return log_.write(bodies, group);
  }
  bool can_record() override { return log_.can_record(); }
  Status flush(std::uint64_t line) override { return log_.flush(line); }
  commit::AuditSynced synced() override {
    const audit::Synced synced = log_.synced();
    commit::AuditEnd end{synced.closed, {}};
    end.held.reserve(synced.held.size());
    for (const audit::Held& one : synced.held)
      end.held.push_back({one.device, {one.last.seq, one.last.hash}});
    return {synced.since, {synced.last.seq, synced.last.hash}, std::move(end)};
  }

 private:
  audit::AuditLog& log_;
};

void remember_log(audit::Identity& who, const commit::Head& head) {
  who.remembered = {head.audit_position.seq, head.audit_position.hash};
  who.closed = head.audit_end.closed;
  for (const commit::AuditHeld& one : head.audit_end.held)
    who.held.push_back({one.device, {one.last.seq, one.last.hash}});
}

target::Tag tag_of(const StoreIdentity& identity, const commit::Incarnation& incarnation) {
  // Lower-case letters and digits only: the tag becomes part of account names.
  target::Tag tag;
  tag.cluster = hex(identity.store).substr(0, 6);
  tag.incarnation = hex(incarnation).substr(0, 16);
  return tag;
}

}  // namespace

Unsealed::Unsealed(const Environment& env, StoreIdentity id, barrier::KeyRing keys,
                   std::vector<std::unique_ptr<audit::Device>> devices, EngineKinds kinds)
    : environment(env),
      identity(std::move(id)),
      barrier(identity.store, std::move(keys), environment.random),
      audit_key(barrier.keys().audit_hmac.reveal()),
      snapshots(environment.storage),
      mounts(kinds(*this), environment.ttls, environment.log, environment.asked_headers),
      identities(environment.log),
      tokens(barrier, environment.random),
      leases(barrier),
      audit(std::make_unique<audit::AuditLog>(std::move(devices), environment.clock,
                                              environment.log, environment.stuck)),
      drain(std::make_unique<LogDrain>(*audit)),
      committer(environment.storage, barrier, environment.clock, environment.log,
                environment.stuck),
      restoration({barrier, committer, snapshots, mounts, tokens, audit_key, environment.clock,
                   environment.log}),
      store_check({environment.storage, barrier, environment.clock, environment.log}),
      since(environment.clock.now()),
      rotation(std::make_unique<KeyRotation>(*this)) {}

Result<std::unique_ptr<Unsealed>> Unsealed::make(const Environment& environment,
                                                 StoreIdentity identity, barrier::KeyRing keys,
                                                 EngineKinds kinds) {
  VAULT_TRY_ASSIGN(auto devices, environment.audit_devices());
  std::unique_ptr<Unsealed> live(
      new Unsealed(environment, std::move(identity), std::move(keys), std::move(devices), kinds));
  VAULT_TRY(live->start());
  return live;
}

// Before the clock is told what storage saw: afterwards it is never behind. Nobody can tell a
// machine that was down from one whose clock jumped while it was, so both times are named.
void Unsealed::compare_clock(WallTime seen) {
  const WallTime now = environment.clock.now();
  const bool behind = leasehold::since(seen, now) > kClockBehind;
  const bool ahead = leasehold::since(now, seen) > kStepAtOnce;
  if (!behind && !ahead) return;
  clock_doubt = ClockDoubt{now, seen};
  if (behind)
    environment.log.error(
        "the clock says {}, but this storage was written at {}, {} s later: one of them is wrong. "
        "The vault never goes back: until the clock has passed the later time it counts on from "
        "there, and only while it runs. What was issued before that may have ended too early, and "
        "what is issued now ends too late at its targets. If the clock is wrong now, stop the "
        "vault "
        "and set it; if it was ahead before, restore a backup from before that (docs/clock.md)",
        rfc3339(now), rfc3339(seen), leasehold::since(seen, now) / Seconds{1});
  else
    environment.log.warn(
        "the clock says {}, and this storage was last written at {}: what ended in between ends "
        "now, and the vault never goes back behind this time. If the vault was not down for so "
        "long, the clock is wrong: stop the vault at once and set it",
        rfc3339(now), rfc3339(seen));
}

Status Unsealed::start() {
  const commit::Incarnation incarnation = environment.random.take<16>();
  audit::Identity who;
  who.incarnation = to_bytes(incarnation);
  who.store_id = to_bytes(identity.store);
  who.sign_seed = barrier.keys().audit_sign.reveal();
  Restoration::Evidence evidence{environment.restored};
  bool restored = environment.restored != Restored::no;
  bool compared = true;
  {
    VAULT_TRY_ASSIGN(auto held, snapshots.take());
    VAULT_TRY_ASSIGN(const auto head, commit::read_head(*held, barrier));
    VAULT_TRY_ASSIGN(const auto mark, commit::read_restored(*held));
    if (mark) {
      evidence.by_our_restore = restored = true;
      VAULT_TRY(compare_restored(*held));
      if (mark->keep_tokens && evidence.how == Restored::no) evidence.how = Restored::keep_tokens;
    }
    evidence.store_commit = who.commit = head ? head->group : 0;
    // No key protects the mark of a restore: whoever puts back an older copy can put one beside it.
    // So a newer audit log is passed over only when -restored was given at this start.
    who.may_be_older = environment.restored != Restored::no && head.has_value();
    restored = restored && head.has_value();
    compared = !head || mark;
    if (head) compare_clock(head->time_seen);
    if (head && environment.never_before) environment.never_before(head->time_seen);
    if (head) remember_log(who, *head);
  }
  // Without a device that can record, the vault opens for revocation alone (docs/decisions/045).
  Status recording = audit->start(who);
  if (!recording.ok() && !recording.is(Code::unavailable)) return recording;
  if (!compared) VAULT_TRY(compare_storage());
  if (restored && !drill() && is_whole(evidence)) {
    tell_not_needed(evidence);
    restored = false;
  }
  VAULT_TRY(start_committer(incarnation, restored ? &evidence : nullptr));
  revoker = std::make_unique<Revoker>(Revoker::Parts{
      environment.storage, barrier, committer, snapshots, mounts, tokens, leases, environment.clock,
      environment.log, audit_key, tag_of(identity, committer.incarnation()), drill()});
  sweeper = std::make_unique<Sweeper>(Sweeper::Parts{
      {barrier, committer, snapshots, leases, *revoker, environment.clock, environment.random},
      mounts,
      restoration,
      environment.log,
      environment.lease_sweep_period});
  due_work = std::make_unique<DueWork>(
      DueWork::Parts{barrier, committer, snapshots, mounts, environment.clock, environment.log});
  return make_mounts();
}

// Before the first request, so that it carries the headers that the audit log wants of it.
Status Unsealed::make_mounts() {
  VAULT_TRY_ASSIGN(auto held, snapshots.take());
  ReadTxn txn(*held, barrier, barrier::kCoreSpace);
  VAULT_TRY(mounts.at(txn));
  return {};
}

// A log that is not there, or was cut, says nothing, so the operator's word counts then.
bool Unsealed::is_whole(const Restoration::Evidence& evidence) const {
  const bool newer = audit->commit_at_start() > evidence.store_commit;
  return !evidence.by_our_restore && !newer && audit->held_remembered();
}

// The word of an operator who left -restored where it is said at every start.
void Unsealed::tell_not_needed(const Restoration::Evidence& evidence) const {
  environment.log.warn(
      "-restored is not needed and did nothing: this store ends at commit {}, and the audit log "
      "tells of nothing after it. Remove -restored from the command or the unit. If store and log "
      "were put back together, and the original runs no more, revoke tokens by hand and run "
      "`leasehold lease reconcile -fix` for each mount",
      evidence.store_commit);
}

// A restore has no keys: that the records are all that the backup's store held, and none of them
// older, is seen here.
Status Unsealed::compare_restored(storage::Snapshot& snapshot) {
  VAULT_TRY_ASSIGN(const auto verified,
                   commit::verify_store(snapshot, barrier, [](std::uint64_t) { return true; }));
  if (verified.matches) return {};
  return failure(Code::invalid,
                 "the restored records are not those of their head record: a record was deleted, "
                 "replayed or changed in the backup, or since; restore another backup");
}

Result<commit::Batch> Unsealed::first_batch(storage::Snapshot& snapshot,
                                            const Restoration::Evidence& evidence) {
  if (!drill()) return restoration.begin(snapshot, evidence);
  return restoration.begin_drill(evidence, !evidence.by_our_restore && !is_whole(evidence));
}

// Before anything is written to it.
Status Unsealed::compare_storage() {
  Status compared = store_check.at_once(environment.storage_in_doubt ? StoreCheck::kToTheEnd
                                                                     : StoreCheck::kAtOnce);
  if (!compared.is(Code::invalid)) return compared;
  const std::string event = audit::event_body("storage-changed", environment.clock.now(), "{}");
  const std::string_view lines[] = {event};
  audit->append(lines).ignore();  // its own log says why not
  return compared;
}

Status Unsealed::start_committer(const commit::Incarnation& incarnation,
                                 Restoration::Evidence* evidence) {
  if (evidence == nullptr) {
    VAULT_TRY(committer.start(*drain, incarnation, {.writer = environment.version}));
  } else {
    VAULT_TRY_ASSIGN(auto held, snapshots.take());
    evidence->log_commit = audit->commit_at_start();
    VAULT_TRY_ASSIGN(const commit::Batch first, first_batch(*held, *evidence));
    VAULT_TRY(
        committer.start(*drain, incarnation, {evidence->log_commit, &first, environment.version}));
  }
  audit->note_commit(committer.head().group);
  return drill() ? Status() : restoration.finish();
}

void Unsealed::begin_sealing() {
  sealing_ = true;
  sweeper->ask_to_stop();  // a request may wait for what it compares
}

Unsealed::~Unsealed() {
  store_check.stop();
  if (due_work) due_work->stop();
  if (sweeper) sweeper->ask_to_stop();
  if (revoker) revoker->stop();
  if (sweeper) sweeper->stop();
  committer.stop();
  audit->close();
  committer.write_last_head();
}

Result<TokenRef> Unsealed::valid_token(ReadTxn& txn, const barrier::OrderedId& id, WallTime now) {
  VAULT_TRY_ASSIGN(const auto compiled, mounts.at(txn));
  return tokens.valid(txn, compiled->mounts, id, now, nullptr);
}

Result<TokenRef> Unsealed::valid_token(ReadTxn& txn, std::string_view text, WallTime now) {
  VAULT_TRY_ASSIGN(const auto compiled, mounts.at(txn));
  return tokens.valid(txn, *compiled, text, now, nullptr);
}

Result<TokenRef> Unsealed::wrapping_token(ReadTxn& txn, std::string_view text, WallTime now) {
  TokenRef token;
  if (!text.empty() && text.size() <= kTokenSizeMax) {
    VAULT_TRY_ASSIGN(token, valid_token(txn, tokens.id_of(text), now));
  }
  if (!token || !token->wrapping) return failure(Code::invalid, std::string(kNoWrappingToken));
  return token;
}

Result<SecretBytes> Unsealed::write_initial(std::string_view wanted_root, int dev_kv_version) {
  const WallTime now = environment.clock.now();
  VAULT_TRY_ASSIGN(auto held, snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, barrier, barrier::kCoreSpace, changes);
  VAULT_TRY(mounts.write_initial(txn, environment.random, dev_kv_version));
  VAULT_TRY(put_policy(txn, "default", default_policy_text(), now));
  VAULT_TRY(mark_complete(txn));
  Token root;
  root.created = now;
  // A chosen token is one that was created with that id, as dev mode's is.
  root.path = wanted_root.empty() ? "auth/token/root" : "auth/token/create";
  root.display_name = wanted_root.empty() ? "root" : "token";
  root.policies = {"root"};
  VAULT_TRY_ASSIGN(SecretBytes text, tokens.create(txn, root, wanted_root, true));
  Json fields = Json::object();
  fields.set("root_token_accessor", audit::hmac_text(root.accessor, audit_key));
  const commit::Batch batch(std::move(changes),
                            audit::event_body("initialized", now, fields.dump()));
  const commit::Submission written = committer.commit(batch);
  VAULT_TRY(written.status());
  VAULT_TRY(written.audit);
  return text;
}

}  // namespace leasehold::core
