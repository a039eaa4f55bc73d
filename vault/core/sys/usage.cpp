#include "vault/core/sys/usage.h"

#include <algorithm>
#include <iterator>

#include "vault/base/mutex.h"

namespace leasehold::core {

namespace {

using barrier::PhysicalKey;
using barrier::Table;

constexpr std::size_t kAtOnce = 1000;            // then the snapshot is renewed
constexpr std::size_t kTokensLookedAt = 20'000;  // beyond that they are only counted
constexpr Seconds kKeptAtLeast{10};
constexpr std::int64_t kKeptTimes = 50;
constexpr Seconds kOverdueAfter{60};

// As Vault groups tokens by how long they were made for.
struct TtlGroup {
  Seconds most;
  const char* name;
};
constexpr TtlGroup kTtlGroups[] = {
    {Seconds{60}, "1m"},      {Seconds{600}, "10m"},    {Seconds{1200}, "20m"},
    {Seconds{3600}, "1h"},    {Seconds{7200}, "2h"},    {Seconds{86'400}, "1d"},
    {Seconds{172'800}, "2d"}, {Seconds{604'800}, "7d"}, {Seconds{2'592'000}, "30d"},
};

std::string ttl_group(const Token& token) {
  if (token.creation_ttl.count() > 0)
    for (const TtlGroup& group : kTtlGroups)
      if (token.creation_ttl <= group.most) return group.name;
  return "+Inf";
}

// Every key that begins with `prefix`, in order; what comes or goes meanwhile may be missed.
Status each_key(ReadTxn& txn, const PhysicalKey& prefix, FunctionRef<void(ByteView)> take) {
  PhysicalKey from = prefix;
  const PhysicalKey end = prefix.end_of_prefix();
  for (;;) {
    std::size_t seen = 0;
    PhysicalKey last;
    VAULT_TRY(txn.scan(from, end, kAtOnce, storage::Scan::keys, [&](const storage::Entry& entry) {
      ++seen;
      last = PhysicalKey::from(entry.key);
      take(entry.key);
      return true;
    }));
    if (seen < kAtOnce) return {};
    from = last.successor();
    VAULT_TRY(txn.snapshot().renew());
  }
}

Result<std::int64_t> count_of(ReadTxn& txn, Table table) {
  std::int64_t count = 0;
  VAULT_TRY(each_key(txn, PhysicalKey(table), [&count](ByteView) { ++count; }));
  return count;
}

// Of the keys `target | ms | lease`: those whose time was before `now`.
Result<std::int64_t> overdue(ReadTxn& txn, WallTime now) {
  const auto limit = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, add(now, Nanos(-Nanos(kOverdueAfter).count())).millis()));
  std::int64_t count = 0;
  VAULT_TRY(each_key(txn, PhysicalKey(Table::due), [&](ByteView key) {
    constexpr std::size_t kBehind = barrier::kOrderedIdSize + barrier::kMillisSize;
    if (key.size() > kBehind &&
        get_be(key.data() + key.size() - kBehind, barrier::kMillisSize) < limit)
      ++count;
  }));
  return count;
}

// The names of a space are those of its secrets, and each directory that is not the root has one,
// too. The names of a directory share its hash.
Result<std::int64_t> secrets_of(ReadTxn& txn, const barrier::Space& space) {
  PhysicalKey prefix(Table::name);
  prefix.push(ByteView(space));
  const std::size_t directory_end = prefix.size() + barrier::kHashSize;
  std::int64_t names = 0, directories = 0;
  Bytes directory;
  VAULT_TRY(each_key(txn, prefix, [&](ByteView key) {
    ++names;
    const ByteView here = key.first(std::min(key.size(), directory_end));
    if (std::equal(here.begin(), here.end(), directory.begin(), directory.end())) return;
    directory = to_bytes(here);
    ++directories;
  }));
  return std::max<std::int64_t>(0, names - std::max<std::int64_t>(0, directories - 1));
}

// Tokens may name policies that nobody wrote: so many have a series of their own.
constexpr std::size_t kPoliciesShown = 1000;

void look_at(const Token& token, const MountTable& mounts, Usage& usage) {
  for (const std::string& policy : token.policies) {
    const bool shown =
        usage.by_policy.size() < kPoliciesShown || usage.by_policy.count(policy) != 0;
    ++usage.by_policy[shown ? policy : "other"];
  }
  std::string auth = "token";
  if (!token.mount.empty()) {
    const Mount* mount = mounts.by_accessor(token.mount);
    auth = mount != nullptr ? mount->info.type : "unknown";
  }
  ++usage.by_auth[auth];
  ++usage.by_ttl[ttl_group(token)];
}

Result<std::shared_ptr<const Usage>> count(Unsealed& live) {
  auto usage = std::make_shared<Usage>();
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  ReadTxn txn(*held, live.barrier, barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(usage->tokens, count_of(txn, Table::token));
  VAULT_TRY_ASSIGN(usage->leases, count_of(txn, Table::lease));
  VAULT_TRY_ASSIGN(usage->expiring, count_of(txn, Table::expiry));
  VAULT_TRY_ASSIGN(usage->overdue, overdue(txn, live.environment.clock.now()));
  for (const auto& entry : compiled->mounts.all()) {
    if (entry.second->info.type != "kv") continue;
    VAULT_TRY_ASSIGN(usage->secrets[entry.first], secrets_of(txn, entry.second->info.space));
  }
  VAULT_TRY_ASSIGN(const auto entities, txn.list("identity/entity/"));
  usage->entities = std::ssize(entities);
  usage->knows_tokens = usage->tokens <= static_cast<std::int64_t>(kTokensLookedAt);
  if (usage->knows_tokens) {
    bool cut = false;
    VAULT_TRY(live.tokens.each(txn, "", kTokensLookedAt, cut, [&](const Token& token) {
      look_at(token, compiled->mounts, *usage);
      return true;
    }));
  }
  return std::shared_ptr<const Usage>(std::move(usage));
}

}  // namespace

class UsageCount {
 public:
  Result<std::shared_ptr<const Usage>> of(Unsealed& live) {
    MutexLock lock(mutex_);
    const Instant begun = live.environment.clock.instant();
    if (usage_ && begun < anew_) return usage_;
    VAULT_TRY_ASSIGN(usage_, count(live));
    const Instant ended = live.environment.clock.instant();
    const std::int64_t rest = (ended.ns - begun.ns) * kKeptTimes;
    anew_ = add(ended, Nanos(std::max<std::int64_t>(Nanos(kKeptAtLeast).count(), rest)));
    return usage_;
  }

