#include "vault/commit/recorder.h"

#include <algorithm>

namespace leasehold::commit {

Status Recorder::start(Drain& drain, storage::Snapshot& snapshot, const Head& head) {
  drain_ = &drain;
  outbox_.begin(head.audit_synced);
  std::size_t lines = 0;
  std::uint64_t last = 0;
  Status refused;  // by the log: this group is owed, and all that follow
  const auto each = [&](OutboxGroup&& group, std::span<const std::string_view> bodies) -> Status {
    if (group.group > head.group)
      return failure(Code::internal,
                     "the audit outbox in storage is newer than its head record: restore a backup");
    if (group.group > head.audit_synced && refused.ok()) {
      const auto line = drain.append(group.group, bodies);
      if (line.ok()) {
        group.line = last = *line;
        lines += bodies.size();
      } else {
        refused = line.error();
      }
    }
    outbox_.add(std::move(group));
    return {};
  };
  VAULT_TRY(read_outbox(snapshot, barrier_, 0, each));
  if (lines > 0) log_.info("{} audit records of the last run were taken from storage", lines);
  if (refused.ok() && lines > 0) refused = drain.flush(last);
  behind_ = outbox_.owed() > 0;
  if (!refused.ok()) log_.error("audit records of the last run wait in storage");
  return {};
}

void Recorder::note_synced(Head& next) {
  const AuditSynced synced = drain_->synced();
  outbox_.update(synced);
  next.audit_synced = std::max(next.audit_synced, outbox_.settled_group());
  if (synced.last.seq == 0 || synced.last.seq < next.audit_position.seq) return;
  next.audit_position = synced.last;
  next.audit_end = synced.end;
}

Status Recorder::record(std::uint64_t group, std::span<const std::string_view> bodies,
                        storage::Snapshot& snapshot) {
  // In their order: what no device took comes first.
  Status recorded = outbox_.owed() > 1 ? drain_owed(snapshot) : drain_newest(group, bodies);
  if (outbox_.owed() > 0 && !behind_)
    log_.error("the audit log lacks a committed change; its record waits in storage");
  behind_ = outbox_.owed() > 0;
  return recorded;
}

Status Recorder::drain_newest(std::uint64_t group, std::span<const std::string_view> bodies) {
  VAULT_TRY_ASSIGN(const std::uint64_t line, drain_->append(group, bodies));
  outbox_.drained(group, line);
  return drain_->flush(line);
}

// From storage to the log, until it takes no more.
Status Recorder::drain_owed(storage::Snapshot& snapshot) {
  if (!drain_->can_record())
    return failure(Code::internal, "the audit log could not record this request",
                   "no audit device works; the server log names each");
  std::size_t lines = 0;
  std::uint64_t last = 0;
  const auto each = [&](OutboxGroup&& group, std::span<const std::string_view> bodies) -> Status {
    if (!outbox_.owes(group.group)) return {};
    VAULT_TRY_ASSIGN(last, drain_->append(group.group, bodies));
    outbox_.drained(group.group, last);
    lines += bodies.size();
    return {};
  };
  VAULT_TRY(snapshot.renew());
  const Status read = read_outbox(snapshot, barrier_, outbox_.first_owed(), each);
  snapshot.release();
  if (lines > 0) log_.info("{} audit records were taken from storage to the log", lines);
  VAULT_TRY(read);
  return drain_->flush(last);
}

void Recorder::look_again(storage::Snapshot& snapshot) {
  outbox_.update(drain_->synced());
  if (outbox_.owed() == 0) return;
  drain_owed(snapshot).ignore();  // the log names each device that fails
  behind_ = outbox_.owed() > 0;
}

}  // namespace leasehold::commit
