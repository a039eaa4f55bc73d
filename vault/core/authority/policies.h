#pragma once
// The policies of a token as one snapshot shows them: each looked up by its own record, compiled
// once per version, so that writing one policy of many costs that policy. Thread-safe.

#include <array>

#include "vault/base/log.h"
#include "vault/core/authority/derived.h"
#include "vault/core/authority/policy.h"

namespace leasehold::core {

using commit::ReadTxn;
using commit::WriteTxn;

struct Identity;

// What a caller may do, and the records that say so: a write guards them, so that what was
// authorised before one of them changed cannot land after it.
struct Authority {
  struct Rest {
    barrier::PhysicalKey record;           // empty: built in
    std::uint64_t mod = 0;                 // 0: there is no such policy
    std::shared_ptr<const Policy> policy;  // null then
  };
  // Of all callers that have the same policies.
  struct Set {
    std::vector<std::string> of_token;  // the names that the token has
    std::vector<std::string> names;     // with those of its identity
    std::uint64_t revision = 0;
    std::vector<Rest> rests;
    std::vector<std::shared_ptr<const Policy>> filled;  // their templates, of this identity
    std::vector<const Policy*> found;
  };
  std::uint64_t revision = 0;           // of all mounts and policies, as the snapshot showed it
  std::shared_ptr<const Set> policies;  // null until they are resolved
  std::shared_ptr<const Identity> identity;  // null: no entity is behind the token
  std::uint64_t identity_revision = 0;       // of all identities
};

class Policies {
 public:
  explicit Policies(LogSink& log);

  // Fills `into`, whose identity adds its own. False, with Making::elsewhere only: one must be
  // compiled first, on a worker.
  Result<bool> resolve(ReadTxn& txn, const std::vector<std::string>& names, Making making,
                       Authority& into);
  Result<bool> exists(ReadTxn& txn, std::string_view name);

 private:
  // False: one of them must be compiled first, on a worker.
  Result<bool> look_up(ReadTxn& txn, Making making, const Identity* identity, Authority::Set& set);
  Result<bool> resolve_of_identity(ReadTxn& txn, const std::vector<std::string>& names,
                                   Making making, Authority& into);
  barrier::PhysicalKey record_of(ReadTxn& txn, const std::string& name);
  Result<std::shared_ptr<const Policy>> compile(ReadTxn& txn, const std::string& name,
                                                const barrier::PhysicalKey& record,
                                                const storage::Found& found);

  static constexpr std::size_t kWeightMax = 64u << 20;
  static constexpr std::size_t kNamesMax = 8192;
  LogSink& log_;
  std::shared_ptr<const Policy> wrapping_;  // "response-wrapping", which no store holds
  Derived<Policy> compiled_{kWeightMax};
  // The sets that were asked for last, each in the place of its names: most requests come from
  // callers with few different ones, and while no policy changes a set stays as it is.
  static constexpr std::size_t kSetsMax = 256, kSetNamesMax = 64;
  Mutex mutex_;
  std::array<std::shared_ptr<const Authority::Set>, kSetsMax> sets_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, barrier::PhysicalKey> records_ GUARDED_BY(mutex_);  // by name
};

// What a policy is kept with beside its text.
struct PolicyTerms {
  bool cas_required = false;
  std::optional<WallTime> expiration{};
  // What the values of its templates may hold.
  bool wildcards_in_values = false, slashes_in_values = false;
};
inline constexpr std::string_view kWildcardsFlag = "allow_wildcards_in_identity_templates",
                                  kSlashesFlag = "allow_slashes_in_identity_templates";
// Policies as stored in the core's space under policy_record(name):
// {"name","policy","modified","version"}, and "cas_required", "expiration" and the two flags where
// they are set. One whose expiration has passed begins with version 1 again when it is written.
std::string policy_record(std::string_view name);
Status put_policy(WriteTxn& txn, const std::string& name, std::string_view text, WallTime now,
                  const PolicyTerms& terms = {});
Status erase_policy(WriteTxn& txn, const std::string& name);

}  // namespace leasehold::core
