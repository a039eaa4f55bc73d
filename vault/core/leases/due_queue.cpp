#include "vault/core/leases/due_queue.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr Seconds kLookAgain{20};        // twice the statement timeout of our sessions
constexpr std::size_t kRetryingMax = 8;  // workers
constexpr Seconds kSlow{1};              // an attempt that others would wait for
constexpr std::size_t kLookedAtMax = 1024;
constexpr commit::Unrecorded kLooksAgain{
    "an account that may still be made is looked for again: its end will be on record"};
constexpr commit::Unrecorded kProbe{
    "a trial account of a role: the request that tried it is on record"};

OrderedId id_of(const std::string& text) {
  OrderedId id{};
  std::copy_n(text.begin(), std::min(text.size(), id.size()), reinterpret_cast<char*>(id.data()));
  return id;
}

// An account that a client had and somebody else removed: no success like any other.
std::string missing_event(const Lease& lease, Absence absence, WallTime now) {
  Json fields = Json::object();
  fields.set("lease_id", lease.lease_id).set("account", lease.account);
  fields.set("handle", lease.handle).set("expire_time", rfc3339(lease.expires));
  fields.set("request_id", lease.request_id);
  note(fields, absence);
  return audit::event_body("lease-account-missing", now, fields.dump());
}

commit::OnRecord events(const Lease& lease, const target::Revoked& revoked, Absence absence,
                        WallTime now) {
  Texts bodies;
  if (absence != Absence::expected) bodies.push_back(missing_event(lease, absence, now));
  Json fields = Json::object();
  fields.set("lease_id", lease.lease_id).set("account", lease.account);
  fields.set("issued", rfc3339(lease.issued)).set("expire_time", rfc3339(lease.expires));
  fields.set("verified_absent", rfc3339(revoked.verified_at));
  fields.set("was_absent", revoked.was_absent);
  fields.set("sessions_ended", static_cast<std::int64_t>(revoked.sessions_ended));
  note(fields, revoked, absence);
  fields.set("request_id", lease.request_id);
  bodies.push_back(audit::event_body("lease-revoked", now, fields.dump()));
  return bodies;
}

// For the log, when something was not as it was left.
std::string said_of(const Lease& lease, const target::Revoked& revoked, Absence absence) {
  if (absence != Absence::expected)
    return "the account " + lease.account + " of the active lease " + lease.lease_id +
           " was missing when it was revoked: " +
           (absence == Absence::missing
                ? "somebody else removed it"
                : "somebody else removed it, or this vault did just before it was restarted");
  if (revoked.renamed.empty()) return {};
  return "the account " + lease.account + " of the lease " + lease.lease_id +
         " had been renamed to " + revoked.renamed + "; it was revoked all the same";
}

}  // namespace

// An attempt of this process that did not end well may have removed the account.
bool DueQueue::tried_before(const OrderedId& id) {
  MutexLock lock(mutex_);
  return retries_.count(id) != 0;
}

bool DueQueue::is_first_attempt(const OrderedId& id) {
  if (endings_.claims.has(id)) return false;
  MutexLock lock(mutex_);
  if (working_.count(id) != 0 || retries_.count(id) != 0) return false;
  working_[id] = {};
  return true;
}

// The one that has waited longest, if it may be tried again and a worker may retry.
std::optional<OrderedId> DueQueue::take_retry() {
  MutexLock lock(mutex_);
  if (retrying_ < retrying_max_)
    if (const auto first = take_first(retry_order_, Work::Kind::retry)) {
      ++retrying_;
      return first;
    }
  if (retrying_slow_) return std::nullopt;
  const auto first = take_first(slow_order_, Work::Kind::slow_retry);
  retrying_slow_ = first.has_value();
  return first;
}

std::optional<OrderedId> DueQueue::take_first(Order& order, Work::Kind kind) {
  const Instant now = endings_.parts.clock.instant();
  if (order.empty() || now.ns < order.begin()->first) return std::nullopt;
  const OrderedId id = order.begin()->second;
  order.erase(order.begin());
  working_[id] = {kind, now};
  return id;
}

void DueQueue::forget_retry(Retries::iterator retry) {
  const std::pair place{retry->second.not_before.ns, retry->first};
  retry_order_.erase(place);
  slow_order_.erase(place);
  retries_.erase(retry);
}

Result<std::vector<OrderedId>> DueQueue::take(ReadTxn& txn, std::size_t limit) {
  barrier::PhysicalKey from = due_prefix(target_);
  const barrier::PhysicalKey to = due_key(target_, add(endings_.parts.clock.now(), Millis{1}), {});
  {
    MutexLock lock(mutex_);
    if (resume_) from = *resume_;
  }
  std::vector<OrderedId> ids;
  std::size_t looked_at = 0;
  std::optional<barrier::PhysicalKey> last;
  const Status scanned =
      txn.scan(from, to, SIZE_MAX, storage::Scan::keys, [&](const storage::Entry& entry) {
        const OrderedId id = barrier::id_at_end(entry.key);
        if (!endings_.damage.is_aside(id) && is_first_attempt(id)) ids.push_back(id);
        if (++looked_at == kLookedAtMax) last = barrier::PhysicalKey::from(entry.key);
        return ids.size() < limit && !last;
      });
  MutexLock lock(mutex_);
  if (!scanned.ok()) {
    for (const OrderedId& id : ids) working_.erase(id);
    return scanned.error();
  }
  if (last)
    resume_ = last->end_of_prefix();
  else if (ids.size() < limit)
    resume_.reset();  // the end of the queue
  return ids;
}

