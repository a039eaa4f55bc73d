// identity/: its routes, looking up by what is known, and what it does by itself.

#include "vault/core/sys/identity.h"

#include <algorithm>

#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kForgottenAtOnce = 8;  // aliases of a mount that is gone, in one batch
constexpr std::size_t kCompletedAtOnce = 8;
constexpr std::string_view kCompletes = "complete/";
constexpr std::string_view kAliases = "identity/alias/", kGroupAliases = "identity/group-alias/",
                           kRemoved = "identity/removed/";

// Which one of the ways to name somebody is used: one alone, or the two that belong together.
Status check_query(const Fields& fields) {
  const auto given = [&fields](const char* name) { return fields.given(name) ? 1 : 0; };
  const bool alias = given("alias_name") != 0, mount = given("alias_mount_accessor") != 0;
  const int count =
      given("id") + given("name") + given("alias_id") + (alias ? 1 : 0) + (mount ? 1 : 0);
  if (count == 0) return failure(Code::invalid, "query parameter not supplied");
  const bool pair = count == 2 && !fields.text("alias_name").empty() &&
                    !fields.text("alias_mount_accessor").empty();
  if (count != 1 && !pair)
    return failure(Code::invalid,
                   "query parameter conflict; please supply distinct set of query parameters");
  if (count == 1 && (alias || mount))
    return failure(Code::invalid, "both 'alias_name' and 'alias_mount_accessor' needs to be set");
  return {};
}

Result<std::optional<Entity>> entity_asked(const Fields& fields, ReadTxn& core) {
  if (fields.given("id")) return find_entity(core, fields.text("id"));
  if (fields.given("name")) return entity_named(core, fields.text("name"));
  if (fields.given("alias_id")) return entity_with_alias(core, fields.text("alias_id"));
  return entity_at(core, fields.text("alias_mount_accessor"), fields.text("alias_name"));
}

Result<std::optional<Group>> group_asked(const Fields& fields, ReadTxn& core) {
  if (fields.given("id")) return find_group(core, fields.text("id"));
  if (fields.given("name")) return group_named(core, fields.text("name"));
  if (fields.given("alias_id")) return group_with_alias(core, fields.text("alias_id"));
  return group_at(core, fields.text("alias_mount_accessor"), fields.text("alias_name"));
}

Result<Response> look_up_entity(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY(check_query(call.fields));
  VAULT_TRY_ASSIGN(const auto entity, entity_asked(call.fields, core));
  if (!entity) return Response::none();
  VAULT_TRY_ASSIGN(const Json shown, shown_entity(live, core, *entity));
  return Response::of(shown);
}

Result<Response> look_up_group(Unsealed& live, Call& call, ReadTxn& txn) {
  ReadTxn core = core_of(txn);
  VAULT_TRY(check_query(call.fields));
  VAULT_TRY_ASSIGN(const auto group, group_asked(call.fields, core));
  if (!group) return Response::none();
  VAULT_TRY_ASSIGN(const Json shown, shown_group(live, core, *group));
  return Response::of(shown);
}

// Of each alias at a place the text of its record; `limit` at most.
Result<std::vector<Json>> records_in(ReadTxn& core, const std::string& directory,
                                     std::size_t limit) {
  std::vector<Json> records;
  const auto prefix =
      core.barrier().directory_prefix(core.space(), directory, barrier::Table::value);
  Status read;
  VAULT_TRY(core.scan(prefix, prefix.end_of_prefix(), limit, storage::Scan::values,
                      [&](const storage::Entry& entry) {
                        auto opened = core.barrier().open_named(
                            barrier::PhysicalKey::from(entry.key), entry.value);
                        if (!opened.ok()) {
                          read = std::move(opened).error();
                          return false;
                        }
                        auto record = parse_json(as_text(opened->value.reveal()));
                        if (!record.ok()) return true;
                        record->set("stored_name", opened->name);
                        records.push_back(std::move(*record));
                        return true;
                      }));
  VAULT_TRY(read);
  return records;
}

// The aliases of entities at a mount that is gone, then those of groups, then the mark.
Result<DueSlice> forget_some(WriteTxn& core, const std::string& accessor) {
  DueSlice slice{accessor, 0};
  ReadTxn look(core.snapshot(), core.barrier(), core.space());
  VAULT_TRY_ASSIGN(const auto aliases,
                   records_in(look, std::string(kAliases) + accessor + "/", kForgottenAtOnce));
  for (const Json& alias : aliases) {
    VAULT_TRY_ASSIGN(const auto entity, find_entity(core, alias.string_at("entity_id")));
    ++slice.done;
    if (!entity || entity->alias(alias.string_at("id")) == nullptr) {
      VAULT_TRY(core.erase(alias.string_at("stored_name")));
      continue;
    }
    Entity without = *entity;
    std::erase_if(without.aliases,
                  [&accessor](const Alias& one) { return one.mount_accessor == accessor; });
    VAULT_TRY(save_entity(core, &*entity, without));
  }
  if (!aliases.empty()) return slice;
  VAULT_TRY_ASSIGN(const auto groups,
                   records_in(look, std::string(kGroupAliases) + accessor + "/", kForgottenAtOnce));
  for (const Json& alias : groups) {
    VAULT_TRY_ASSIGN(const auto group, find_group(core, alias.string_at("group_id")));
    ++slice.done;
    VAULT_TRY(core.erase(alias.string_at("stored_name")));
    if (!group || !group->alias) continue;
    Group without = *group;
    without.alias.reset();
    VAULT_TRY(save_group(core, &*group, without,
                         [](const std::vector<std::string>&) { return Status(); }));
  }
  if (!groups.empty()) return slice;
  VAULT_TRY(core.erase(identity_names::removed(accessor)));
  slice.next.clear();
  return slice;
}

