// identity/entity-alias: by which names an entity logs in.

#include <algorithm>

#include "vault/base/nothing_done.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/identity.h"

namespace leasehold::core {

namespace {

struct Asked {
  std::string canonical_id, name, accessor;
  std::optional<Metadata> custom_metadata;
};

Asked asked_for(const Fields& fields) {
  Asked asked;
  asked.canonical_id = fields.text("canonical_id");
  if (asked.canonical_id.empty()) asked.canonical_id = fields.text("entity_id");
  asked.name = fields.text("name");
  asked.accessor = fields.text("mount_accessor");
  if (fields.given("custom_metadata"))
    asked.custom_metadata = metadata_of(fields.json("custom_metadata"));
  return asked;
}

Response answered(const Alias& alias) {
  Json data = Json::object();
  data.set("id", alias.id).set("canonical_id", alias.canonical_id);
  return Response::of(data);
}

Result<const Mount*> mount_at(const MountTable& mounts, const std::string& accessor) {
  const Mount* mount = mounts.by_accessor(accessor);
  if (mount == nullptr)
    return failure(Code::invalid, "invalid mount accessor \"" + accessor + "\"");
  return mount;
}

// Who logs in as an alias acts for its entity, and templates read what is kept with it: to give an
// entity one, or to change one, takes the right to change the entity.
Result<Response> create(Unsealed& live, Call& call, WriteTxn& core, const Asked& asked,
                        const Mount& mount) {
  std::optional<Entity> entity;
  if (!asked.canonical_id.empty()) {
    VAULT_TRY_ASSIGN(entity, find_entity(core, asked.canonical_id));
    if (!entity) return failure(Code::invalid, "invalid canonical ID");
    VAULT_TRY(may_change(live, call, core, "entity", entity->id));
    if (entity->alias_at(asked.accessor) != nullptr)
      return failure(Code::invalid, "Alias already exists for requested entity and mount accessor");
  }
  const std::optional<Entity> before = entity;
  if (!entity) {
    VAULT_TRY_ASSIGN(entity, new_entity(core, {}, call.now, call.random));
  }
  Alias alias = new_alias(*entity, asked.accessor, asked.name, call.now, call.random);
  alias.custom_metadata = asked.custom_metadata.value_or(Metadata());
  alias.local = mount.record.bool_at("local");
  entity->aliases.push_back(alias);
  VAULT_TRY(save_entity(core, before ? &*before : nullptr, *entity));
  return answered(alias);
}

// To another entity, unless that one is known there already.
Result<Response> move(Unsealed& live, Call& call, WriteTxn& core, const Entity& from,
                      const Alias& alias) {
  VAULT_TRY_ASSIGN(auto to, find_entity(core, alias.canonical_id));
  if (!to) return failure(Code::invalid, "given 'canonical_id' is not associated with an entity");
  if (to->alias_at(alias.mount_accessor) != nullptr)
    return failure(Code::invalid,
                   "Alias cannot be updated as the given entity already has an alias for this "
                   "mount ");
  VAULT_TRY(may_change(live, call, core, "entity", to->id));
  Entity without = from;
  std::erase_if(without.aliases, [&alias](const Alias& one) { return one.id == alias.id; });
  without.updated = rfc3339(call.now);
  VAULT_TRY(save_entity(core, &from, without));
  const Entity before = *to;
  to->aliases.push_back(alias);
  to->updated = without.updated;
  VAULT_TRY(save_entity(core, &before, *to));
  return answered(alias);
}

Result<Response> update(Unsealed& live, Call& call, WriteTxn& core, const Entity& entity,
                        const Alias& known, const Asked& asked) {
  Alias alias = known;
  if (!asked.name.empty()) alias.name = asked.name;
  if (!asked.accessor.empty()) alias.mount_accessor = asked.accessor;
  if (!asked.canonical_id.empty()) alias.canonical_id = asked.canonical_id;
  if (asked.custom_metadata) alias.custom_metadata = asked.custom_metadata;
  if (to_json(alias) == to_json(known)) return Response::none();
  VAULT_TRY(may_change(live, call, core, "entity", entity.id));
  alias.updated = rfc3339(call.now);
  const bool moves = alias.canonical_id != known.canonical_id;
  if (!moves && alias.mount_accessor != known.mount_accessor &&
      entity.alias_at(alias.mount_accessor) != nullptr)
    return failure(Code::invalid,
                   "Alias cannot be updated as the entity already has an alias for the given "
                   "'mount_accessor' ");
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const Mount* mount, mount_at(compiled->mounts, alias.mount_accessor));
  VAULT_TRY_ASSIGN(const auto same_place, entity_at(core, alias.mount_accessor, alias.name));
  const Alias* other = same_place ? same_place->alias_at(alias.mount_accessor) : nullptr;
  if (other != nullptr && other->id != alias.id)
    return failure(Code::invalid,
                   "alias with combination of mount accessor and name already exists");
  if (moves && mount->record.bool_at("local"))
    return failure(Code::invalid, "local aliases can't be moved between entities");
  if (moves) return move(live, call, core, entity, alias);
  Entity after = entity;
  for (Alias& one : after.aliases)
    if (one.id == alias.id) one = alias;
  VAULT_TRY(save_entity(core, &entity, after));
  return answered(alias);
}

Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  const Asked asked = asked_for(call.fields);
  if (asked.custom_metadata) VAULT_TRY(check_metadata(*asked.custom_metadata, "alias"));
  if (asked.name.size() > kAliasMax)
    return failure(Code::invalid, "the name of an alias has at most 512 bytes");
  const std::string id = call.fields.text("id");
  if (!id.empty()) {
    VAULT_TRY_ASSIGN(const auto entity, entity_with_alias(core, id));
    const Alias* alias = entity ? entity->alias(id) : nullptr;
    if (alias == nullptr) return failure(Code::invalid, "invalid alias ID provided");
    return update(live, call, core, *entity, *alias, asked);
  }
  if (asked.accessor.empty() || asked.name.empty())
    return failure(Code::invalid, "'id' or 'mount_accessor' and 'name' must be provided");
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const Mount* mount, mount_at(compiled->mounts, asked.accessor));
  VAULT_TRY(core.version(mount->stored_at));  // it is not removed meanwhile
  VAULT_TRY_ASSIGN(const auto entity, entity_at(core, asked.accessor, asked.name));
  const Alias* alias = entity ? entity->alias_at(asked.accessor) : nullptr;
  if (alias != nullptr) return update(live, call, core, *entity, *alias, asked);
  return create(live, call, core, asked, *mount);
}

