#pragma once
// The keys of the indexes over tokens and leases: when each ends, what a token owns, and the sweeps
// that are queued. An index has no contents: its key says all, and stands or falls in the batch of
// the record that it leads to. Free functions, from any thread.

#include <optional>

#include "vault/base/clock.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

using commit::WriteTxn;

// `table`: of the record that ends then.
barrier::PhysicalKey expiry_key(WallTime when, barrier::Table table, const barrier::OrderedId& id);
// Rewrites the index entry when the expiry moved.
Status move_expiry(WriteTxn& txn, barrier::Table table, const barrier::OrderedId& id,
                   const std::optional<WallTime>& from, const std::optional<WallTime>& to);
barrier::PhysicalKey child_key(const barrier::OrderedId& parent, const barrier::OrderedId& child);
barrier::PhysicalKey owner_key(const barrier::OrderedId& owner, const barrier::OrderedId& lease);
barrier::PhysicalKey job_key(WallTime when, const barrier::OrderedId& id);

}  // namespace leasehold::core
