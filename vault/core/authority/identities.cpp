#include "vault/core/authority/identities.h"

#include <algorithm>
#include <set>

#include "vault/core/contract/policy_names.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace names = identity_names;

namespace {

constexpr std::size_t kOpenedInline = 8;  // groups; more are opened on a worker
constexpr std::size_t kEntryWeight = 256;
constexpr std::size_t kSetWeight = 1024;

}  // namespace

std::size_t Identity::weight() const {
  std::size_t bytes = sizeof(*this) + kSetWeight + 80 * rests.size() + 16 * groups.size();
  for (const std::string& name : policies) bytes += sizeof(name) + name.size();
  for (const Alias& alias : entity.aliases)
    bytes += sizeof(alias) + alias.name.size() + 128 * alias.metadata.size();
  return bytes + 192 * entity.metadata.size();
}

std::shared_ptr<const Authority::Set> Identity::kept_set() const {
  MutexLock lock(mutex_);
  return set_;
}

void Identity::keep_set(std::shared_ptr<const Authority::Set> set) const {
  MutexLock lock(mutex_);
  set_ = std::move(set);
}

// From an entity up through its groups. What is met is noted with the version it was met in.
class Identities::Walk {
 public:
  using GroupRef = std::shared_ptr<const Group>;
  using Open = FunctionRef<Result<GroupRef>(const std::string& id)>;

  Walk(ReadTxn& core, Identity& into, Open open) : core_(core), into_(into), open_(open) {}

  // False: there is no such entity. It stops at the first group that is not `open` yet.
  Result<bool> run(const std::string& entity_id) {
    VAULT_TRY_ASSIGN(auto entity, living_entity(core_, entity_id));
    if (!entity) return false;
    into_.entity = std::move(*entity);
    VAULT_TRY(rest_on(names::entity(into_.entity.id)));
    VAULT_TRY(above(into_.entity.id));
    into_.direct = into_.groups.size();
    for (std::size_t i = 0; i < into_.groups.size() && !into_.too_many; ++i) {
      const GroupRef group = into_.groups[i];
      VAULT_TRY(above(group->id));
    }
    unite();
    return true;
  }

 private:
  Status rest_on(const std::string& name) {
    const auto key = core_.barrier().value_key(core_.space(), name);
    VAULT_TRY_ASSIGN(const std::uint64_t mod, core_.version(key));
    into_.rests.emplace_back(key, mod);
    return {};
  }
  Status above(const std::string& member_id) {
    VAULT_TRY(rest_on(names::groups_of(member_id)));
    VAULT_TRY_ASSIGN(const auto named, groups_named_by(core_, member_id));
    for (const std::string& id : named) {
      if (seen_.count(id) == 0) {
        into_.too_many = seen_.size() == kGroupsVisitedMax;
        if (into_.too_many) return {};
        VAULT_TRY(rest_on(names::group(id)));
        VAULT_TRY_ASSIGN(seen_[id], open_(id));
      }
      const GroupRef& group = seen_[id];
      if (group == nullptr || !group->has(member_id) || !in_.insert(id).second) continue;
      into_.groups.push_back(group);
    }
    return {};
  }
  void unite() {
    std::vector<std::string> all = into_.entity.policies;
    for (const GroupRef& group : into_.groups)
      all.insert(all.end(), group->policies.begin(), group->policies.end());
    all = canonical_policies(all);
    // None is written with them; should a record name one all the same, it grants nothing.
    std::erase(all, "root");
    std::erase(all, std::string(kWrappingPolicy));
    into_.too_many = into_.too_many || all.size() > kPoliciesMax;
    into_.policies = std::move(all);
  }

  ReadTxn& core_;
  Identity& into_;
  Open open_;
  std::map<std::string, GroupRef> seen_;
  std::set<std::string> in_;
};

