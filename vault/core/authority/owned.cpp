#include "vault/core/authority/owned.h"

#include <algorithm>

#include "vault/core/authority/indexes.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Space;
using barrier::Table;

namespace {

constexpr std::size_t kRevokedAtOnce = 12;  // tokens or leases, by number
constexpr std::size_t kErasedAtOnce = 90;   // keys

Result<std::vector<OrderedId>> ids_below(ReadTxn& txn, Table table, const OrderedId& owner) {
  PhysicalKey from(table);
  from.push(owner);
  std::vector<OrderedId> ids;
  VAULT_TRY(txn.scan(from, from.end_of_prefix(), kRevokedAtOnce, storage::Scan::keys,
                     [&ids](const storage::Entry& entry) {
                       ids.push_back(barrier::id_at_end(entry.key));
                       return true;
                     }));
  return ids;
}

Result<bool> sweep_children(Ending& ending) {
  VAULT_TRY_ASSIGN(const auto children, ids_below(ending.txn, Table::child, ending.owner));
  for (const OrderedId& id : children) {
    VAULT_TRY_ASSIGN(const bool fits, has_room(ending.txn, ending.tokens.key_of(id)));
    if (!fits) break;
    const auto child = ending.tokens.load(ending.txn, id);
    if (ending.stub && child.ok() && *child) {
      VAULT_TRY(ending.tokens.make_orphan(ending.txn, **child, ending.owner));
      continue;
    }
    if (child.ok() && *child && !(*child)->stub) {
      VAULT_TRY(ending.tokens.revoke(ending.txn, **child, ending.now));
      ending.ended_token(**child);
      continue;
    }
    VAULT_TRY(ending.txn.erase(child_key(ending.owner, id)));
    if (child.ok()) continue;
    VAULT_TRY(ending.txn.version(ending.tokens.key_of(id)));
    // Damaged, so dead; what hangs below it goes too.
    VAULT_TRY(ending.txn.mark(job_key(ending.now, id)));
  }
  return !children.empty();
}

Result<bool> sweep_leases(Ending& ending) {
  VAULT_TRY_ASSIGN(const auto leases, ids_below(ending.txn, Table::lease_owner, ending.owner));
  for (const OrderedId& id : leases) {
    PhysicalKey record(Table::lease);
    record.push(id);
    VAULT_TRY_ASSIGN(const bool fits, has_room(ending.txn, record));
    if (!fits) break;
    VAULT_TRY(ending.revoke_lease(ending.txn, id));
  }
  return !leases.empty();
}

Result<bool> sweep_cubbyhole(Ending& ending) {
  VAULT_TRY_ASSIGN(const auto space, cubbyhole_of(ending.txn, ending.owner));
  if (!space) return false;
  std::vector<PhysicalKey> keys;
  for (const Table table : {Table::value, Table::name}) {
    PhysicalKey from(table);
    from.push(*space);
    VAULT_TRY(ending.txn.scan(from, from.end_of_prefix(), kErasedAtOnce - keys.size(),
                              storage::Scan::keys, [&keys](const storage::Entry& entry) {
                                keys.push_back(PhysicalKey::from(entry.key));
                                return true;
                              }));
  }
  for (const PhysicalKey& key : keys) VAULT_TRY(ending.txn.erase(key));
  if (keys.empty()) VAULT_TRY(ending.txn.erase(cubbyhole_key(ending.owner)));
  return true;
}

struct OwnedKind {
  std::string_view name;
  Result<bool> (*sweep)(Ending&);  // true: there was something, and there may be more
};
constexpr OwnedKind kKinds[] = {
    {"tokens made with it", sweep_children},
    {"leases", sweep_leases},
    {"its cubbyhole", sweep_cubbyhole},
};

}  // namespace

Result<bool> sweep_owned(Ending& ending) {
  for (const OwnedKind& kind : kKinds) {
    VAULT_TRY_ASSIGN(const bool swept, kind.sweep(ending));
    if (swept) return true;
  }
  return false;
}

Result<bool> owns_anything(ReadTxn& txn, const OrderedId& owner) {
  for (const Table table : {Table::child, Table::lease_owner}) {
    VAULT_TRY_ASSIGN(const auto ids, ids_below(txn, table, owner));
    if (!ids.empty()) return true;
  }
  VAULT_TRY_ASSIGN(const std::uint64_t cubbyhole, txn.version(cubbyhole_key(owner)));
  return cubbyhole != 0;
}

PhysicalKey cubbyhole_key(const OrderedId& owner) {
  PhysicalKey key(Table::cubbyhole);
  key.push(owner);
  return key;
}

Result<std::optional<Space>> cubbyhole_of(ReadTxn& txn, const OrderedId& owner) {
  VAULT_TRY_ASSIGN(const auto stored, txn.get(cubbyhole_key(owner)));
  if (!stored) return std::optional<Space>();
  const ByteView bytes = stored->value.reveal();
  Space space{};
  if (bytes.size() < space.size())
    return failure(Code::internal, "internal error", "a cubbyhole record is damaged");
  std::copy_n(bytes.begin(), space.size(), space.begin());
  return std::optional<Space>(space);
}

Result<Space> make_cubbyhole(WriteTxn& txn, const OrderedId& owner, Random& random) {
  VAULT_TRY_ASSIGN(const auto known, cubbyhole_of(txn, owner));
  if (known) return *known;
  const Space space = random.take<barrier::kSpaceSize>();
  VAULT_TRY(txn.put(cubbyhole_key(owner), "", space));
  return space;
}

}  // namespace leasehold::core