Result<Response> read(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  const std::string id = call.fields.text("id");
  VAULT_TRY_ASSIGN(const auto entity, entity_with_alias(core, id));
  const Alias* alias = entity ? entity->alias(id) : nullptr;
  if (alias == nullptr) return Response::refused(404, "");
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  Json shown = shown_alias(*alias, compiled->mounts);
  shown.set("namespace_id", "root");
  return Response::of(shown);
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  const std::string id = call.fields.text("id");
  VAULT_TRY_ASSIGN(const auto entity, entity_with_alias(core, id));
  if (!entity || entity->alias(id) == nullptr) {
    call.quiet_warnings.push_back(nothing_done("there is no such alias"));
    return Response::none();
  }
  Entity without = *entity;
  std::erase_if(without.aliases, [&id](const Alias& one) { return one.id == id; });
  without.updated = rfc3339(call.now);
  VAULT_TRY(save_entity(core, &*entity, without));
  return Response::none();
}

// Of every entity; a page of them opens all the same.
Result<Response> list(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const auto entities, core.list(identity_names::entity("")));
  std::map<std::string, Alias> aliases;
  for (const std::string& id : entities) {
    VAULT_TRY_ASSIGN(auto entity, find_entity(core, id));
    if (!entity) continue;
    for (Alias& alias : entity->aliases) aliases.emplace(alias.id, std::move(alias));
  }
  std::vector<std::string> keys;
  for (const auto& one : aliases) keys.push_back(one.first);
  keys = part_of(std::move(keys), page);
  std::vector<Json::Member> info;
  for (const std::string& key : keys) {
    const Alias& alias = aliases.at(key);
    Json shown = to_json(alias);
    for (const char* name : {"id", "merged_from", "creation_time", "last_update_time"})
      shown.erase(name);
    set_mount(shown, alias.mount_accessor, compiled->mounts);
    info.emplace_back(key, std::move(shown));
  }
  return listed(keys, std::move(info));
}

std::vector<Field> alias_fields() {
  return {{"id", FieldType::text, {}, "Its id."},
          {"entity_id", FieldType::text, {}, "Deprecated: canonical_id."},
          {"canonical_id", FieldType::text, {}, "The entity that has it."},
          {"mount_accessor", FieldType::text, {}, "Of the auth method where it logs in."},
          {"name", FieldType::text, {}, "Its name there, the same in any case."},
          {"custom_metadata", FieldType::text_map, {}, "What templates may put into paths."}};
}

}  // namespace

void add_entity_alias_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto changes = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn); };
  const auto shows = [&live](Call& call, ReadTxn& txn) { return read(live, call, txn); };
  const auto all = [&live](Call& call, ReadTxn& txn) { return list(live, call, txn); };
  for (const char* base : {"entity-alias", "alias", "persona"}) {  // the others are older names
    const std::string name = base;
    routes.push_back(
        route(name, alias_fields(), {writes(changes)}, "Gives an entity a name at an auth method"));
    routes.push_back(
        route(name + "/id", page_fields(), {lists(all)}, "Lists the aliases by their ids"));
    routes.push_back(route(name + "/id/:id", alias_fields(),
                           {reads(shows), writes(changes), removes(remove)},
                           "Reads, changes and deletes an alias"));
  }
}

}  // namespace leasehold::core