Result<Identities::At> Identities::at(ReadTxn& core, const std::string& entity_id, Making making) {
  VAULT_TRY_ASSIGN(const auto found, core.snapshot().get(identity_revision_key().view()));
  const std::uint64_t revision = found ? found->mod : 0;
  IdentityRef known = at_revision(entity_id, revision);
  if (known != nullptr) return At{std::move(known), revision};
  known = newest(entity_id);
  if (known != nullptr) {
    VAULT_TRY_ASSIGN(const bool same, is_same(core, *known));
    if (same) return At{keep(entity_id, std::move(known), revision), revision};
  }
  auto made = std::make_shared<Identity>();
  bool ready = true;
  std::size_t opened = 0;
  const auto open = [&](const std::string& id) -> Result<std::shared_ptr<const Group>> {
    const bool here = making == Making::allowed || ++opened <= kOpenedInline;
    VAULT_TRY_ASSIGN(auto group, group_at(core, id, revision, here));
    ready = ready && group.ready;
    return std::move(group.value);
  };
  Walk walk(core, *made, open);
  VAULT_TRY_ASSIGN(const bool there, walk.run(entity_id));
  if (!ready) return At{nullptr, revision, false};
  if (!there) return At{nullptr, revision};
  if (made->too_many)
    log_.error(
        "the entity {} is in more than {} groups, or has more than {} policies by them: its tokens "
        "are denied everything until it is in fewer",
        made->entity.id, kGroupsVisitedMax, kPoliciesMax);
  return At{keep(entity_id, std::move(made), revision), revision};
}

Result<IdentityRef> Identities::as_written(WriteTxn& core, const std::string& entity_id) {
  auto made = std::make_shared<Identity>();
  const auto open = [&](const std::string& id) -> Result<std::shared_ptr<const Group>> {
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (!group) return std::shared_ptr<const Group>();
    return std::make_shared<const Group>(std::move(*group));
  };
  Walk walk(core, *made, open);
  VAULT_TRY_ASSIGN(const bool there, walk.run(entity_id));
  if (!there) return IdentityRef();
  return IdentityRef(std::move(made));
}

Result<Derived<Group>::At> Identities::group_at(ReadTxn& core, const std::string& id,
                                                std::uint64_t revision, bool here) {
  const std::string name = names::group(id);
  const auto key = core.barrier().value_key(core.space(), name);
  const auto make = [&](const storage::Found&) -> Result<std::shared_ptr<const Group>> {
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (!group)
      return failure(Code::internal, "internal error", "a group is gone while it is read");
    return std::make_shared<const Group>(std::move(*group));
  };
  return groups_.at(core, key, revision, here ? Making::allowed : Making::elsewhere, make);
}

Result<bool> Identities::is_same(ReadTxn& core, const Identity& known) {
  for (const auto& rest : known.rests) {
    VAULT_TRY_ASSIGN(const auto found, core.snapshot().get(rest.first.view()));
    if ((found ? found->mod : 0) != rest.second) return false;
  }
  return true;
}

IdentityRef Identities::at_revision(const std::string& entity_id, std::uint64_t revision) {
  Shard& shard = shard_of(entity_id);
  MutexLock lock(shard.mutex);
  const Known* known = find(shard, entity_id);
  if (known == nullptr || revision < known->first || revision > known->last) return nullptr;
  return known->value;
}

IdentityRef Identities::newest(const std::string& entity_id) {
  Shard& shard = shard_of(entity_id);
  MutexLock lock(shard.mutex);
  const Known* known = find(shard, entity_id);
  return known == nullptr ? nullptr : known->value;
}

// One that is used moves from the older half to the newer; the older half goes as a whole.
Identities::Known* Identities::find(Shard& shard, const std::string& entity_id) {
  if (const auto young = shard.young.find(entity_id); young != shard.young.end())
    return &young->second;
  const auto old = shard.old.find(entity_id);
  if (old == shard.old.end()) return nullptr;
  Known known = std::move(old->second);
  shard.old.erase(old);
  return put(shard, entity_id, std::move(known));
}

Identities::Known* Identities::put(Shard& shard, const std::string& entity_id, Known known) {
  const std::size_t weight = kEntryWeight + known.value->weight();
  if (const auto before = shard.young.find(entity_id); before != shard.young.end()) {
    shard.weight -= kEntryWeight + before->second.value->weight();
    shard.young.erase(before);
  }
  if (!shard.young.empty() && shard.weight + weight > kWeightMax / 2) {
    shard.old = std::move(shard.young);
    shard.young.clear();
    shard.weight = 0;
  }
  shard.weight += weight;
  return &(shard.young[entity_id] = std::move(known));
}

// One of an older snapshot than the one that is known is not kept.
IdentityRef Identities::keep(const std::string& entity_id, IdentityRef value,
                             std::uint64_t revision) {
  Shard& shard = shard_of(entity_id);
  MutexLock lock(shard.mutex);
  Known* known = find(shard, entity_id);
  if (known != nullptr && known->value == value) {
    known->first = std::min(known->first, revision);
    known->last = std::max(known->last, revision);
    return value;
  }
  if (known == nullptr || known->last < revision)
    put(shard, entity_id, Known{value, revision, revision});
  return value;
}

}  // namespace leasehold::core