class IdentityEngine final : public Engine {
 public:
  explicit IdentityEngine(Unsealed& live) {
    add_entity_routes(routes_, live);
    add_merge_route(routes_, live);
    add_entity_alias_routes(routes_, live);
    add_group_routes(routes_, live);
    add_group_alias_routes(routes_, live);
    add_identity_lookup_routes(routes_, live);
  }
  std::span<const Route> routes() const override { return routes_; }
  std::optional<Seconds> due_every() const override { return Seconds{3600}; }
  Result<DueSlice> due(WriteTxn& txn, const std::string& from, WallTime) override {
    return identity_due(txn, from);
  }

 private:
  std::vector<Route> routes_;
};

}  // namespace

namespace {

// The first directory of aliases behind `after`; empty: there is none.
Result<std::string> next_accessor(ReadTxn& look, const std::string& after) {
  VAULT_TRY_ASSIGN(const auto all, look.list(kAliases, after, 1));
  return all.empty() ? std::string() : all.front();
}

// `from`: "<accessor>/<name>" behind which it goes on. Aliases of an earlier version are in no
// list.
Result<DueSlice> complete_some(WriteTxn& core, ReadTxn& look, std::string from) {
  DueSlice slice;
  if (from.empty()) {
    VAULT_TRY_ASSIGN(from, next_accessor(look, {}));
  }
  const std::size_t slash = from.find('/');
  if (slash == from.npos) {
    VAULT_TRY(mark_complete(core));
    return slice;
  }
  const std::string directory = from.substr(0, slash + 1);
  VAULT_TRY_ASSIGN(const auto names, look.list(std::string(kAliases) + directory,
                                               from.substr(slash + 1), kCompletedAtOnce));
  for (const std::string& name : names) {
    const std::string stored_name = std::string(kAliases) + directory + name;
    VAULT_TRY_ASSIGN(const auto record, load_json(look, stored_name));
    if (!record) continue;
    VAULT_TRY_ASSIGN(const bool was_missing, complete_alias(core, stored_name, *record));
    slice.done += was_missing ? 1 : 0;
  }
  std::string next = names.empty() ? std::string() : directory + names.back();
  if (names.size() < kCompletedAtOnce) {
    VAULT_TRY_ASSIGN(next, next_accessor(look, directory));
  }
  if (next.empty())
    VAULT_TRY(mark_complete(core));
  else
    slice.next = std::string(kCompletes) + next;
  return slice;
}

}  // namespace

Result<DueSlice> identity_due(WriteTxn& txn, const std::string& from) {
  WriteTxn core = core_of(txn);
  ReadTxn look = core_of(static_cast<ReadTxn&>(txn));
  if (from.starts_with(kCompletes))
    return complete_some(core, look, from.substr(kCompletes.size()));
  std::string accessor = from;
  if (accessor.empty()) {
    VAULT_TRY_ASSIGN(const auto complete, look.version(identity_names::form()));
    if (complete == 0) return complete_some(core, look, {});
    VAULT_TRY_ASSIGN(const auto removed, look.list(kRemoved, {}, 1));
    if (removed.empty()) return DueSlice();
    accessor = removed.front();
  }
  VAULT_TRY_ASSIGN(DueSlice slice, forget_some(core, accessor));
  if (!slice.next.empty()) return slice;
  VAULT_TRY_ASSIGN(const auto others, look.list(kRemoved, accessor, 1));
  if (!others.empty()) slice.next = others.front();
  return slice;
}

Result<std::vector<std::string>> indexed_names(ReadTxn& core, const std::string& directory) {
  VAULT_TRY_ASSIGN(const auto records, records_in(core, directory, SIZE_MAX));
  std::vector<std::string> names;
  for (const Json& record : records) names.push_back(record.string_at("name"));
  std::sort(names.begin(), names.end());
  return names;
}

void add_identity_lookup_routes(std::vector<Route>& routes, Unsealed& live) {
  const std::vector<Field> fields = {
      {"id", FieldType::text, {}, "By its id."},
      {"name", FieldType::text, {}, "By its name."},
      {"alias_id", FieldType::text, {}, "By the id of an alias."},
      {"alias_name", FieldType::text, {}, "By the name of an alias, with alias_mount_accessor."},
      {"alias_mount_accessor", FieldType::text, {}, "The accessor of the auth method."}};
  const auto entities = [&live](Call& call, ReadTxn& txn) {
    return look_up_entity(live, call, txn);
  };
  const auto groups = [&live](Call& call, ReadTxn& txn) { return look_up_group(live, call, txn); };
  routes.push_back(
      route("lookup/entity", fields, {asks(entities, Place::lists)}, "Finds an entity"));
  routes.push_back(route("lookup/group", fields, {asks(groups, Place::lists)}, "Finds a group"));
}

std::unique_ptr<Engine> make_identity_engine(Unsealed& live) {
  return std::make_unique<IdentityEngine>(live);
}

}  // namespace leasehold::core
