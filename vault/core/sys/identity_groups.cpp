// identity/group: entities, and groups of them, that have rights together.

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/base/nothing_done.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/identity.h"
#include "vault/crypto/hash.h"

namespace leasehold::core {

namespace {

constexpr commit::Unrecorded kLeadsOnly{
    "it leads from a member to a group whose own record says nothing of it yet; the change is on "
    "record with the request"};

using Found = Result<std::optional<Group>>;
using Find = Found (*)(const Call& call, ReadTxn& core);

Found by_id(const Call& call, ReadTxn& core) { return find_group(core, call.fields.text("id")); }
Found by_name(const Call& call, ReadTxn& core) {
  return group_named(core, call.fields.text("name"));
}

std::vector<std::string> sorted_ids(std::vector<std::string> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

Status set_type(const Call& call, bool is_new, Group& group) {
  if (!call.fields.given("type")) return {};
  const std::string type = call.fields.text("type");
  const bool external = type == "external";
  if (!is_new && type != (group.external ? "external" : "internal"))
    return failure(Code::invalid, "group type cannot be changed");
  if (!external && type != "internal" && !type.empty())
    return failure(Code::invalid, "invalid group type \"" + type + "\"");
  group.external = external;
  return {};
}

// Those that are new in it must be there, and must not be above it.
Status set_members(const Call& call, ReadTxn& core, Group& group) {
  const Fields& fields = call.fields;
  const Group before = group;
  if (fields.given("member_entity_ids")) {
    if (group.external)
      return failure(Code::invalid, "member entities can't be set manually for external groups");
    group.entities = sorted_ids(fields.list("member_entity_ids"));
  }
  if (fields.given("member_group_ids")) {
    if (group.external)
      return failure(Code::invalid, "member groups can't be set for external groups");
    group.groups = sorted_ids(fields.list("member_group_ids"));
  }
  if (group.entities.size() + group.groups.size() > kGroupMembersMax) return too_many_members();
  ReadTxn look(core.snapshot(), core.barrier(), core.space());  // an id is never used again
  for (const std::string& id : group.entities) {
    if (before.has(id)) continue;
    VAULT_TRY_ASSIGN(const auto there, look.version(identity_names::entity(id)));
    if (there == 0) return failure(Code::invalid, "invalid entity ID \"" + id + "\"");
  }
  for (const std::string& id : group.groups) {
    if (before.has(id)) continue;
    VAULT_TRY_ASSIGN(const auto member, find_group(core, id));
    if (!member) return failure(Code::invalid, "invalid member group ID \"" + id + "\"");
    VAULT_TRY(check_nesting(core, group, id));
  }
  return {};
}

Status set_name(ReadTxn& core, const std::string& name, Group& group) {
  if (name.empty()) return {};
  VAULT_TRY(check_identity_name(name, "a group"));
  VAULT_TRY_ASSIGN(const auto same_name, group_named(core, name));
  if (same_name && same_name->id != group.id)
    return failure(Code::invalid, "group name is already in use");
  group.name = name;
  return {};
}

// A part of the members, in a batch of its own.
Status lead(Unsealed& live, const std::vector<std::string>& members, const std::string& group_id) {
  commit::Changes changes;
  {
    VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
    WriteTxn core(*held, live.barrier, barrier::kCoreSpace, changes);
    VAULT_TRY(lead_to_group(core, members, group_id));
  }
  return live.committer.commit(commit::Batch(std::move(changes), kLeadsOnly)).status();
}

// The same each time that the request runs, so that members that lead to the group lead to it
// still: made of who asks, when and what, and of how many have that id already.
Result<std::string> id_of_request(const Call& call, ReadTxn& core) {
  for (std::uint64_t taken = 0;; ++taken) {
    Bytes text(call.caller.token_id.begin(), call.caller.token_id.end());
    append(text, as_bytes(std::to_string(call.now.ns) + " " + std::to_string(taken) + " "));
    append(text, as_bytes(call.request.path + " " + call.request.body.dump()));
    const std::string digits = hex(crypto::sha256(text));
    const std::string id = digits.substr(0, 8) + "-" + digits.substr(8, 4) + "-4" +
                           digits.substr(13, 3) + "-8" + digits.substr(17, 3) + "-" +
                           digits.substr(20, 12);
    VAULT_TRY_ASSIGN(const std::uint64_t there, core.version(identity_names::group(id)));
    if (there == 0) return id;
  }
}

Result<Response> save(Unsealed& live, Call& call, WriteTxn& core, std::optional<Group> group) {
  const bool is_new = !group;
  const std::optional<Group> before = group;
  const std::string name = call.fields.text("name");
  if (is_new) {
    VAULT_TRY_ASSIGN(group, new_group(core, name, call.now, call.random));
    VAULT_TRY_ASSIGN(group->id, id_of_request(call, core));
  }
  if (call.fields.given("policies")) {
    VAULT_TRY_ASSIGN(group->policies, identity_policies(call.fields.list("policies")));
  }
  VAULT_TRY(set_type(call, is_new, *group));
  VAULT_TRY(set_name(core, name, *group));
  if (call.fields.given("metadata")) group->metadata = metadata_of(call.fields.json("metadata"));
  VAULT_TRY(check_metadata(group->metadata, "group"));
  VAULT_TRY(set_members(call, core, *group));
  group->updated = rfc3339(call.now);
  ++group->modify_index;
  const auto leads = [&](const std::vector<std::string>& members) {
    return lead(live, members, group->id);
  };
  VAULT_TRY(save_group(core, before ? &*before : nullptr, *group, leads));
  Response response = Response::none();
  if (is_new) {
    Json data = Json::object();
    data.set("id", group->id).set("name", group->name);
    response = Response::of(data);
  }
  if (!is_new && call.fields.given("policies")) response.orders.named_policies = group->policies;
  return response;
}

// By its id, by its name, or new.
Result<Response> write(Unsealed& live, Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  if (call.fields.given("id")) {
    const std::string id = call.fields.text("id");
    if (id.empty()) return failure(Code::invalid, "empty group ID");
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (!group) return failure(Code::invalid, "invalid group ID");
    return save(live, call, core, std::move(group));
  }
  std::optional<Group> group;
  if (call.fields.given("name")) {
    if (call.fields.text("name").empty()) return failure(Code::invalid, "empty group name");
    VAULT_TRY_ASSIGN(group, by_name(call, core));
  }
  return save(live, call, core, std::move(group));
}

// A name in the path says which, whatever the body says.
Result<Response> write_named(Unsealed& live, Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(auto group, by_name(call, core));
  return save(live, call, core, std::move(group));
}

ReadHandler shows(Unsealed& live, Find find) {
  return [&live, find](Call& call, ReadTxn& txn) -> Result<Response> {
    ReadTxn core = core_of(txn);
    VAULT_TRY_ASSIGN(const auto group, find(call, core));
    if (!group) return Response::refused(404, "");
    VAULT_TRY_ASSIGN(const Json shown, shown_group(live, core, *group));
    return Response::of(shown);
  };
}

WriteHandler erases(Find find) {
  return [find](Call& call, WriteTxn& txn) -> Result<Response> {
    WriteTxn core = core_of(txn);
    VAULT_TRY_ASSIGN(const auto group, find(call, core));
    if (group) VAULT_TRY(erase_group(core, *group));
    if (!group) call.quiet_warnings.push_back(nothing_done("there is no such group"));
    return Response::none();
  };
}

Result<Response> list_ids(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(auto ids, core.list(identity_names::group(""), page.after, page.limit));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  std::vector<Json::Member> info;
  for (const std::string& id : ids) {
    VAULT_TRY_ASSIGN(const auto group, find_group(core, id));
    if (!group) continue;
    VAULT_TRY_ASSIGN(const auto parents, groups_of(core, id));
    Json one = Json::object();
    one.set("name", group->name);
    one.set("num_member_entities", static_cast<std::int64_t>(group->entities.size()));
    one.set("num_parent_groups", static_cast<std::int64_t>(parents.size()));
    if (group->alias) one.set("alias", alias_in_list(*group->alias, compiled->mounts));
    info.emplace_back(id, std::move(one));
  }
  return listed(ids, std::move(info));
}

Result<Response> list_names_of_groups(Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(auto names, indexed_names(core, "identity/group-name/"));
  return listed(part_of(std::move(names), page), {});
}

}  // namespace

std::vector<Field> group_fields() {
  return {
      {"id", FieldType::text, {}, "Its id."},
      {"name", FieldType::text, {}, "Its name, the same in any case."},
      {"type", FieldType::text, {}, "internal, or external: its members come with their login."},
      {"metadata", FieldType::text_map, {}, "What templates of policies may put into paths."},
      {"policies", FieldType::comma_list, {}, "What its members have besides their own."},
      {"member_entity_ids", FieldType::comma_list, {}, "The entities in it."},
      {"member_group_ids", FieldType::comma_list, {}, "The groups in it."}};
}

// A write may have many members, and then makes batches of its own.
void add_group_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto changes = [&live](Call& call, WriteTxn& txn) { return write(live, call, txn); };
  const auto by_its_name = [&live](Call& call, WriteTxn& txn) {
    return write_named(live, call, txn);
  };
  const auto all = [&live](Call& call, ReadTxn& txn) { return list_ids(live, call, txn); };
  routes.push_back(
      route("group", group_fields(), {writes(changes, Place::outside)}, "Makes a group"));
  routes.push_back(route("group/id", page_fields(), {lists(all)}, "Lists the groups by their ids"));
  routes.push_back(route("group/name", page_fields(), {lists(list_names_of_groups)},
                         "Lists the groups by their names"));
  routes.push_back(route("group/id/:id", group_fields(),
                         {reads(shows(live, by_id), Place::lists), writes(changes, Place::outside),
                          removes(erases(by_id), Place::lists)},
                         "Reads, changes and deletes a group by its id"));
  routes.push_back(
      route("group/name/:name*", group_fields(),
            {reads(shows(live, by_name), Place::lists), writes(by_its_name, Place::outside),
             removes(erases(by_name), Place::lists)},
            "Reads, writes and deletes a group by its name"));
}

}  // namespace leasehold::core
