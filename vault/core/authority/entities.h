#pragma once
// Entities: one for each person or machine, whatever names it logs in with. An alias is a name
// within one auth mount (by its accessor) and belongs to one entity; a first login makes both, in
// the batch of its token. Stored in the core's space: "identity/alias/<accessor>/<name in hex>" and
// "identity/entity/<id>". Thread-safe functions.

#include <string>

#include "vault/commit/txn.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

inline constexpr std::size_t kAliasMax = 512;  // bytes of a name

// The entity's id, made now when this alias is new. Code::invalid for a name that is empty or too
// long. `core` is a transaction in the core's space.
Result<std::string> entity_of(WriteTxn& core, const MountInfo& mount, std::string_view alias,
                              WallTime now, Random& random);

}  // namespace leasehold::core
