#pragma once
// Service tokens. One record per token, keyed by its time and a keyed hash; the record never holds
// the token itself. A token is valid iff its record exists, is not expired, the auth method that it
// logged in at, if any, still stands where it stood, and its parent, if any, is valid, read upward
// in the request's own snapshot (at most 32 steps). So revoking a tree is erasing one record, and
// disabling an auth method is changing one; the tokens and leases below are invalid at once, and a
// job sweeps their records.
//
//   token    hvs. | base62(be48 ms, 24 random bytes)       ms is 0 for root and custom tokens
//   accessor base62(be48 ms, HMAC(token key, token)[12])
//   record   token | be48 ms | H(accessor)[16]
//
// A batch token has no record: it is its own (batch_tokens.h), and is valid iff it is not expired,
// its auth method stands, its parent, if any, is valid, and no older copy of the store was put back
// since it was made.
//
// Every look-up reads the record's version in the caller's snapshot; only what it costs to open and
// decode the same version again is saved (token_cache.h). Thread-safe.

#include <optional>

#include "vault/core/authority/batch_tokens.h"
#include "vault/core/authority/token.h"
#include "vault/core/authority/token_cache.h"
#include "vault/core/contract/router.h"

namespace leasehold::core {

inline constexpr unsigned kTokenDepthMax = 32;
inline constexpr std::size_t kTokenSizeMax = 2048;

struct Compiled;

class Tokens {
 public:
  Tokens(const barrier::Barrier& barrier, Random& random);

  barrier::OrderedId id_of(std::string_view token) const;
  std::optional<barrier::OrderedId> id_of_accessor(std::string_view accessor) const;

  // The record alone, valid or not.
  Result<std::optional<Token>> load(ReadTxn& txn, const barrier::OrderedId& id) const;
  // With its ancestors: null unless valid at `now`. `mounts`: as `txn` shows them. `chain` receives
  // the keys and versions that must still hold when a change made on this token's authority is
  // committed.
  using Chain = std::vector<std::pair<barrier::PhysicalKey, std::uint64_t>>;
  Result<TokenRef> valid(ReadTxn& txn, const MountTable& mounts, const barrier::OrderedId& id,
                         WallTime now, Chain* chain) const;
  // Of the token as it was presented, a batch token or not.
  Result<TokenRef> valid(ReadTxn& txn, const Compiled& compiled, std::string_view text,
                         WallTime now, Chain* chain) const;
  // Records by the time of their creation, from that of the accessor `from` on (empty: all), valid
  // or not, until `take` says false; those that cannot be read are passed over. After `max` it
  // stops with the millisecond it is in, and `cut` says so.
  Status each(ReadTxn& txn, std::string_view from, std::size_t max, bool& cut,
              FunctionRef<bool(const Token&)> take) const;
  Result<std::int64_t> uses_left(ReadTxn& txn, const Token& token) const;

  // Writes a new record with its indexes; of a batch token nothing. Code::invalid when its texts
  // are more than 16 KiB together, or more than a batch token holds. `wanted_id`: empty for a
  // random token, else the text itself. `short_form`: the 28-character form of root tokens.
  Result<SecretBytes> create(WriteTxn& txn, Token& token, std::string_view wanted_id,
                             bool short_form) const;
  Status update(WriteTxn& txn, const Token& before, const Token& after) const;
  // Erases the record and queues the sweep of what hangs below.
  Status revoke(WriteTxn& txn, const Token& token, WallTime now) const;
  // As above, but children live on: under a stub, until the sweep has made each an orphan.
  Status revoke_orphan(WriteTxn& txn, const Token& token, WallTime now) const;

  // A child of `parent`, a stub: from now on it has no parent.
  Status make_orphan(WriteTxn& txn, const Token& child, const barrier::OrderedId& parent) const;

  // One step of a queued sweep: at most `limit` children or leases of `id` are handled. True: done,
  // the job is erased. `swept` is told each token that ends, `revoke_lease` each lease found.
  Result<bool> sweep(WriteTxn& txn, const barrier::PhysicalKey& job, WallTime now,
                     FunctionRef<void(const Token&)> swept,
                     FunctionRef<Status(WriteTxn&, const barrier::OrderedId&)> revoke_lease) const;

  // What its leases hang below, and end with: the token itself; of a batch token its parent or,
  // without one, its auth method where that stands.
  barrier::OrderedId owner_of_leases(const Token& token, const MountTable& mounts) const;
  // `mount`: null for those that no auth method gave.
  barrier::OrderedId owner_of_batch_leases(const MountInfo* mount) const;
  barrier::PhysicalKey uses_key(const Token& token) const;
  barrier::PhysicalKey key_of(const barrier::OrderedId& id) const;

 private:
  using AccessorBytes = std::array<std::uint8_t, 18>;  // be48 ms | 12 of the HMAC
  AccessorBytes accessor_of(std::string_view token) const;
  barrier::OrderedId id_of(const AccessorBytes& accessor) const;
  // The record as `txn` shows it, opened only when this version was not opened before.
  Result<TokenRef> current(ReadTxn& txn, const barrier::OrderedId& id) const;
  Status write(WriteTxn& txn, const Token& token) const;
  // Indexes and counter of a token go, the sweep is queued; the record itself is the caller's.
  Status forget(WriteTxn& txn, const Token& token, WallTime now) const;
  const barrier::Barrier& barrier_;
  Random& random_;
  const crypto::HmacKey accessor_key_;
  const BatchTokens batch_tokens_;
  mutable TokenCache cache_;
};

}  // namespace leasehold::core
