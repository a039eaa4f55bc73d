#pragma once
// Leases: one record each, a state machine PENDING -> ACTIVE -> REVOKING -> gone, with a receipt.
// The record holds all that revocation needs and no secret, so neither a deleted role nor a changed
// template can strand an account. PENDING, with its end already armed, is durable before the
// account exists.
//
//   lease        be48 ms of creation | H(lease id)      the record
//   expiry       be48 ms of the end | 'lease' | id      not yet due; one per live lease
//   due          target | be48 ms | id                  REVOKING, waiting for its target
//   lease_owner  token | id        lease_path  H(path) | id
//
// Thread-safe: no state.

#include <limits>
#include <optional>

#include "vault/commit/head.h"
#include "vault/core/authority/tokens.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

struct Lease {
  enum class State : std::uint8_t { pending = 1, active = 2, revoking = 3 };
  barrier::OrderedId id{};
  std::uint64_t mod = 0;
  State state = State::pending;
  std::string lease_id;  // "database/creds/ro/<25 characters>"
  TargetId target{};
  barrier::Space space{};  // of the mount whose engine knows the target
  std::string account, role, renewal_json;
  std::vector<std::string> revocation_statements;
  WallTime issued, expires;  // `expires` of a PENDING lease is the end of its issue
  std::optional<WallTime> last_renewal;
  WallTime due_since;  // of REVOKING: its time in the due queue
  Seconds ttl{0}, max_ttl{0};
  bool renewable = true;
  bool probe = false;      // a role being tried; never shown
  bool uncertain = false;  // CREATE may still be running somewhere: look twice
  barrier::OrderedId owner{};
  std::string owner_accessor, request_id;
  commit::Incarnation incarnation{};
  // What the target knows the account by, whatever its name is; empty: not known (it was never
  // confirmed, or the lease is of a version that did not ask).
  std::string handle;
  bool was_active = false;  // before REVOKING: a client had the credentials
  // Of one that a batch token was given: it ends with the token at the latest. Of a token without a
  // parent, the accessor of its auth method, if any: what it hangs below (Tokens::owner_of_leases).
  std::optional<WallTime> batch_ends;
  std::string batch_mount;
  Bytes unknown;  // fields of a later version

  std::string path() const;  // without the last segment
};

// A PENDING lease that is older is revoked: longer than any request waits for its target.
inline constexpr Seconds kIssueLimit{30};

// Why an account was not there when the vault came to remove it, for the record.
enum class Absence : std::uint8_t {
  expected,         // it was there, or no client ever had it, or an attempt of ours removed it
  missing,          // somebody else removed it
  missing_or_ours,  // the same, unless this vault removed it right before it was restarted
};
void note(Json& fields, Absence absence);
void note(Json& fields, const target::Revoked& revoked, Absence absence);

// A revocation of many that was asked for. Durable, so that it goes on through any crash.
struct LeaseJob {
  std::string prefix;
  bool force = false;  // what its target has not confirmed after kForceAfter is forgotten
  // Of a removed auth mount: its tokens, whenever they were made; the prefix says so in records.
  std::string mount_accessor;
  std::string asked_by;  // the display name of its token
  std::string part_of;   // what it belongs to, for the log at its end: "remount <id>"
};
// When it was asked for: what was made later is none of its business.
WallTime asked_at(const barrier::PhysicalKey& job);
// How many a job, or the removal of a mount, is done with: a counter in the core's space.
std::string done_counter(const barrier::PhysicalKey& job);
std::string done_counter(std::string_view mount_uuid);
inline constexpr Seconds kForceAfter{10};
inline constexpr Seconds kReceiptsKept{30 * 24 * 3600};

inline constexpr std::string_view kLeasePaths = "lease-paths/";  // the directories, for lists

bool is_below(std::string_view lease_id, std::string_view prefix);  // or the lease itself

barrier::PhysicalKey lease_key(const barrier::OrderedId& id);
barrier::PhysicalKey due_key(const TargetId& target, WallTime when, const barrier::OrderedId& id);
barrier::PhysicalKey due_prefix(const TargetId& target);

