#include "vault/core/authority/indexes.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

PhysicalKey expiry_key(WallTime when, Table table, const OrderedId& id) {
  PhysicalKey key(Table::expiry);
  key.push_be(static_cast<std::uint64_t>(when.millis()), barrier::kMillisSize);
  key.push(static_cast<std::uint8_t>(table));
  key.push(id);
  return key;
}
PhysicalKey child_key(const OrderedId& parent, const OrderedId& child) {
  PhysicalKey key(Table::child);
  key.push(parent);
  key.push(child);
  return key;
}
PhysicalKey owner_key(const OrderedId& owner, const OrderedId& lease) {
  PhysicalKey key(Table::lease_owner);
  key.push(owner);
  key.push(lease);
  return key;
}
PhysicalKey job_key(WallTime when, const OrderedId& id) {
  PhysicalKey key(Table::job);
  key.push_be(static_cast<std::uint64_t>(when.millis()), barrier::kMillisSize);
  key.push(id);
  return key;
}

Status move_expiry(WriteTxn& txn, Table table, const OrderedId& id,
                   const std::optional<WallTime>& from, const std::optional<WallTime>& to) {
  if (from && to && from->millis() == to->millis()) return {};  // the same key
  if (from) VAULT_TRY(txn.erase(expiry_key(*from, table, id)));
  if (to) VAULT_TRY(txn.mark(expiry_key(*to, table, id)));
  return {};
}

}  // namespace leasehold::core
