#pragma once
// What hangs below a token and ends with it: a table of kinds, one row each. Ending a token erases
// its record and queues its sweep; the sweep empties kind after kind, a part in each step, so that
// its size is not bounded by what one batch holds. A wrapped answer is no row: it goes in the batch
// that ends its token (Tokens::forget). A kind that comes later is a row here and nothing else.
//
//   child         owner | id of a token       revoked; made orphans when revoke-orphan left a stub
//   lease_owner   owner | id of a lease       revoked at its target
//   cubbyhole     owner                       space[8] of what the token put there; emptied
//
// Thread-safe functions.

#include <optional>

#include "vault/core/authority/tokens.h"

namespace leasehold::core {

struct Ending {
  const Tokens& tokens;
  WriteTxn& txn;
  barrier::OrderedId owner{};
  bool stub = false;  // the owner's record stands as a stub: its children live on
  WallTime now;
  FunctionRef<void(const Token&)> ended_token;
  FunctionRef<Status(WriteTxn&, const barrier::OrderedId&)> revoke_lease;
};

// One part of the first kind of which anything is left. False: nothing is.
Result<bool> sweep_owned(Ending& ending);

// Whether anything still hangs below the id: a token made under it anew would own that.
Result<bool> owns_anything(ReadTxn& txn, const barrier::OrderedId& owner);

// A token's cubbyhole is a space of its own, found by the token's id alone.
barrier::PhysicalKey cubbyhole_key(const barrier::OrderedId& owner);
Result<std::optional<barrier::Space>> cubbyhole_of(ReadTxn& txn, const barrier::OrderedId& owner);
// The same, made when it is not there yet.
Result<barrier::Space> make_cubbyhole(WriteTxn& txn, const barrier::OrderedId& owner,
                                      Random& random);

}  // namespace leasehold::core
