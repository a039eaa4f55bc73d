#include "vault/core/authority/entities.h"

#include "vault/base/encoding.h"
#include "vault/core/authority/groups.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace names = identity_names;

namespace {

constexpr unsigned kMergesFollowed = 4;  // merging points all of them at the last one
constexpr std::size_t kGeneratedDigits = 8;

// As an earlier version reads it, too.
Status put_alias(WriteTxn& core, const Alias& alias) {
  Json record = Json::object();
  record.set("id", alias.id).set("entity_id", alias.canonical_id).set("name", alias.name);
  record.set("mount_accessor", alias.mount_accessor).set("creation_time", alias.created);
  VAULT_TRY(core.put(names::alias(alias.mount_accessor, alias.name), as_bytes(record.dump())));
  Json by_id = Json::object();
  by_id.set("entity_id", alias.canonical_id);
  return put_index(core, names::alias_id(alias.id), by_id);
}

bool same_place(const Alias& a, const Alias& b) {
  return a.canonical_id == b.canonical_id && a.mount_accessor == b.mount_accessor &&
         a.name == b.name;
}

std::string alias_key(const Alias& alias) { return names::alias(alias.mount_accessor, alias.name); }

// Those that are gone from `before` lose their records, unless another entity has them by now.
Status save_aliases(WriteTxn& core, const Entity* before, const Entity& after) {
  if (before != nullptr)
    for (const Alias& old : before->aliases) {
      const Alias* kept = after.alias(old.id);
      if (kept == nullptr) VAULT_TRY(erase_index(core, names::alias_id(old.id)));
      if (kept == nullptr || alias_key(*kept) != alias_key(old))
        VAULT_TRY(core.erase(alias_key(old)));
    }
  for (const Alias& alias : after.aliases) {
    const Alias* old = before == nullptr ? nullptr : before->alias(alias.id);
    if (old == nullptr || !same_place(*old, alias)) VAULT_TRY(put_alias(core, alias));
  }
  return {};
}

Status save_name(WriteTxn& core, const Entity* before, const Entity& after) {
  const std::string name = names::entity_name(after.name);
  if (before != nullptr && before->indexed && before->name != after.name &&
      names::entity_name(before->name) != name)
    VAULT_TRY(erase_index(core, names::entity_name(before->name)));
  if (before != nullptr && before->indexed && before->name == after.name) return {};
  Json record = Json::object();
  record.set("id", after.id).set("name", after.name);
  return put_index(core, name, record);
}

struct AliasPlace {
  std::string stored_name;
  Json record;
};

// Under the name in lower case, or, of an earlier version, as it was given.
Result<std::optional<AliasPlace>> find_alias(ReadTxn& core, std::string_view accessor,
                                             std::string_view name) {
  AliasPlace place{names::alias(accessor, name), {}};
  VAULT_TRY_ASSIGN(auto record, load_json(core, place.stored_name));
  if (!record && lower_case(name) != name) {
    place.stored_name = "identity/alias/" + std::string(accessor) + "/" + hex(as_bytes(name));
    VAULT_TRY_ASSIGN(record, load_json(core, place.stored_name));
  }
  if (!record) return std::optional<AliasPlace>();
  place.record = std::move(*record);
  return std::optional<AliasPlace>(std::move(place));
}

Result<std::string> make_person(WriteTxn& core, const MountInfo& mount, bool local,
                                const Person& person, WallTime now, Random& random) {
  VAULT_TRY_ASSIGN(Entity entity, new_entity(core, {}, now, random));
  Alias alias = new_alias(entity, mount.accessor, person.alias, now, random);
  alias.local = local;
  alias.metadata = person.metadata;
  entity.aliases.push_back(std::move(alias));
  VAULT_TRY(save_entity(core, nullptr, entity));
  return std::move(entity.id);
}

}  // namespace

Result<std::optional<Entity>> find_entity(ReadTxn& core, std::string_view id) {
  VAULT_TRY_ASSIGN(const auto record, load_json(core, names::entity(id)));
  if (!record) return std::optional<Entity>();
  return std::optional<Entity>(entity_from(*record));
}

Result<std::optional<Entity>> living_entity(ReadTxn& core, std::string_view id) {
  std::string at(id);
  for (unsigned i = 0; i < kMergesFollowed; ++i) {
    VAULT_TRY_ASSIGN(auto entity, find_entity(core, at));
    if (entity) return entity;
    VAULT_TRY_ASSIGN(auto next, index_at(core, names::merged(at), "entity_id"));
    if (!next) break;
    at = std::move(*next);
  }
  return std::optional<Entity>();
}

Result<std::optional<Entity>> entity_named(ReadTxn& core, std::string_view name) {
  VAULT_TRY_ASSIGN(const auto id, index_at(core, names::entity_name(name), "id"));
  if (!id) return std::optional<Entity>();
  return find_entity(core, *id);
}