std::vector<target::RevocationSource::Item> DueQueue::next(std::size_t limit) {
  std::vector<Item> items;
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return items;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  auto ids = take(txn, limit);
  if (!ids.ok()) return items;
  std::optional<OrderedId> retry;
  if (ids->empty()) retry = take_retry();
  if (retry) ids->push_back(*retry);
  for (const OrderedId& id : *ids) {
    auto lease = endings_.parts.leases.load(txn, id);
    if (!lease.ok() || !*lease) {
      // A retry without a lease was given up meanwhile; in the queue it is damage.
      if (!lease.ok() || !retry)
        endings_.damage.set_aside(txn, lease_key(id), id, "lease").ignore();
      ended(id, {});
      continue;
    }
    Item item;
    item.id.assign(id.begin(), id.end());
    item.order.account = (*lease)->account;
    item.order.statements = (*lease)->revocation_statements;
    item.order.handle = (*lease)->handle;
    item.order.failed_attempts = attempts_of(id);
    items.push_back(std::move(item));
  }
  return items;
}

Result<bool> DueQueue::settle(const Item& item, const target::Revoked& revoked) {
  const OrderedId id = id_of(item.id);
  const WallTime now = endings_.parts.clock.now();
  for (;;) {
    VAULT_TRY_ASSIGN(auto held, endings_.parts.snapshots.take());
    commit::Changes changes;
    std::string said;
    changes.background = true;
    WriteTxn txn(*held, endings_.parts.barrier, barrier::kCoreSpace, changes);
    VAULT_TRY_ASSIGN(auto lease, endings_.parts.leases.load(txn, id));
    if (!lease) return true;
    const bool again =
        lease->uncertain && lease->incarnation == endings_.parts.committer.incarnation();
    const bool missing = !again && lease->was_active && revoked.was_absent && !tried_before(id);
    const bool maybe_ours = missing && lease->due_since <= endings_.started_at;
    const Absence absence = !missing     ? Absence::expected
                            : maybe_ours ? Absence::missing_or_ours
                                         : Absence::missing;
    if (again) {
      VAULT_TRY(endings_.parts.leases.look_again(txn, *lease, add(now, kLookAgain)));
    } else {
      VAULT_TRY(endings_.parts.leases.finish(txn, *lease, revoked, now, absence));
      said = said_of(*lease, revoked, absence);
    }
    commit::OnRecord on_record = again          ? commit::OnRecord(kLooksAgain)
                                 : lease->probe ? commit::OnRecord(kProbe)
                                                : events(*lease, revoked, absence, now);
    const commit::Batch batch(std::move(changes), std::move(on_record));
    const Status status = endings_.parts.committer.commit(batch).status();
    if (status.ok() && !said.empty()) endings_.parts.log.warn("{}", said);
    if (status.ok() && missing) endings_.doubts.note(space_, target_, "an account was missing");
    if (status.ok()) return !again;
    if (!status.is(Code::conflict)) return status.error();
  }
}

unsigned DueQueue::attempts_of(const OrderedId& id) {
  MutexLock lock(mutex_);
  const auto retry = retries_.find(id);
  return retry == retries_.end() ? 0 : retry->second.attempts;
}

// An item left the hands of its worker.
void DueQueue::ended(const OrderedId& id, const Status& status) {
  MutexLock lock(mutex_);
  Work work;
  if (const auto working = working_.find(id); working != working_.end()) {
    work = working->second;
    working_.erase(working);
  }
  give_up_turn(work.kind, status);
  const auto retry = retries_.find(id);
  if (status.ok() && retry != retries_.end()) forget_retry(retry);
  if (status.ok()) return;
  // Not tried, because the target was lost: the lane itself slows down for that.
  if (!status.is(Code::unavailable)) failed(id, status.error());
  const auto again = retries_.find(id);
  if (again == retries_.end()) return;
  if (work.kind != Work::Kind::first && !status.is(Code::unavailable))
    again->second.slow = endings_.parts.clock.instant() >= add(work.began, kSlow);
  (again->second.slow ? slow_order_ : retry_order_).emplace(again->second.not_before.ns, id);
}

void DueQueue::give_up_turn(Work::Kind kind, const Status& status) {
  if (kind == Work::Kind::slow_retry) retrying_slow_ = false;
  if (kind != Work::Kind::retry) return;
  --retrying_;
  // What fails keeps one worker; what begins to succeed gets more.
  retrying_max_ = status.ok() ? std::min(2 * retrying_max_, kRetryingMax) : 1;
}

void DueQueue::done(const Item& item, const Result<target::Revoked>& result) {
  const OrderedId id = id_of(item.id);
  bool gone = false;
  Status status;
  if (!result.ok()) {
    status = naming_holder(result.error());
  } else if (const auto settled = settle(item, *result); settled.ok()) {
    gone = *settled;
  } else {
    status = settled.error();
  }
  // Revoked and not written down: it was there, whatever the next attempt sees.
  const bool unrecorded = result.ok() && !status.ok();
  ended(id, unrecorded ? failure(Code::internal, "not recorded") : status);
  if (!result.ok()) say_failure(id, status);
  if (gone || !status.ok()) waits_.ended(lease_key(id), status);
}

}  // namespace leasehold::core
