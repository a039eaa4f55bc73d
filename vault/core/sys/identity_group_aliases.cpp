// identity/group-alias: by which name an auth method knows an external group.

#include "vault/base/nothing_done.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/identity.h"

namespace leasehold::core {

namespace {

Response answered(const Alias& alias) {
  Json data = Json::object();
  data.set("id", alias.id).set("canonical_id", alias.canonical_id);
  return Response::of(data);
}

// An alias changes no members, so nobody is led anywhere.
Status store(WriteTxn& core, const Group* before, Group& group, WallTime now) {
  group.updated = rfc3339(now);
  ++group.modify_index;
  return save_group(core, before, group, [](const std::vector<std::string>&) { return Status(); });
}

// The group that the alias is for: one that is named, the one that has it, or a new one.
Result<std::optional<Group>> group_for(const Call& call, ReadTxn& core,
                                       const std::optional<Group>& has_it) {
  const std::string id = call.fields.text("canonical_id");
  if (id.empty()) return has_it;
  VAULT_TRY_ASSIGN(auto group, find_group(core, id));
  if (!group) return failure(Code::invalid, "invalid group ID given in 'canonical_id'");
  if (!group->external) return failure(Code::invalid, "alias can't be set on an internal group");
  return group;
}

Status check_place(Unsealed& live, WriteTxn& core, const std::string& accessor,
                   const std::string& name, const std::string& alias_id) {
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  const Mount* mount = compiled->mounts.by_accessor(accessor);
  if (mount == nullptr)
    return failure(Code::invalid, "invalid mount accessor \"" + accessor + "\"");
  VAULT_TRY(core.version(mount->stored_at));  // it is not removed meanwhile
  if (mount->record.bool_at("local"))
    return failure(Code::invalid, "mount accessor \"" + accessor + "\" is a local mount");
  VAULT_TRY_ASSIGN(const auto there, group_at(core, accessor, name));
  if (there && there->alias && there->alias->id != alias_id)
    return failure(Code::invalid, "combination of mount and group alias name is already in use");
  return {};
}

Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  std::optional<Group> has_it;
  if (call.fields.given("id")) {
    const std::string id = call.fields.text("id");
    if (id.empty()) return failure(Code::invalid, "empty group alias ID");
    VAULT_TRY_ASSIGN(has_it, group_with_alias(core, id));
    if (!has_it || !has_it->alias) return failure(Code::invalid, "invalid group alias ID");
  }
  const std::string name = call.fields.text("name");
  const std::string accessor = call.fields.text("mount_accessor");
  if (name.empty()) return failure(Code::invalid, "missing alias name");
  if (name.size() > kAliasMax)
    return failure(Code::invalid, "the name of an alias has at most 512 bytes");
  if (accessor.empty()) return failure(Code::invalid, "missing mount_accessor");
  VAULT_TRY_ASSIGN(auto group, group_for(call, core, has_it));
  Alias alias;
  if (has_it) {
    alias = *has_it->alias;
    if (alias.name == name && alias.mount_accessor == accessor && group->id == has_it->id)
      return Response::none();
  } else {
    alias.id = uuid(call.random);
    alias.created = rfc3339(call.now);
  }
  VAULT_TRY(check_place(live, core, accessor, name, alias.id));
  const std::optional<Group> before = group;
  if (!group) {
    VAULT_TRY_ASSIGN(group, new_group(core, {}, call.now, call.random));
    group->external = true;
  }
  if (has_it && has_it->id != group->id) {
    Group without = *has_it;
    without.alias.reset();
    VAULT_TRY(store(core, &*has_it, without, call.now));
  }
  // Whom an auth method counts to the group has what the group grants.
  if (before) VAULT_TRY(may_change(live, call, core, "group", before->id));
  if (has_it) VAULT_TRY(may_change(live, call, core, "group", has_it->id));
  alias.canonical_id = group->id;
  alias.name = name;
  alias.mount_accessor = accessor;
  alias.updated = rfc3339(call.now);
  group->alias = alias;
  VAULT_TRY(store(core, before ? &*before : nullptr, *group, call.now));
  return answered(alias);
}

Json shown(const Alias& alias, const MountTable& mounts) {
  Json json = shown_alias(alias, mounts);
  json.set("namespace_id", "root");
  return json;
}

Result<Response> read(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const auto group, group_with_alias(core, call.fields.text("id")));
  if (!group || !group->alias) return Response::refused(404, "");
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  return Response::of(shown(*group->alias, compiled->mounts));
}

Result<Response> remove(Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const auto group, group_with_alias(core, call.fields.text("id")));
  if (!group || !group->alias) {
    call.quiet_warnings.push_back(nothing_done("there is no such group alias"));
    return Response::none();
  }
  Group without = *group;
  without.alias.reset();
  VAULT_TRY(store(core, &*group, without, call.now));
  return Response::none();
}

Result<Response> list(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  VAULT_TRY_ASSIGN(const auto groups, core.list(identity_names::group("")));
  std::map<std::string, Alias> aliases;
  for (const std::string& id : groups) {
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (group && group->alias) aliases.emplace(group->alias->id, std::move(*group->alias));
  }
  std::vector<std::string> keys;
  for (const auto& one : aliases) keys.push_back(one.first);
  keys = part_of(std::move(keys), page);
  std::vector<Json::Member> info;
  for (const std::string& key : keys) {
    const Alias& alias = aliases.at(key);
    Json one = to_json(alias);
    for (const char* name : {"id", "creation_time", "last_update_time"}) one.erase(name);
    set_mount(one, alias.mount_accessor, compiled->mounts);
    info.emplace_back(key, std::move(one));
  }
  return listed(keys, std::move(info));
}

std::vector<Field> alias_fields() {
  return {{"id", FieldType::text, {}, "Its id."},
          {"name", FieldType::text, {}, "Of the group within the auth method."},
          {"mount_accessor", FieldType::text, {}, "Of the auth method."},
          {"canonical_id", FieldType::text, {}, "The external group that it is a name of."}};
}

}  // namespace

void add_group_alias_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto changes = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn); };
  const auto shows = [&live](Call& call, ReadTxn& txn) { return read(live, call, txn); };
  const auto all = [&live](Call& call, ReadTxn& txn) { return list(live, call, txn); };
  routes.push_back(route("group-alias", alias_fields(), {writes(changes, Place::lists)},
                         "Gives an external group a name at an auth method"));
  routes.push_back(route("group-alias/id", page_fields(), {lists(all)}, "Lists the group aliases"));
  routes.push_back(route(
      "group-alias/id/:id", alias_fields(),
      {reads(shows, Place::lists), writes(changes, Place::lists), removes(remove, Place::lists)},
      "Reads, changes and deletes a group alias"));
}

}  // namespace leasehold::core
