// identity/entity/merge: several entities become one.

#include <algorithm>

#include "vault/core/contract/records.h"
#include "vault/core/sys/identity.h"

namespace leasehold::core {

namespace {

struct Merge {
  Entity to;
  std::vector<Entity> from;
  std::vector<std::string> kept;  // conflicting aliases that are kept, by their ids
};

bool contains(const std::vector<std::string>& list, const std::string& wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

Result<Merge> merge_of(const Call& call, ReadTxn& core) {
  Merge merge;
  const std::string to = call.fields.text("to_entity_id");
  if (to.empty()) return failure(Code::invalid, "missing entity id to merge to");
  std::vector<std::string> from = call.fields.list("from_entity_ids");
  if (from.empty()) return failure(Code::invalid, "missing entity ids to merge from");
  merge.kept = call.fields.list("conflicting_alias_ids_to_keep");
  VAULT_TRY_ASSIGN(auto target, find_entity(core, to));
  if (!target) return failure(Code::invalid, "entity id to merge to is invalid");
  merge.to = std::move(*target);
  if (from.size() > 1 && merge.kept.size() > 1)
    return failure(Code::invalid,
                   "aliases conflicts cannot be resolved with multiple from entity ids - merge one "
                   "entity at a time");
  std::sort(from.begin(), from.end());
  from.erase(std::unique(from.begin(), from.end()), from.end());
  for (const std::string& id : from) {
    if (id == merge.to.id)
      return failure(Code::invalid, "to_entity_id should not be present in from_entity_ids");
    VAULT_TRY_ASSIGN(auto entity, find_entity(core, id));
    if (!entity) return failure(Code::invalid, "entity id to merge from is invalid");
    merge.from.push_back(std::move(*entity));
  }
  return merge;
}

Json of_clash(const Entity& entity, const Alias& alias, const MountTable& mounts) {
  const Mount* mount = mounts.by_accessor(alias.mount_accessor);
  Json shown = Json::object();
  shown.set("alias", alias.name).set("entity", entity.name).set("entity_id", entity.id);
  shown.set("mount", mount == nullptr ? std::string() : mount->info.type);
  shown.set("mount_path", mount == nullptr ? std::string() : mount->info.path);
  return shown;
}

// Go's multierror of several.
std::string errors_text(const std::vector<std::string>& errors) {
  std::string text = std::to_string(errors.size()) + " errors occurred:";
  for (const std::string& error : errors) text += "\n\t* " + error;
  return text + "\n\n";
}

// Aliases of one mount on both sides, where nobody says which is kept: refused, and all are named.
Result<std::optional<Response>> refused_clashes(const Merge& merge, const MountTable& mounts) {
  std::vector<std::string> errors;
  Json clashes = Json::array();
  std::map<std::string, std::string> seen;  // mounts of those that are merged
  for (const Entity& from : merge.from)
    for (const Alias& alias : from.aliases) {
      const auto known = seen.emplace(alias.mount_accessor, from.id);
      if (known.first->second != from.id)
        return failure(Code::invalid, "mount accessor " + alias.mount_accessor +
                                          " found in multiple fromEntities, merge should be done "
                                          "with one fromEntity at a time");
      const Alias* other = merge.to.alias_at(alias.mount_accessor);
      if (other == nullptr) continue;
      if (errors.empty())
        errors.emplace_back(
            "toEntity and at least one fromEntity have aliases with the same mount accessor, "
            "repeat the merge request specifying exactly one fromEntity, clashes: ");
      errors.push_back("mountAccessor: " + alias.mount_accessor + ", toEntity ID: " + merge.to.id +
                       ", fromEntity ID: " + from.id + ", conflicting toEntity alias ID: " +
                       other->id + ", conflicting fromEntity alias ID: " + alias.id);
      clashes.push(of_clash(merge.to, *other, mounts));
      clashes.push(of_clash(from, alias, mounts));
    }
  if (errors.empty()) return std::optional<Response>();
  Response response = Response::refused(400, errors_text(errors));
  response.data = Response::of(clashes).data;
  return std::optional<Response>(std::move(response));
}

// Those of `from` come to `to`, but for what gives way there.
Status take_aliases(const Merge& merge, Entity& from, Entity& to, WallTime now) {
  std::vector<Alias> given_up;
  for (Alias& alias : from.aliases) {
    const Alias* other = to.alias_at(alias.mount_accessor);
    if (other != nullptr && contains(merge.kept, other->id)) {
      given_up.push_back(alias);
      continue;
    }
    if (other != nullptr && !contains(merge.kept, alias.id))
      return failure(Code::invalid,
                     "conflicting mount accessors in following alias IDs and neither were present "
                     "in conflicting_alias_ids_to_keep: " +
                         alias.id + ", " + other->id);
    if (other != nullptr)
      std::erase_if(to.aliases, [id = other->id](const Alias& one) { return one.id == id; });
    Alias taken = alias;
    taken.canonical_id = to.id;
    taken.merged_from.push_back(from.id);
    taken.updated = rfc3339(now);
    to.aliases.push_back(std::move(taken));
  }
  from.aliases = std::move(given_up);
  return {};
}

Status point_at(WriteTxn& core, const std::string& merged, const std::string& to) {
  Json record = Json::object();
  record.set("entity_id", to);
  return put_index(core, identity_names::merged(merged), record);
}

Result<Response> run(Unsealed& live, Call& call, WriteTxn& txn) {
  WriteTxn core = core_of(txn);
  VAULT_TRY_ASSIGN(Merge merge, merge_of(call, core));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(core));
  if (merge.kept.empty()) {
    VAULT_TRY_ASSIGN(auto refused, refused_clashes(merge, compiled->mounts));
    if (refused) return std::move(*refused);
  }
  VAULT_TRY(may_change(live, call, core, "entity", merge.to.id));
  for (const Entity& from : merge.from) VAULT_TRY(may_change(live, call, core, "entity", from.id));
  const Entity before = merge.to;
  Entity to = merge.to;
  for (Entity& from : merge.from) {
    VAULT_TRY(take_aliases(merge, from, to, call.now));
    VAULT_TRY(replace_member(core, from.id, to.id));
    std::vector<std::string> merged = std::exchange(from.merged, {});
    VAULT_TRY(erase_entity(core, from));
    merged.push_back(from.id);
    for (const std::string& id : merged) VAULT_TRY(point_at(core, id, to.id));
    to.merged.insert(to.merged.end(), merged.begin(), merged.end());
  }
  if (to.merged.size() > kMergedMax)
    return failure(Code::invalid, "an entity can be made of at most 64 others");
  to.updated = rfc3339(call.now);
  VAULT_TRY(save_entity(core, &before, to));
  return Response::none();
}

}  // namespace

void add_merge_route(std::vector<Route>& routes, Unsealed& live) {
  const auto merges = [&live](Call& call, WriteTxn& txn) { return run(live, call, txn); };
  routes.push_back(route(
      "entity/merge",
      {{"from_entity_ids", FieldType::comma_list, {}, "Those that become one with the other."},
       {"to_entity_id", FieldType::text, {}, "The one that stays."},
       {"conflicting_alias_ids_to_keep",
        FieldType::comma_list,
        {},
        "Of two aliases of one mount, the one that stays."},
       {"force", FieldType::boolean, {}, "Has no effect: there are no MFA secrets."}},
      {writes(merges, Place::lists)}, "Makes one entity of several"));
}

}  // namespace leasehold::core
