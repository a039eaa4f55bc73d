// identity/entity: who is behind tokens.

#include <algorithm>

#include "vault/base/nothing_done.h"
#include "vault/core/contract/records.h"
#include "vault/core/sys/identity.h"

namespace leasehold::core {

namespace {

using Found = Result<std::optional<Entity>>;
using Find = Found (*)(const Call& call, ReadTxn& core);

Found by_id(const Call& call, ReadTxn& core) { return find_entity(core, call.fields.text("id")); }
Found by_name(const Call& call, ReadTxn& core) {
  return entity_named(core, call.fields.text("name"));
}

Status apply(const Call& call, Entity& entity) {
  const Fields& fields = call.fields;
  if (fields.given("policies")) {
    VAULT_TRY_ASSIGN(entity.policies, identity_policies(fields.list("policies")));
  }
  if (fields.given("disabled")) entity.disabled = fields.boolean("disabled");
  if (fields.given("metadata")) entity.metadata = metadata_of(fields.json("metadata"));
  entity.updated = rfc3339(call.now);
  return check_metadata(entity.metadata, "entity");
}

Response made(const Entity& entity) {
  Json data = Json::object();
  data.set("id", entity.id).set("name", entity.name).set("aliases", Json());
  return Response::of(data);
}

Result<Response> write_as(Call& call, WriteTxn& txn, const std::string& id) {
  WriteTxn core = core_of(txn);
  const std::string name = call.fields.text("name");
  std::optional<Entity> entity;
  if (!id.empty()) {
    VAULT_TRY_ASSIGN(entity, find_entity(core, id));
    if (!entity) return failure(Code::invalid, "entity not found from id");
  }
  if (!name.empty()) {
    VAULT_TRY(check_identity_name(name, "an entity"));
    VAULT_TRY_ASSIGN(auto same_name, entity_named(core, name));
    if (same_name && entity && same_name->id != entity->id)
      return failure(Code::invalid, "entity name is already in use");
    if (same_name && !entity) entity = std::move(same_name);
  }
  const bool is_new = !entity;
  const std::optional<Entity> before = entity;
  if (is_new) {
    VAULT_TRY_ASSIGN(entity, new_entity(core, name, call.now, call.random));
  }
  if (!name.empty()) entity->name = name;
  VAULT_TRY(apply(call, *entity));
  if (is_new) entity->created = entity->updated;
  VAULT_TRY(save_entity(core, before ? &*before : nullptr, *entity));
  Response response = is_new ? made(*entity) : Response::none();
  // One that is made answers with data alone, as in Vault.
  if (!is_new && call.fields.given("policies")) response.orders.named_policies = entity->policies;
  return response;
}

// By its id, by its name, or new: as the reference takes them together.
Result<Response> write(Call& call, WriteTxn& txn) {
  return write_as(call, txn, call.fields.text("id"));
}
// A name in the path says which, whatever the body says: a right to one name is none to others.
Result<Response> write_named(Call& call, WriteTxn& txn) { return write_as(call, txn, {}); }

ReadHandler shows(Unsealed& live, Find find) {
  return [&live, find](Call& call, ReadTxn& txn) -> Result<Response> {
    ReadTxn core = core_of(txn);
    VAULT_TRY_ASSIGN(const auto entity, find(call, core));
    if (!entity) return Response::refused(404, "");
    VAULT_TRY_ASSIGN(const Json shown, shown_entity(live, core, *entity));
    return Response::of(shown);
  };
}

WriteHandler erases(Find find) {
  return [find](Call& call, WriteTxn& txn) -> Result<Response> {
    WriteTxn core = core_of(txn);
    VAULT_TRY_ASSIGN(const auto entity, find(call, core));
    if (entity) VAULT_TRY(erase_entity(core, *entity));
    if (!entity) call.quiet_warnings.push_back(nothing_done("there is no such entity"));
    return Response::none();
  };
}

// As many as a batch holds; what is given further down is refused rather than left.
Result<Response> erase_many(Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  const auto ids = call.fields.list("entity_ids");
  if (ids.empty()) return failure(Code::invalid, "missing entity ids to delete");
  for (const std::string& id : ids) {
    VAULT_TRY_ASSIGN(const auto entity, find_entity(core, id));
    if (entity) VAULT_TRY(erase_entity(core, *entity));
  }
  return Response::none();
}

Result<Response> list_ids(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(auto ids, core.list(identity_names::entity(""), page.after, page.limit));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  std::vector<Json::Member> info;
  for (const std::string& id : ids) {
    VAULT_TRY_ASSIGN(const auto entity, find_entity(core, id));
    if (!entity) continue;
    Json one = Json::object();
    one.set("name", entity->name);
    Json aliases = Json::array();
    for (const Alias& alias : entity->aliases) aliases.push(alias_in_list(alias, compiled->mounts));
    if (aliases.size() > 0) one.set("aliases", std::move(aliases));
    info.emplace_back(id, std::move(one));
  }
  return listed(ids, std::move(info));
}

Result<Response> list_names_of_entities(Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(auto names, indexed_names(core, "identity/entity-name/"));
  return listed(part_of(std::move(names), page), {});
}

}  // namespace

std::vector<Field> entity_fields() {
  return {{"id", FieldType::text, {}, "Its id."},
          {"name", FieldType::text, {}, "Its name, the same in any case."},
          {"metadata", FieldType::text_map, {}, "What templates of policies may put into paths."},
          {"policies", FieldType::comma_list, {}, "What its tokens have besides their own."},
          {"disabled", FieldType::boolean, {}, "Its tokens may do nothing, and none is given."}};
}

void add_entity_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto lists_ids = [&live](Call& call, ReadTxn& txn) { return list_ids(live, call, txn); };
  routes.push_back(route("entity", entity_fields(), {writes(write)}, "Makes an entity"));
  routes.push_back(route("entity/batch-delete", {{"entity_ids", FieldType::comma_list}},
                         {writes(erase_many, Place::lists)}, "Deletes entities"));
  routes.push_back(
      route("entity/id", page_fields(), {lists(lists_ids)}, "Lists the entities by their ids"));
  routes.push_back(route("entity/name", page_fields(), {lists(list_names_of_entities)},
                         "Lists the entities by their names"));
  routes.push_back(route("entity/id/:id", entity_fields(),
                         {reads(shows(live, by_id), Place::lists), writes(write),
                          removes(erases(by_id), Place::lists)},
                         "Reads, changes and deletes an entity by its id"));
  routes.push_back(route("entity/name/:name*", entity_fields(),
                         {reads(shows(live, by_name), Place::lists), writes(write_named),
                          removes(erases(by_name), Place::lists)},
                         "Reads, writes and deletes an entity by its name"));
}

}  // namespace leasehold::core
