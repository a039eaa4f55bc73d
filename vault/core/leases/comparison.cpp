#include "vault/core/leases/comparison.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr Nanos kListLimit{Seconds{15}};
constexpr Nanos kAnswersBy{Seconds{20}};    // a driver that hangs is left to its lane
constexpr Nanos kLookEvery{Millis{100}};    // whether it is to stop
constexpr std::size_t kReadAtOnce = 1000;   // leases, of all mounts
constexpr std::size_t kAdoptedAtOnce = 16;  // accounts in a batch
constexpr std::string_view kPath = "reconciled";

// Shared with the lane, which may still list after compare() stopped waiting.
struct Listing : target::Job {
  Mutex mutex;
  Condition changed;
  bool ended GUARDED_BY(mutex) = false;
  Status status GUARDED_BY(mutex);
  std::vector<std::string> names GUARDED_BY(mutex);
};

}  // namespace

Result<std::vector<std::string>> Comparison::list(target::Lane& lane) const {
  Clock& clock = parts_.clock;
  auto listing = std::make_shared<Listing>();
  Listing* self = listing.get();  // the lane keeps it alive while it calls
  listing->deadline = add(clock.instant(), kListLimit);
  listing->work = [self, tag = parts_.revoker.tag()](target::Connection& connection,
                                                     Instant deadline) -> Status {
    VAULT_TRY_ASSIGN(auto found, connection.list(target::account_prefix(tag), deadline));
    MutexLock lock(self->mutex);
    for (std::string& name : found)
      if (target::is_account_of(tag, name)) self->names.push_back(std::move(name));
    std::sort(self->names.begin(), self->names.end());
    return {};
  };
  listing->done = [self](Status status, bool) {
    MutexLock lock(self->mutex);
    self->status = std::move(status);
    self->ended = true;
    self->changed.notify_all();
  };
  VAULT_TRY(lane.submit(listing));
  const Instant end = add(clock.instant(), kAnswersBy);
  MutexLock lock(listing->mutex);
  while (!listing->ended) {
    if (stopped_) return failure(Code::unavailable, "the vault is shutting down");
    if (clock.instant() >= end) return failure(Code::deadline, "the target did not answer in time");
    listing->changed.wait_for(listing->mutex, kLookEvery);
  }
  VAULT_TRY(listing->status);
  return std::move(listing->names);
}

namespace {

bool has(const std::vector<std::string>& sorted, const std::string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

std::string found_event(const Lease& lease, const MountInfo& mount, WallTime now) {
  Json fields = Json::object();
  fields.set("lease_id", lease.lease_id).set("account", lease.account);
  fields.set("mount", mount.path).set("target", hex(lease.target));
  return audit::event_body("account-without-lease", now, fields.dump());
}

}  // namespace

// Both sides while they are compared.
struct Comparison::Books {
  const TargetId target;
  const target::Tag& tag;
  const std::vector<std::string> listed;  // sorted
  std::set<std::string> without_lease;    // of `listed`
  Compared& compared;

