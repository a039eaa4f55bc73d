#pragma once
// What the vault was configured with when it was last opened. A seal, an audit device or a limit
// that the file has changed since is recorded in the audit log, by the name of its stanza. Values
// never leave the composition root: parts come as digests, and are kept as HMACs.

#include "vault/core/road/unsealed.h"

namespace leasehold::core {

// Compares with what stands in storage; a difference is an event "config-changed" that names the
// parts, in the batch that stores the new ones. Thread-safe.
Status note_configuration(Unsealed& live);

}  // namespace leasehold::core