Result<std::optional<Entity>> entity_with_alias(ReadTxn& core, std::string_view alias_id) {
  VAULT_TRY_ASSIGN(const auto id, index_at(core, names::alias_id(alias_id), "entity_id"));
  if (!id) return std::optional<Entity>();
  return find_entity(core, *id);
}

Result<std::optional<Entity>> entity_at(ReadTxn& core, std::string_view accessor,
                                        std::string_view alias_name) {
  VAULT_TRY_ASSIGN(const auto place, find_alias(core, accessor, alias_name));
  if (!place) return std::optional<Entity>();
  return find_entity(core, place->record.string_at("entity_id"));
}

Result<Entity> new_entity(ReadTxn& core, std::string_view name, WallTime now, Random& random) {
  Entity entity;
  entity.id = uuid(random);
  entity.name = name;
  entity.created = entity.updated = rfc3339(now);
  while (entity.name.empty()) {
    std::string own = "entity_" + uuid(random).substr(0, kGeneratedDigits);
    VAULT_TRY_ASSIGN(const std::uint64_t taken, core.version(names::entity_name(own)));
    if (taken == 0) entity.name = std::move(own);
  }
  return entity;
}

Alias new_alias(const Entity& entity, std::string_view accessor, std::string_view name,
                WallTime now, Random& random) {
  Alias alias;
  alias.id = uuid(random);
  alias.canonical_id = entity.id;
  alias.name = name;
  alias.mount_accessor = accessor;
  alias.created = alias.updated = rfc3339(now);
  return alias;
}

Status save_entity(WriteTxn& core, const Entity* before, const Entity& after) {
  if (after.aliases.size() > kAliasesMax)
    return failure(Code::invalid, "an entity can have at most 24 aliases");
  VAULT_TRY(save_aliases(core, before, after));
  VAULT_TRY(save_name(core, before, after));
  VAULT_TRY(save_json(core, names::entity(after.id), to_json(after)));
  return before == nullptr ? Status() : bump_identity(core);
}

Status erase_entity(WriteTxn& core, const Entity& entity) {
  Entity without = entity;
  without.aliases.clear();
  VAULT_TRY(save_aliases(core, &entity, without));
  VAULT_TRY(leave_groups(core, entity.id));
  VAULT_TRY(erase_index(core, names::entity_name(entity.name)));
  for (const std::string& id : entity.merged) VAULT_TRY(erase_index(core, names::merged(id)));
  VAULT_TRY(core.erase(names::entity(entity.id)));
  return bump_identity(core);
}

Result<bool> complete_alias(WriteTxn& core, const std::string& stored_name, const Json& record) {
  VAULT_TRY_ASSIGN(auto entity, find_entity(core, record.string_at("entity_id")));
  if (!entity || entity->indexed) return false;
  const Entity before = *entity;
  Alias alias;
  alias.id = record.string_at("id");
  alias.canonical_id = entity->id;
  alias.name = record.string_at("name");
  alias.mount_accessor = record.string_at("mount_accessor");
  alias.created = alias.updated = record.string_at("creation_time");
  if (alias_key(alias) != stored_name) VAULT_TRY(core.erase(stored_name));
  entity->aliases.push_back(std::move(alias));
  VAULT_TRY_ASSIGN(const std::uint64_t taken, core.version(names::entity_name(entity->name)));
  if (taken != 0) entity->name = "entity_" + entity->id;  // its first digits are another's, too
  VAULT_TRY(save_entity(core, &before, *entity));
  return true;
}

Result<std::string> entity_of(WriteTxn& core, const MountInfo& mount, bool local,
                              const Person& person, WallTime now, Random& random) {
  if (person.alias.empty() || person.alias.size() > kAliasMax)
    return failure(Code::invalid, "the name of who logs in must have 1 to 512 bytes");
  VAULT_TRY_ASSIGN(const auto place, find_alias(core, mount.accessor, person.alias));
  if (!place) return make_person(core, mount, local, person, now, random);
  VAULT_TRY(complete_alias(core, place->stored_name, place->record));
  VAULT_TRY_ASSIGN(auto entity, find_entity(core, place->record.string_at("entity_id")));
  if (!entity)
    return failure(Code::internal, "internal error",
                   "an alias leads to an entity that is not there");
  if (entity->disabled) return failure(Code::denied, "permission denied", "the entity is disabled");
  const Entity before = *entity;
  for (Alias& alias : entity->aliases)
    if (alias.mount_accessor == mount.accessor && alias.metadata != person.metadata) {
      alias.metadata = person.metadata;
      alias.updated = rfc3339(now);
      VAULT_TRY(save_entity(core, &before, *entity));
    }
  return std::move(entity->id);
}

Status mark_complete(WriteTxn& core) {
  Json record = Json::object();
  record.set("version", 1);
  return core.put(names::form(), as_bytes(record.dump()));
}

Status forget_accessor(WriteTxn& core, std::string_view accessor) {
  Json record = Json::object();
  record.set("accessor", accessor);
  return core.put(names::removed(accessor), as_bytes(record.dump()));
}

}  // namespace leasehold::core