class Leases {
 public:
  explicit Leases(const barrier::Barrier& barrier) : barrier_(barrier) {}

  // A new lease id under `path` and the key of its record.
  void name(Lease& lease, std::string_view path, WallTime now, Random& random) const;
  std::optional<barrier::OrderedId> id_of(std::string_view lease_id) const;
  Result<std::optional<Lease>> load(ReadTxn& txn, const barrier::OrderedId& id) const;
  // By its full id. None for a probe; also one that is REVOKING.
  Result<std::optional<Lease>> find(ReadTxn& txn, std::string_view lease_id) const;

  Status write_pending(WriteTxn& txn, Lease& lease) const;
  // For an account that is there without one: REVOKING from the start.
  Status write_revoking(WriteTxn& txn, Lease& lease, WallTime now) const;
  Status activate(WriteTxn& txn, Lease& lease, WallTime expires) const;
  Status renew(WriteTxn& txn, Lease& lease, WallTime expires, WallTime now) const;
  // Idempotent. Moves the end to the due queue.
  Status start_revoking(WriteTxn& txn, Lease& lease, WallTime now) const;
  // Of one that is REVOKING: what its target returned meanwhile.
  Status keep_handle(WriteTxn& txn, Lease& lease) const { return write(txn, lease); }
  // Queues the revocation of all leases below a prefix; the key of the job, which goes when each is
  // on its way (or forgotten).
  Result<barrier::PhysicalKey> queue(WriteTxn& txn, const LeaseJob& job, WallTime now,
                                     Random& random) const;
  static Result<LeaseJob> job_of(ByteView stored);
  // Seen absent: everything goes, a receipt stays.
  Status finish(WriteTxn& txn, const Lease& lease, const target::Revoked& revoked, WallTime now,
                Absence absence = Absence::expected) const;
  // Erases a lease whose account was not seen gone, on an operator's word; its receipt says so.
  Status forget(WriteTxn& txn, const Lease& lease, WallTime now) const;
  // Seen absent for the first time although CREATE may still have been running: back in the queue.
  Status look_again(WriteTxn& txn, Lease& lease, WallTime when) const;

  // Names one level below `prefix` ("" or ending in '/'), directories ending in '/'.
  Result<std::vector<std::string>> list(ReadTxn& txn, std::string_view prefix) const;
  // Ids of leases whose id begins with `prefix` (a directory, or a whole lease id), at most
  // `limit`, made until `until`, REVOKING ones left out. Not with a WriteTxn: its guards have no
  // room for them.
  Result<std::vector<barrier::OrderedId>> below(ReadTxn& txn, std::string_view prefix,
                                                std::size_t limit,
                                                WallTime until = kEndOfTime) const;
  // The same for those that are REVOKING: they wait for their target.
  Result<std::vector<barrier::OrderedId>> revoking_below(ReadTxn& txn, std::string_view prefix,
                                                         std::size_t limit,
                                                         WallTime until = kEndOfTime) const;

 private:
  Status write(WriteTxn& txn, const Lease& lease) const;
  Status erase(WriteTxn& txn, const Lease& lease) const;
  Status erase_directory_if_last(WriteTxn& txn, const Lease& lease) const;
  Status write_receipt(WriteTxn& txn, const Lease& lease, std::string_view json,
                       WallTime now) const;
  Status each_listed(ReadTxn& txn, std::string_view directory,
                     FunctionRef<bool(const Lease&)> take) const;
  barrier::PhysicalKey path_key(std::string_view path) const;
  barrier::PhysicalKey listed_key(const Lease& lease) const;
  Status collect(ReadTxn& txn, const std::string& directory, std::size_t limit, WallTime until,
                 std::vector<barrier::OrderedId>& into) const;
  Result<bool> any_below(ReadTxn& txn, const std::string& directory) const;

  const barrier::Barrier& barrier_;
};

}  // namespace leasehold::core
