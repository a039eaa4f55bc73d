#pragma once
// The policy bytes of a "tpm" slot: what is needed to find the storage key and unseal the object.
// DO NOT CHANGE THE FORMAT: it is on users' disks. Add a version.

#include "backends/keyhost/tpm/pcrs.h"
#include "backends/keyhost/tpm/storage_key.h"

namespace leasehold::keyhost::tpm {

struct SlotPolicy {
  KeySource source = KeySource::empty;
  Bytes key_name;      // of the storage key
  PcrValues pcrs;      // as they were; rising indexes
  Bytes pin_salt;      // of a slot with a PIN; else empty
  Bytes public_area;   // TPM2B_PUBLIC of the sealed object
  Bytes private_area;  // TPM2B_PRIVATE

  Bytes serialize() const;
  static Result<SlotPolicy> deserialize(ByteView bytes);
};

}  // namespace leasehold::keyhost::tpm
