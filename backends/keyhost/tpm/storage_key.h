#pragma once
// The storage root key (SRK): the parent of every sealed object. Which one it was is known by its
// Name, the hash of its public part, and by how it can be found again.
// Source: TCG TPM v2.0 Provisioning Guidance, 7.5.1; TCG EK Credential Profile, template L-2.

#include "backends/keyhost/tpm/esys.h"

namespace leasehold::keyhost::tpm {

// How to get the key. DO NOT CHANGE A VALUE: they are in slots.
enum class KeySource : std::uint8_t {
  persistent = 1,  // at 0x81000001, made by the operating system or the operator
  empty = 2,       // made from the template, `unique` empty
  zeros = 3,       // made from the template, `unique` 32 and 32 zero bytes: another key
};
inline constexpr TPM2_HANDLE kPersistentKey = 0x81000001;

// For a new slot: the persistent key if it is a storage key, else a new primary.
bool any_storage_key(Esys& tpm, Handle& key, KeySource& source, Bytes& name);
// For a stored slot: the key of exactly this Name, or trouble "replaced".
bool same_storage_key(Esys& tpm, KeySource source, ByteView name, Handle& key);

}  // namespace leasehold::keyhost::tpm
