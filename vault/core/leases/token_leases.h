#pragma once
// The leases of tokens, as sys/leases shows them. A token that expires has one, without a record of
// its own: it is named by the path the token was made at and a keyed hash of its accessor, so that
// knowing an accessor does not allow to look up what only the token's owner may see. Thread-safe
// functions.

#include <string>
#include <string_view>
#include <vector>

#include "vault/core/authority/tokens.h"

namespace leasehold::core {

bool has_lease(const Token& token);
std::string lease_id_of(const Token& token);  // "auth/token/create/h<64 hex digits>"
// As earlier versions named it, after the accessor: good for revocation only.
std::string old_lease_id_of(const Token& token);
// Whether a lease id, or a prefix of some, is one of tokens: it lies in "auth/".
bool is_token_lease(std::string_view lease_id);

// Null: no such token, or it is not valid at `now`.
Result<TokenRef> find_by_lease(const Tokens& tokens, const MountTable& mounts, ReadTxn& txn,
                               std::string_view lease_id, WallTime now);
Result<TokenRef> find_by_old_lease(const Tokens& tokens, const MountTable& mounts, ReadTxn& txn,
                                   std::string_view lease_id, WallTime now);
// The names one level below `directory` ("" or ending in '/'), sorted, directories ending in '/';
// `cut`: there were more tokens than are looked at.
Result<std::vector<std::string>> list_token_leases(const Tokens& tokens, ReadTxn& txn,
                                                   std::string_view directory, WallTime now,
                                                   bool& cut);
// Whether a revocation by `prefix` means the token, and whether it means any, valid or not. The
// latter is true also when there are more tokens than are looked at.
bool is_token_below(const Token& token, std::string_view prefix);
Result<bool> any_token_below(const Tokens& tokens, ReadTxn& txn, std::string_view prefix);

}  // namespace leasehold::core
