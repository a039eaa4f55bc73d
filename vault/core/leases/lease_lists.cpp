// Which leases lie below a path: by the directories and marks that write_pending() leaves. A record
// that cannot be read hides nothing but itself.
#include <algorithm>

#include "vault/core/leases/leases.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::size_t kLookedAtOnce = 256;

std::string as_directory(std::string_view prefix) {
  std::string directory(prefix);
  if (!directory.empty() && !directory.ends_with('/')) directory += '/';
  return directory;
}

bool made_after(const OrderedId& id, WallTime until) {
  return get_be(id.data(), barrier::kMillisSize) > static_cast<std::uint64_t>(until.millis());
}

}  // namespace

bool is_below(std::string_view lease_id, std::string_view prefix) {
  if (prefix.ends_with('/')) prefix.remove_suffix(1);
  return lease_id.starts_with(prefix) &&
         (prefix.empty() || lease_id.size() == prefix.size() || lease_id[prefix.size()] == '/');
}

// Those directly in `directory`, in parts, until `take` says false.
Status Leases::each_listed(ReadTxn& txn, std::string_view directory,
                           FunctionRef<bool(const Lease&)> take) const {
  if (directory.empty()) return {};
  PhysicalKey from = path_key(directory.substr(0, directory.size() - 1));
  const PhysicalKey end = from.end_of_prefix();
  for (;;) {
    std::vector<OrderedId> part;
    PhysicalKey last;
    VAULT_TRY(
        txn.scan(from, end, kLookedAtOnce, storage::Scan::keys, [&](const storage::Entry& entry) {
          last = PhysicalKey::from(entry.key);
          part.push_back(barrier::id_at_end(entry.key));
          return true;
        }));
    for (const OrderedId& id : part) {
      const auto lease = load(txn, id);
      if (!lease.ok()) VAULT_TRY(txn.version(lease_key(id)));  // damaged, or storage failed
      if (!lease.ok() || !*lease) continue;
      if ((*lease)->state == Lease::State::revoking || (*lease)->probe) continue;
      if (!take(**lease)) return {};
    }
    if (part.size() < kLookedAtOnce) return {};
    from = last.end_of_prefix();
  }
}

Result<bool> Leases::any_below(ReadTxn& txn, const std::string& directory) const {
  std::vector<OrderedId> one;
  VAULT_TRY(collect(txn, directory, 1, kEndOfTime, one));
  return !one.empty();
}

// However deep they lie: paths are as long as names may be, and what is passed over is not revoked.
Status Leases::collect(ReadTxn& txn, const std::string& directory, std::size_t limit,
                       WallTime until, std::vector<OrderedId>& into) const {
  std::vector<std::string> ahead{directory};
  while (!ahead.empty()) {
    const std::string here = std::move(ahead.back());
    ahead.pop_back();
    VAULT_TRY(each_listed(txn, here, [&](const Lease& lease) {
      if (made_after(lease.id, until)) return false;  // and so are those that follow
      into.push_back(lease.id);
      return into.size() < limit;
    }));
    if (into.size() >= limit) return {};  // the names below may be many
    VAULT_TRY_ASSIGN(const auto names,
                     txn.in(barrier::kCoreSpace).list(std::string(kLeasePaths) + here));
    for (auto name = names.rbegin(); name != names.rend(); ++name)  // the first is next
      if (name->ends_with('/')) ahead.push_back(here + *name);
  }
  return {};
}

Result<std::vector<OrderedId>> Leases::below(ReadTxn& txn, std::string_view prefix,
                                             std::size_t limit, WallTime until) const {
  std::vector<OrderedId> ids;
  VAULT_TRY_ASSIGN(const auto exact,
                   find(txn, prefix.substr(0, prefix.size() - prefix.ends_with('/'))));
  if (exact) {
    if (exact->state != Lease::State::revoking) ids.push_back(exact->id);
    return ids;
  }
  VAULT_TRY(collect(txn, as_directory(prefix), limit, until, ids));
  return ids;
}

Result<std::vector<OrderedId>> Leases::revoking_below(ReadTxn& txn, std::string_view prefix,
                                                      std::size_t limit, WallTime until) const {
  std::vector<OrderedId> ids;
  PhysicalKey from(Table::due);
  const PhysicalKey end = from.end_of_prefix();
  Status looked;
  VAULT_TRY(txn.scan(from, end, SIZE_MAX, storage::Scan::keys, [&](const storage::Entry& entry) {
    const OrderedId id = barrier::id_at_end(entry.key);
    if (made_after(id, until)) return true;
    const auto lease = load(txn, id);
    if (!lease.ok()) {
      const auto there = txn.version(lease_key(id));
      if (!there.ok()) looked = there.error();
    } else if (*lease && is_below((*lease)->lease_id, prefix)) {
      ids.push_back(id);
    }
    return looked.ok() && ids.size() < limit;
  }));
  VAULT_TRY(std::move(looked));
  return ids;
}

Result<std::vector<std::string>> Leases::list(ReadTxn& txn, std::string_view prefix) const {
  std::vector<std::string> out;
  const std::string directory = as_directory(prefix);
  VAULT_TRY_ASSIGN(const auto names,
                   txn.in(barrier::kCoreSpace).list(std::string(kLeasePaths) + directory));
  for (const std::string& name : names) {
    if (!name.ends_with('/')) continue;
    VAULT_TRY_ASSIGN(const bool any, any_below(txn, directory + name));
    if (any) out.push_back(name);
  }
  VAULT_TRY(each_listed(txn, directory, [&](const Lease& lease) {
    out.push_back(lease.lease_id.substr(directory.size()));
    return true;
  }));
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace leasehold::core
