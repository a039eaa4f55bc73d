// What the API shows of entities, groups and aliases.

#include "vault/core/sys/identity.h"

namespace leasehold::core {

namespace {

constexpr const char* kRootNamespace = "root";

// As the reference: null where there never was one.
Json or_null(const std::vector<std::string>& texts) { return texts.empty() ? Json() : Json(texts); }

}  // namespace

Status may_change(Unsealed& live, const Call& call, ReadTxn& core, std::string_view kind,
                  const std::string& id) {
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, core, call.caller, call.now));
  std::string path = call.mount.path;
  path.append(kind).append("/id/").append(id);
  if (acl.decide(Operation::update, path, Json::object(), false, std::nullopt).allowed) return {};
  return failure(Code::denied, multierror("permission denied"),
                 "it takes update on " + path + ", too");
}

Metadata metadata_of(const Json& given) {
  Metadata metadata;
  for (const Json::Member& member : given.members())
    metadata.insert_or_assign(member.first, member.second.text());
  return metadata;
}

void set_mount(Json& shown, const std::string& accessor, const MountTable& mounts) {
  const Mount* mount = mounts.by_accessor(accessor);
  if (mount == nullptr) return;
  shown.set("mount_path", mount->info.path).set("mount_type", mount->info.type);
}

Json shown_alias(const Alias& alias, const MountTable& mounts) {
  Json shown = to_json(alias);
  shown.erase("merged_from");
  shown.set("merged_from_canonical_ids", or_null(alias.merged_from));
  set_mount(shown, alias.mount_accessor, mounts);
  return shown;
}

Json alias_in_list(const Alias& alias, const MountTable& mounts) {
  Json shown = Json::object();
  shown.set("id", alias.id).set("name", alias.name).set("mount_accessor", alias.mount_accessor);
  set_mount(shown, alias.mount_accessor, mounts);
  return shown;
}

Result<Json> shown_entity(Unsealed& live, ReadTxn& core, const Entity& entity) {
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  Json shown = Json::object();
  shown.set("id", entity.id).set("name", entity.name).set("metadata", to_json(entity.metadata));
  shown.set("policies", Json(entity.policies)).set("disabled", entity.disabled);
  shown.set("merged_entity_ids", or_null(entity.merged)).set("namespace_id", kRootNamespace);
  shown.set("creation_time", entity.created).set("last_update_time", entity.updated);
  Json aliases = Json::array();
  for (const Alias& alias : entity.aliases) aliases.push(shown_alias(alias, compiled->mounts));
  shown.set("aliases", std::move(aliases));
  VAULT_TRY_ASSIGN(const auto who, live.identities.at(core, entity.id, Making::allowed));
  std::vector<std::string> direct, inherited;
  if (who.value != nullptr)
    for (std::size_t i = 0; i < who.value->groups.size(); ++i)
      (i < who.value->direct ? direct : inherited).push_back(who.value->groups[i]->id);
  std::vector<std::string> all = direct;
  all.insert(all.end(), inherited.begin(), inherited.end());
  shown.set("direct_group_ids", Json(direct)).set("inherited_group_ids", Json(inherited));
  shown.set("group_ids", Json(all));
  return shown;
}

// Members that were erased with more groups than one batch holds are still in the record.
Result<Json> shown_group(Unsealed& live, ReadTxn& core, const Group& group) {
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  std::vector<std::string> entities, groups;
  for (const std::string& id : group.entities) {
    VAULT_TRY_ASSIGN(const auto there, core.version(identity_names::entity(id)));
    if (there != 0) entities.push_back(id);
  }
  for (const std::string& id : group.groups) {
    VAULT_TRY_ASSIGN(const auto there, core.version(identity_names::group(id)));
    if (there != 0) groups.push_back(id);
  }
  VAULT_TRY_ASSIGN(const auto parents, groups_of(core, group.id));
  Json shown = Json::object();
  shown.set("id", group.id).set("name", group.name);
  shown.set("type", group.external ? "external" : "internal");
  shown.set("policies", or_null(group.policies)).set("metadata", to_json(group.metadata));
  shown.set("member_entity_ids", or_null(entities)).set("member_group_ids", or_null(groups));
  shown.set("parent_group_ids", or_null(parents)).set("namespace_id", kRootNamespace);
  shown.set("creation_time", group.created).set("last_update_time", group.updated);
  shown.set("modify_index", group.modify_index);
  Json alias = Json::object();
  if (group.alias) {
    alias = shown_alias(*group.alias, compiled->mounts);
    alias.erase("custom_metadata");
    alias.erase("local");
  }
  shown.set("alias", std::move(alias));
  return shown;
}

Response listed(const std::vector<std::string>& keys, std::vector<Json::Member> key_info) {
  if (keys.empty()) return Response::refused(404, "");
  Json data = Json::object();
  data.set("keys", Json(keys));
  if (!key_info.empty()) data.set("key_info", Json::object_of(std::move(key_info)));
  return Response::of(data);
}

}  // namespace leasehold::core