 private:
  Mutex mutex_;
  std::shared_ptr<const Usage> usage_ GUARDED_BY(mutex_);
  Instant anew_ GUARDED_BY(mutex_){};
};

namespace {

// Of each vault that is open: a process has one, a test may have several.
struct Counts {
  Mutex mutex;
  std::map<const Unsealed*, std::weak_ptr<UsageCount>> all GUARDED_BY(mutex);

  static Counts& get() {
    static Counts& counts = *new Counts;  // threads may ask while main() ends
    return counts;
  }
  std::shared_ptr<UsageCount> of(const Unsealed& live) {
    MutexLock lock(mutex);
    const auto known = all.find(&live);
    return known == all.end() ? nullptr : known->second.lock();
  }
  void set(const Unsealed& live, const std::shared_ptr<UsageCount>& count) {
    MutexLock lock(mutex);
    for (auto one = all.begin(); one != all.end();)
      one = one->second.expired() ? all.erase(one) : std::next(one);
    all[&live] = count;
  }
};

}  // namespace

Result<std::shared_ptr<const Usage>> usage_of(Unsealed& live) {
  const std::shared_ptr<UsageCount> kept = Counts::get().of(live);
  return kept ? kept->of(live) : count(live);
}

std::shared_ptr<UsageCount> keep_usage(Unsealed& live) {
  auto kept = std::make_shared<UsageCount>();
  Counts::get().set(live, kept);
  return kept;
}

}  // namespace leasehold::core
