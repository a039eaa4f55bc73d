#pragma once
// Who is behind a token, as one snapshot shows it: the entity, the groups it is in, directly and by
// groups of groups, and the policies that all of them grant. Derived from the records and kept
// until one of them changes, so that a request whose entity did not change reads one revision.
//
//   VAULT_TRY_ASSIGN(const auto who, identities.at(core, token.entity_id, Making::elsewhere));
//   if (!who.ready) ...        // a large one: ask again on a worker
//   if (!who.value) ...        // there is no such entity, or none any more
//
// Thread-safe; an Identity is immutable but for what is kept with it.

#include <array>
#include <memory>

#include "vault/base/log.h"
#include "vault/core/authority/derived.h"
#include "vault/core/authority/entities.h"
#include "vault/core/authority/groups.h"
#include "vault/core/authority/policies.h"

namespace leasehold::core {

struct Identity {
  Entity entity;
  std::vector<std::shared_ptr<const Group>> groups;  // the direct ones first
  std::size_t direct = 0;
  std::vector<std::string> policies;  // of all, canonical
  // The records that say so: who acts by this rests on each.
  std::vector<std::pair<barrier::PhysicalKey, std::uint64_t>> rests;
  bool too_many = false;  // groups or policies: what they deny is not known, so all is denied

  std::size_t weight() const;  // bytes, about
  // The set of policies that a token with this identity had last.
  std::shared_ptr<const Authority::Set> kept_set() const;
  void keep_set(std::shared_ptr<const Authority::Set> set) const;

 private:
  mutable Mutex mutex_;
  mutable std::shared_ptr<const Authority::Set> set_ GUARDED_BY(mutex_);
};
using IdentityRef = std::shared_ptr<const Identity>;

class Identities {
 public:
  explicit Identities(LogSink& log) : log_(log) {}

  struct At {
    IdentityRef value;           // null: no such entity
    std::uint64_t revision = 0;  // of all identities, as the snapshot showed it
    bool ready = true;
  };
  // By the id on a token, which may be that of an entity that was merged into another. `core`: in
  // the core's space.
  Result<At> at(ReadTxn& core, const std::string& entity_id, Making making);
  // The same as this transaction leaves it, kept nowhere.
  Result<IdentityRef> as_written(WriteTxn& core, const std::string& entity_id);

 private:
  struct Known {
    IdentityRef value;
    std::uint64_t first = 0, last = 0;  // revisions at which it was seen
  };
  static constexpr std::size_t kShards = 16;
  static constexpr std::size_t kWeightMax = (48u << 20) / kShards;
  struct Shard {
    Mutex mutex;
    std::unordered_map<std::string, Known> young GUARDED_BY(mutex), old GUARDED_BY(mutex);
    std::size_t weight GUARDED_BY(mutex) = 0;  // of the young
  };
  class Walk;

  Shard& shard_of(const std::string& entity_id) {
    return shards_[std::hash<std::string>()(entity_id) % kShards];
  }
  Result<Derived<Group>::At> group_at(ReadTxn& core, const std::string& id, std::uint64_t revision,
                                      bool here);
  Result<bool> is_same(ReadTxn& core, const Identity& known);
  IdentityRef at_revision(const std::string& entity_id, std::uint64_t revision);
  IdentityRef newest(const std::string& entity_id);
  IdentityRef keep(const std::string& entity_id, IdentityRef value, std::uint64_t revision);
  static Known* find(Shard& shard, const std::string& entity_id) REQUIRES(shard.mutex);
  static Known* put(Shard& shard, const std::string& entity_id, Known known) REQUIRES(shard.mutex);

  LogSink& log_;
  std::array<Shard, kShards> shards_;
  Derived<Group> groups_{64u << 20};
};

}  // namespace leasehold::core
