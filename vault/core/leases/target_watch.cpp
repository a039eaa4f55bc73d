#include "vault/core/leases/target_watch.h"

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

// Of one target: behind one name may stand several servers with the same accounts.
constexpr std::size_t kStartsKept = 16;
constexpr Nanos kTrialLimit{Seconds{10}};  // of a login that says what became of an intent

Error another_server(const std::string& known, const std::string& found) {
  return failure(
      Code::unavailable,
      "another server answers there (" + found + ") than the one that its accounts are on (" +
          known +
          "), so nothing that it says of them counts; new leases go to the other server. If it is "
          "the same one after an upgrade, a failover or a move, write the configuration with "
          "same_server=true");
}

std::string moved_event(const std::string& mount, const TargetId& target, const std::string& known,
                        const std::string& found, WallTime now) {
  Json fields = Json::object();
  fields.set("mount", mount).set("target", hex(target));
  fields.set("server_before", known).set("server", found);
  return audit::event_body("target-moved", now, fields.dump());
}

}  // namespace

Status TargetWatch::met(const target::Connection& connection) {
  const std::string identity = connection.identity();
  const Status ends_only = connection.ends_only();
  if (identity.empty()) return {};
  const std::string name = std::string(kServers) + hex(target_);
  for (;;) {
    VAULT_TRY_ASSIGN(auto held, endings_.parts.snapshots.take());
    commit::Changes changes;
    changes.background = true;
    WriteTxn txn(*held, endings_.parts.barrier, space_, changes);
    VAULT_TRY_ASSIGN(const auto record, txn.get(name));
    if (record) {
      const auto json = parse_json(as_text(record->value.reveal()));
      const std::string known = json.ok() ? json->string_at("server") : std::string();
      if (known == identity) return {};
      if (!ends_only.ok()) return another_server(known, identity);
      if (leave(*held, txn, known, identity).is(Code::conflict)) continue;
      return another_server(known, identity);
    }
    VAULT_TRY(ends_only);
    Json json = Json::object();
    json.set("server", identity);
    VAULT_TRY(txn.put(name, as_bytes(json.dump())));
    json.set("target", hex(target_));
    const std::string event =
        audit::event_body("target-server", endings_.parts.clock.now(), json.dump());
    const commit::Batch batch(std::move(changes), event);
    const Status status = endings_.parts.committer.commit(batch).status();
    if (!status.is(Code::conflict)) return status;
  }
}

void TargetWatch::connected(const std::string& started, bool after_failure) {
  bool anew = false;
  if (!started.empty()) {
    MutexLock lock(mutex_);
    anew = !starts_.empty() && starts_.count(started) == 0;
    if (anew && starts_.size() == kStartsKept) starts_.clear();
    starts_.insert(started);
  }
  if (anew) endings_.doubts.note(space_, target_, "its server was started anew");
  if (after_failure) endings_.doubts.note(space_, target_, "it answers after it did not");
}

// The engine's configuration goes with its URL; the leases stay with the server they are on.
Status TargetWatch::leave(storage::Snapshot& snapshot, WriteTxn& txn, const std::string& known,
                          const std::string& found) {
  ReadTxn core(snapshot, endings_.parts.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto compiled, endings_.parts.mounts.at(core));
  const Mount* mount = compiled->mounts.by_space(space_);
  if (mount == nullptr || mount->kind == nullptr) return {};
  VAULT_TRY_ASSIGN(const bool moved, mount->kind->engine->moved(target_, found, txn));
  if (!moved) return {};
  const WallTime now = endings_.parts.clock.now();
  const commit::Batch batch(std::move(txn.changes()),
                            moved_event(mount->info.path, target_, known, found, now));
  VAULT_TRY(endings_.parts.committer.commit(batch).status());
  endings_.parts.log.warn(
      "{}: another server ({}) answers for target {} than before ({}): new leases go to it, "
      "earlier ones stay irrevocable until the one before answers again, or the configuration is "
      "written "
      "with same_server=true",
      mount->info.path, found, hex(target_), known);
  return {};
}

void TargetWatch::look_at_intent(target::Connection& connection) {
  const Status settled = recover(connection);
  if (settled.ok() || settled.is(Code::conflict)) return;  // somebody else did, or the next will
  endings_.parts.log.warn("what became of an earlier change of target {} is not on record yet: {}",
                          hex(target_), settled.error().message);
}

Status TargetWatch::recover(target::Connection& connection) {
  VAULT_TRY_ASSIGN(auto held, endings_.parts.snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, endings_.parts.barrier, space_, changes);
  ReadTxn core(*held, endings_.parts.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto compiled, endings_.parts.mounts.at(core));
  const Mount* mount = compiled->mounts.by_space(space_);
  if (mount == nullptr || mount->kind == nullptr) return {};
  const std::string run = hex(endings_.parts.committer.incarnation());
  const Instant deadline = add(endings_.parts.clock.instant(), kTrialLimit);
  VAULT_TRY_ASSIGN(auto event,
                   mount->kind->engine->recover(target_, {connection, run, deadline}, txn));
  if (!event) return {};
  event->fields.set("mount", mount->info.path).set("target", hex(target_));
  const commit::Batch batch(
      std::move(changes),
      audit::event_body(event->name, endings_.parts.clock.now(), event->fields.dump()));
  return endings_.parts.committer.commit(batch).status();
}

}  // namespace leasehold::core
