// What a target refused to end: when it is tried again, and how that is told.

#include <algorithm>
#include <utility>

#include "vault/audit/record.h"
#include "vault/core/leases/due_queue.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr Seconds kRetryMax{300};
constexpr Nanos kBusyRetryMin = std::chrono::milliseconds(250);
constexpr Nanos kBusyRetryMax = std::chrono::seconds(2);
constexpr std::size_t kRetriesMax = 65'536;
constexpr std::size_t kErrorKept = 512;         // bytes of what a target says
constexpr Seconds kSayEvery{10};                // a line of the log about one target
constexpr std::size_t kLookedThrough = 10'000;  // leases, for that of an account

// What is kept of a message: whole characters of UTF-8.
std::string kept(const std::string& message) {
  std::size_t end = std::min(message.size(), kErrorKept);
  while (end > 0 && end < message.size() && (message[end] & 0xc0) == 0x80) --end;
  return message.substr(0, end);
}

}  // namespace

void DueQueue::failed(const OrderedId& id, const Error& error) {
  // One that is forgotten is only asked for sooner.
  if (retries_.size() >= kRetriesMax && retries_.count(id) == 0) forget_retry(retries_.begin());
  Retry& retry = retries_[id];
  const bool busy = error.code == Code::deadline;
  const Nanos first = busy ? kBusyRetryMin : Nanos{Seconds{1}};
  const Nanos most = busy ? kBusyRetryMax : Nanos{kRetryMax};
  // When the reason changes between "in use" and "refused", the pauses start from the shortest.
  if (std::exchange(retry.busy, busy) != busy) retry.alike = 0;
  const Nanos wait = std::min(first * (std::int64_t{1} << std::min(retry.alike, 12U)), most);
  ++retry.alike;
  ++retry.attempts;
  const std::string text = kept(error.message);
  retry.said = retry.said && retry.error == text;
  retry.error = text;
  retry.not_before = add(endings_.parts.clock.instant(), wait);
}

Error DueQueue::naming_holder(Error error) {
  const std::string account = std::exchange(error.detail, {});
  if (account.empty()) return error;
  std::string lease;
  bool known = false;
  {
    MutexLock lock(mutex_);
    known = holder_.first == account;
    lease = holder_.second;
  }
  if (!known) {
    lease = lease_of(account);
    MutexLock lock(mutex_);
    holder_ = {account, lease};
  }
  error.message += "; it is an account of this vault";
  if (!lease.empty()) error.message += ", and ends when its lease is revoked: " + lease;
  return error;
}

// Empty: it is not among the first ones.
std::string DueQueue::lease_of(const std::string& account) const {
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return {};
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  const barrier::PhysicalKey from(barrier::Table::lease);
  std::vector<OrderedId> ids;
  txn.scan(from, from.end_of_prefix(), kLookedThrough, storage::Scan::keys,
           [&](const storage::Entry& entry) {
             ids.push_back(barrier::id_at_end(entry.key));
             return true;
           })
      .ignore();
  for (const OrderedId& id : ids)
    if (const auto lease = endings_.parts.leases.load(txn, id);
        lease.ok() && *lease && (*lease)->account == account)
      return (*lease)->lease_id;
  return {};
}

std::string DueQueue::trouble_with(const OrderedId& id) {
  MutexLock lock(mutex_);
  const auto retry = retries_.find(id);
  return retry == retries_.end() ? std::string() : retry->second.error;
}

// A lease that its target refuses to end: in the log when it begins and when the reason changes,
// and once on record. Of many leases at once each gets its turn with a later attempt.
void DueQueue::say_failure(const OrderedId& id, const Status& status) {
  if (status.ok() || status.is(Code::unavailable)) return;
  const Instant now = endings_.parts.clock.instant();
  bool says = false, records = false;
  {
    MutexLock lock(mutex_);
    const auto retry = retries_.find(id);
    if (retry == retries_.end()) return;
    // One that was in use for a moment is no news.
    const bool refused = !status.is(Code::deadline);
    records = refused && !std::exchange(retry->second.recorded, true);
    says = !retry->second.said && (refused || retry->second.attempts > 1) && !(now < say_after_);
    if (says) {
      retry->second.said = true;
      say_after_ = add(now, kSayEvery);
    }
  }
  if (!says && !records) return;
  auto held = endings_.parts.snapshots.take();
  if (!held.ok()) return;
  ReadTxn txn(**held, endings_.parts.barrier, barrier::kCoreSpace);
  const auto lease = endings_.parts.leases.load(txn, id);
  if (!lease.ok() || !*lease) return;
  if (says)
    endings_.parts.log.warn(
        "the lease {} (account {}) has ended and cannot be revoked yet, it is tried again: {}",
        (*lease)->lease_id, (*lease)->account, status.error().message);
  if (!records || (*lease)->probe) return;
  Json fields = Json::object();
  fields.set("lease_id", (*lease)->lease_id).set("account", (*lease)->account);
  fields.set("error", kept(status.error().message));
  fields.set("request_id", (*lease)->request_id);
  commit::Changes changes;
  changes.background = true;
  const commit::Batch batch(
      std::move(changes),
      audit::event_body("lease-revocation-failed", endings_.parts.clock.now(), fields.dump()));
  endings_.parts.committer.commit(batch).status().ignore();  // its end will be on record
}

}  // namespace leasehold::core
