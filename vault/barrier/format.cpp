#include "vault/barrier/format.h"

namespace leasehold::barrier {

PhysicalKey PhysicalKey::end_of_prefix() const {
  PhysicalKey end = *this;
  while (end.size_ > 0 && end.bytes_[end.size_ - 1] == 0xff) end.bytes_[--end.size_] = 0;
  VAULT_ASSERT(end.size_ > 0);  // tables end far below 0xff
  ++end.bytes_[end.size_ - 1];
  return end;
}

PhysicalKey PhysicalKey::successor() const {
  if (size_ == kMax) return end_of_prefix();  // no well-formed key is longer
  PhysicalKey next = *this;
  next.push(std::uint8_t{0});
  return next;
}

NameOrder name_order(ByteView sealed) {
  if (sealed.size() < kOverheadMax || sealed[0] != kFormatWithOrder) return std::nullopt;
  return get_be(&sealed[kHeaderSize], kOrderSize);
}

PhysicalKey name_of(const PhysicalKey& value, NameOrder order) {
  if (!order) return value.in(Table::name);
  constexpr std::size_t kDirectory = 1 + kSpaceSize + kHashSize;
  PhysicalKey key = PhysicalKey::from(value.view().first(kDirectory)).in(Table::name);
  key.push_be(*order, kOrderSize);
  key.push(value.view().subspan(kDirectory, kHashSize - kOrderSize));
  return key;
}

bool is_well_formed(ByteView key) {
  if (key.empty() || key.size() > PhysicalKey::kMax) return false;
  constexpr std::size_t kTree = 1 + kSpaceSize + 2 * kHashSize;
  constexpr std::size_t kOrdered = 1 + kOrderedIdSize;
  constexpr std::size_t kTargetSize = 8, kGroupSize = 8, kPartSize = 2;
  switch (static_cast<Table>(key[0])) {
    case Table::head:
    case Table::restored:
      return key.size() == 1;
    case Table::revision:
      return key.size() == 1 || (key.size() == 2 && (key[1] == 'm' || key[1] == 'i'));
    case Table::incarnation:
      return key.size() == 1 + kGroupSize;
    case Table::seal:
      return key.size() > 1;
    case Table::value:
    case Table::name:
    case Table::counter:
      return key.size() == kTree;
    case Table::token:
    case Table::lease:
    case Table::receipt:
    case Table::wrapped:
    case Table::cubbyhole:
      return key.size() == kOrdered;
    case Table::child:
    case Table::lease_owner:
      return key.size() == kOrdered + kOrderedIdSize;
    case Table::lease_path:
      return key.size() == kOrdered + kHashSize;
    case Table::expiry:
      return key.size() == kOrdered + kMillisSize + 1;
    case Table::due:
      return key.size() == kOrdered + kTargetSize + kMillisSize;
    case Table::job:
      return key.size() == kOrdered + kMillisSize;
    case Table::outbox:
      return key.size() == 1 + kGroupSize + kPartSize;
  }
  return false;
}

Bytes aad_for(const StoreId& store, ByteView header, ByteView key) {
  VAULT_ASSERT(header.size() == kHeaderSize || header.size() == kHeaderSize + kOrderSize);
  Bytes aad;
  aad.reserve(store.size() + header.size() + key.size());
  append(aad, store);
  append(aad, header);
  append(aad, key);
  return aad;
}

}  // namespace leasehold::barrier
