#pragma once
// Mounts and policies as immutable compiled sets, each valid for one generation: the `mod` of one
// record that every change of either bumps in its own batch. A request uses the generation its own
// snapshot shows, so what it is judged by is what was committed when its last byte was read.
// Thread-safe: compiled sets are swapped by shared_ptr under a mutex.

#include <memory>
#include <string>
#include <vector>

#include "vault/base/mutex.h"
#include "vault/core/authority/policy.h"
#include "vault/core/contract/router.h"

namespace leasehold::core {

class PolicySet {
 public:
  void add(std::shared_ptr<const Policy> policy);
  const Policy* find(std::string_view name) const;  // null: none
  // One that cannot be read, nor its name: it may be any that is not found, and stands for them.
  void add_nameless(std::shared_ptr<const Policy> policy);

 private:
  std::shared_ptr<const Policy> nameless_;
  std::map<std::string, std::shared_ptr<const Policy>, std::less<>> by_name_;
};

struct Compiled {
  std::uint64_t generation = 0;
  MountTable mounts;
  PolicySet policies;
};

struct TtlDefaults {
  Seconds default_ttl{768 * 3600};
  Seconds max_ttl{768 * 3600};
};

class Registry {
 public:
  Registry(std::vector<std::unique_ptr<EngineKind>> kinds, TtlDefaults defaults, LogSink& log);

  // For the generation that `txn` shows; compiles it when nobody did yet.
  Result<std::shared_ptr<const Compiled>> at(ReadTxn& txn);
  const EngineKind* kind(std::string_view wire_type, int version) const;
  const TtlDefaults& defaults() const { return defaults_; }

  // What every change of a mount or policy adds to its batch.
  static Status bump(WriteTxn& txn);
  static barrier::PhysicalKey generation_key();

  // The mounts a new vault has; part of init's batch.
  Status write_initial(WriteTxn& txn, Random& random, int dev_kv_version);
  // A stored mount record: {"path","type","uuid","accessor","space",...}.
  static Json new_mount(Random& random, std::string_view path, std::string_view type,
                        std::string_view description);
  static Status put_mount(WriteTxn& txn, const Json& record);
  static Status erase_mount(WriteTxn& txn, const Mount& mount);

 private:
  Result<std::shared_ptr<const Compiled>> compile(ReadTxn& txn, std::uint64_t generation);
  Status compile_mounts(ReadTxn& txn, Compiled& into);
  Status compile_policies(ReadTxn& txn, Compiled& into);
  std::shared_ptr<Mount> mount_of(Json record);
  const EngineKind* kind_of(const MountInfo& info) const;
  void report_damaged(const std::string& record, std::uint64_t mod, std::string_view what);

  std::vector<std::unique_ptr<EngineKind>> kinds_;
  const TtlDefaults defaults_;
  LogSink& log_;
  Mutex mutex_;
  std::shared_ptr<const Compiled> newest_ GUARDED_BY(mutex_);
  std::map<std::string, std::uint64_t> reported_ GUARDED_BY(mutex_);  // damaged records, once each
};

// Policies as stored in the core's space under "policies/<name>": {"policy","modified","version"}.
Status put_policy(WriteTxn& txn, const std::string& name, std::string_view text, WallTime now);

}  // namespace leasehold::core