  void enter(const Lease& lease) {
    const bool here = lease.target == target;
    if (without_lease.erase(lease.account) > 0) {
      if (here) ++compared.in_both;
      return;
    }
    if (!here || lease.state != Lease::State::active) return;
    if (!target::is_account_of(tag, lease.account))
      ++compared.named_otherwise;
    else if (!has(listed, lease.account))
      compared.only_in_leases.push_back({lease.id, lease.lease_id, lease.account});
  }
};

// A snapshot for each part: none is held for as long as a walk takes.
Status Comparison::read_leases(Books& books) const {
  PhysicalKey from(Table::lease);
  const PhysicalKey end = from.end_of_prefix();
  for (;;) {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
    std::vector<OrderedId> part;
    VAULT_TRY(
        txn.scan(from, end, kReadAtOnce, storage::Scan::keys, [&](const storage::Entry& entry) {
          part.push_back(barrier::id_at_end(entry.key));
          return true;
        }));
    for (const OrderedId& id : part) {
      const auto lease = parts_.leases.load(txn, id);
      if (lease.ok() && *lease) books.enter(**lease);
      books.compared.unreadable = books.compared.unreadable || !lease.ok();
    }
    if (part.size() < kReadAtOnce) return {};
    from = lease_key(part.back()).end_of_prefix();
  }
}

Compared Comparison::compare(const MountInfo& mount, const TargetId& target) const {
  Compared compared;
  compared.target = target;
  compared.status = compare_now(mount, compared);
  return compared;
}

Status Comparison::compare_now(const MountInfo& mount, Compared& compared) const {
  std::shared_ptr<target::Lane> lane;
  {
    VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
    ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(lane, parts_.revoker.lane(txn, mount.space, compared.target));
  }
  const target::Tag& tag = parts_.revoker.tag();
  VAULT_TRY_ASSIGN(auto listed, list(*lane));
  const std::set<std::string> all(listed.begin(), listed.end());
  Books books{compared.target, tag, std::move(listed), all, compared};
  VAULT_TRY(read_leases(books));
  compared.only_at_target.assign(books.without_lease.begin(), books.without_lease.end());
  return compared.agree() ? Status() : see_again(*lane, compared);
}

// An account may have gone, or come, since the first look.
Status Comparison::see_again(target::Lane& lane, Compared& compared) const {
  VAULT_TRY_ASSIGN(const auto listed, list(lane));
  auto& accounts = compared.only_at_target;
  accounts.erase(std::remove_if(accounts.begin(), accounts.end(),
                                [&](const std::string& name) { return !has(listed, name); }),
                 accounts.end());
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  ReadTxn txn(*held, parts_.barrier, barrier::kCoreSpace);
  std::vector<Compared::Unfounded> still;
  for (Compared::Unfounded& one : compared.only_in_leases) {
    const auto lease = parts_.leases.load(txn, one.id);
    const bool active = lease.ok() && *lease && (*lease)->state == Lease::State::active;
    if (active && !has(listed, one.account)) still.push_back(std::move(one));
  }
  compared.only_in_leases = std::move(still);
  return {};
}

Result<std::vector<PhysicalKey>> Comparison::mend(const MountInfo& mount, const Compared& compared,
                                                  bool both) {
  if (compared.unreadable && !compared.only_at_target.empty())
    return failure(Code::unavailable,
                   "there are leases that cannot be read, and these accounts may be on them: "
                   "nothing was revoked; run `leasehold operator verify`");
  std::vector<PhysicalKey> ending;
  {
    MutexLock lock(mutex_);
    std::vector<std::string> ours;
    for (const std::string& account : compared.only_at_target)
      if (adopted_.count(account) == 0) ours.push_back(account);
    const std::span<const std::string> all(ours);
    for (std::size_t at = 0; at < all.size(); at += kAdoptedAtOnce) {
      const auto part = all.subspan(at, std::min(kAdoptedAtOnce, all.size() - at));
      VAULT_TRY(adopt(mount, compared, part, ending));
      adopted_.insert(part.begin(), part.end());
    }
  }
  for (const Compared::Unfounded& one : compared.only_in_leases) {
    if (!both) break;
    parts_.revoker.revoke_soon(one.id);
    ending.push_back(lease_key(one.id));
  }
  parts_.revoker.wake();
  return ending;
}

Status Comparison::adopt(const MountInfo& mount, const Compared& compared,
                         std::span<const std::string> accounts,
                         std::vector<PhysicalKey>& ending) const {
  VAULT_TRY_ASSIGN(auto held, parts_.snapshots.take());
  const WallTime now = parts_.clock.now();
  commit::Changes changes;
  changes.background = true;
  WriteTxn txn(*held, parts_.barrier, barrier::kCoreSpace, changes);
  Texts events;
  for (const std::string& account : accounts) {
    Lease lease;
    parts_.leases.name(lease, mount.path + std::string(kPath), now, parts_.random);
    lease.target = compared.target;
    lease.space = mount.space;
    lease.account = account;
    VAULT_TRY(parts_.leases.write_revoking(txn, lease, now));
    events.push_back(found_event(lease, mount, now));
    ending.push_back(lease_key(lease.id));
  }
  const commit::Batch batch(std::move(changes), std::move(events));
  return parts_.committer.commit(batch).status();
}

}  // namespace leasehold::core
