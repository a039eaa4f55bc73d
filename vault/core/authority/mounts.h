#pragma once
// The mounts as immutable tables, each valid for the revisions in which no mount changed, and the
// policies, each by its own record. A revision is the `mod` of one record that every change of
// either bumps in its own batch: a request whose snapshot shows the known one looks no further. So
// a request is judged by the mounts and policies that were committed when its snapshot was taken.
// Thread-safe: tables are swapped by shared_ptr under a mutex.

#include <memory>
#include <string>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/core/authority/audited_headers.h"
#include "vault/core/authority/policies.h"
#include "vault/core/authority/rate_limits.h"
#include "vault/core/contract/asked_headers.h"
#include "vault/core/contract/router.h"
#include "vault/core/contract/ttl_defaults.h"

namespace leasehold::core {

struct Compiled {
  std::uint64_t mounts_mod = 0;  // of mounts_key()
  MountTable mounts;
  AuditedHeaders audited_headers;
  // Batch tokens that were made until then are dead: an older copy of the store was put back, and
  // revoked all that it had handed out.
  WallTime batch_tokens_from;
  std::shared_ptr<const RateLimits> rate_limits;  // null: none were ever set
};

class Mounts {
 public:
  // `asked`: told which headers requests are to carry, by the newest table; null: nobody is.
  Mounts(std::vector<std::unique_ptr<EngineKind>> kinds, TtlDefaults defaults, LogSink& log,
         AskedHeaders* asked = nullptr);

  // The mounts that `txn` shows; a table is made of what changed since the newest one. Guards
  // nothing: what a change of mounts rests on is guarded by `mounts_key`.
  Result<std::shared_ptr<const Compiled>> at(ReadTxn& txn) { return at(txn, nullptr); }
  // The same for a request, whose authority begins with the revision.
  Result<std::shared_ptr<const Compiled>> at(ReadTxn& txn, Authority* authority);
  Policies& policies() { return policies_; }
  // The kind of this type in that options.version; without one ("") the first of the type. Null:
  // there is none.
  const EngineKind* kind(std::string_view wire_type, std::string_view version) const;
  // The kind that a client may call so instead of giving its type and version; null: none.
  const EngineKind* kind_called(std::string_view name) const;
  // The type, or other name, that a misspelt one was meant to be; empty: none is near.
  std::string nearest_type(std::string_view typed, bool is_auth) const;
  // "1 or 2"; empty where there is only one.
  std::string versions_of(std::string_view wire_type) const;
  const TtlDefaults& defaults() const { return defaults_; }

  // What every change of a mount or policy adds to its batch.
  static Status bump(WriteTxn& txn);
  static Status bump_mounts(WriteTxn& txn);
  static barrier::PhysicalKey revision_key();
  // From now on no batch token that was made until now is good.
  static Status end_batch_tokens(WriteTxn& core, WallTime now);
  // Whose `mod` says when a mount changed last.
  static barrier::PhysicalKey mounts_key();

  // The mounts a new vault has; part of init's batch.
  Status write_initial(WriteTxn& txn, Random& random, int dev_kv_version);
  // A stored mount record: {"path","type","uuid","accessor","space",...}.
  static Json new_mount(Random& random, std::string_view path, std::string_view type,
                        std::string_view description);
  static Status put_mount(WriteTxn& txn, const Json& record);
  static Status erase_mount(WriteTxn& txn, const Mount& mount);

 private:
  Result<std::shared_ptr<const Compiled>> compile(ReadTxn& txn, const Compiled* before,
                                                  std::uint64_t mounts);
  Status compile_mounts(ReadTxn& txn, const Compiled* before, Compiled& into);
  std::shared_ptr<Mount> mount_of(Json record);
  const EngineKind* kind_of(const MountInfo& info) const;
  void report_damaged(const std::string& record, std::uint64_t mod, std::string_view what);

  std::vector<std::unique_ptr<EngineKind>> kinds_;
  const TtlDefaults defaults_;
  LogSink& log_;
  AskedHeaders* const asked_;
  Mutex mutex_;
  Policies policies_;
  std::shared_ptr<const Compiled> newest_ GUARDED_BY(mutex_);
  // Revisions at which `newest_` was seen to hold; it holds at those between.
  std::uint64_t first_ GUARDED_BY(mutex_) = 0, last_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::uint64_t> reported_ GUARDED_BY(mutex_);  // damaged records, once each
};

// What is stored under `name`; nothing when it is absent or damaged. An error is storage's alone,
// and must not be taken for damage.
Result<std::optional<Json>> readable_json(ReadTxn& txn, const std::string& name);

}  // namespace leasehold::core
