#include "vault/barrier/format.h"

namespace leasehold::barrier {

PhysicalKey PhysicalKey::end_of_prefix() const {
  PhysicalKey end = *this;
  while (end.size_ > 0 && end.bytes_[end.size_ - 1] == 0xff) end.bytes_[--end.size_] = 0;
  VAULT_ASSERT(end.size_ > 0);  // tables end far below 0xff
  ++end.bytes_[end.size_ - 1];
  return end;
}

Bytes aad_for(const StoreId& store, ByteView header, ByteView key) {
  VAULT_ASSERT(header.size() == kHeaderSize);
  Bytes aad;
  aad.reserve(store.size() + header.size() + key.size());
  append(aad, store);
  append(aad, header);
  append(aad, key);
  return aad;
}

}  // namespace leasehold::barrier
