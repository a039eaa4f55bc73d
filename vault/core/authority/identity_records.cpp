#include "vault/core/authority/identity_records.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kPairsMax = 64, kKeyMax = 128, kValueMax = 512;
constexpr std::string_view kPrefix = "identity/";
constexpr std::string_view kReservedPrefix = "vault-";

std::string named(std::string_view kind, std::string_view rest) {
  std::string name(kPrefix);
  name += kind;
  name += rest;
  return name;
}
// Names mean the same in any case.
std::string folded(std::string_view name) { return hex(as_bytes(lower_case(name))); }
std::string at_mount(std::string_view accessor, std::string_view name) {
  return std::string(accessor) + "/" + folded(name);
}

Metadata metadata_from(const Json* record) {
  Metadata metadata;
  if (record == nullptr || !record->is_object()) return metadata;
  for (const Json::Member& member : record->members())
    metadata.emplace(member.first, member.second.text());
  return metadata;
}

Alias alias_from(const Json& record) {
  Alias alias;
  alias.id = record.string_at("id");
  alias.canonical_id = record.string_at("canonical_id");
  alias.name = record.string_at("name");
  alias.mount_accessor = record.string_at("mount_accessor");
  alias.metadata = metadata_from(record.find("metadata"));
  const Json* custom = record.find("custom_metadata");
  if (custom != nullptr && custom->is_object()) alias.custom_metadata = metadata_from(custom);
  alias.merged_from = record.strings_at("merged_from");
  alias.created = record.string_at("creation_time");
  alias.updated = record.string_at("last_update_time");
  alias.local = record.bool_at("local");
  return alias;
}

bool is_key(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '=' || c == '/' || c == '+';
  });
}

}  // namespace

namespace identity_names {
std::string entity(std::string_view id) { return named("entity/", id); }
std::string entity_name(std::string_view name) { return named("entity-name/", folded(name)); }
std::string alias(std::string_view accessor, std::string_view name) {
  return named("alias/", at_mount(accessor, name));
}
std::string alias_id(std::string_view id) { return named("alias-id/", id); }
std::string merged(std::string_view id) { return named("merged/", id); }
std::string group(std::string_view id) { return named("group/", id); }
std::string group_name(std::string_view name) { return named("group-name/", folded(name)); }
std::string group_alias(std::string_view accessor, std::string_view name) {
  return named("group-alias/", at_mount(accessor, name));
}
std::string group_alias_id(std::string_view id) { return named("group-alias-id/", id); }
std::string groups_of(std::string_view member_id) { return named("groups-of/", member_id); }
std::string removed(std::string_view accessor) { return named("removed/", accessor); }
std::string form() { return named("form", {}); }
}  // namespace identity_names

const Alias* Entity::alias_at(std::string_view accessor) const {
  for (const Alias& alias : aliases)
    if (alias.mount_accessor == accessor) return &alias;
  return nullptr;
}

const Alias* Entity::alias(std::string_view wanted) const {
  for (const Alias& alias : aliases)
    if (alias.id == wanted) return &alias;
  return nullptr;
}

bool Group::has(std::string_view member_id) const {
  return std::binary_search(entities.begin(), entities.end(), member_id) ||
         std::binary_search(groups.begin(), groups.end(), member_id);
}

std::size_t Group::weight() const {
  return sizeof(*this) + 80 * (entities.size() + groups.size()) + 64 * policies.size() +
         128 * metadata.size();
}

Json to_json(const Metadata& metadata) {
  if (metadata.empty()) return {};
  std::vector<Json::Member> members;
  for (const auto& pair : metadata) members.emplace_back(pair.first, Json(pair.second));
  return Json::object_of(std::move(members));
}

Json to_json(const Alias& alias) {
  Json record = Json::object();
  record.set("id", alias.id).set("canonical_id", alias.canonical_id).set("name", alias.name);
  record.set("mount_accessor", alias.mount_accessor).set("metadata", to_json(alias.metadata));
  Json custom;
  if (alias.custom_metadata)
    custom = alias.custom_metadata->empty() ? Json::object() : to_json(*alias.custom_metadata);
  record.set("custom_metadata", std::move(custom)).set("local", alias.local);
  if (!alias.merged_from.empty()) record.set("merged_from", Json(alias.merged_from));
  record.set("creation_time", alias.created).set("last_update_time", alias.updated);
  return record;
}

Json to_json(const Entity& entity) {
  Json record = Json::object();
  record.set("id", entity.id).set("name", entity.name);
  record.set("metadata", to_json(entity.metadata)).set("policies", Json(entity.policies));
  record.set("disabled", entity.disabled);
  Json aliases = Json::array();
  for (const Alias& alias : entity.aliases) aliases.push(to_json(alias));
  record.set("aliases", std::move(aliases));
  if (!entity.merged.empty()) record.set("merged", Json(entity.merged));
  record.set("creation_time", entity.created).set("last_update_time", entity.updated);
  return record;
}

Entity entity_from(const Json& record) {
  Entity entity;
  entity.id = record.string_at("id");
  entity.name = record.string_at("name");
  entity.metadata = metadata_from(record.find("metadata"));
  entity.policies = record.strings_at("policies");
  entity.disabled = record.bool_at("disabled");
  const Json* aliases = record.find("aliases");
  entity.indexed = aliases != nullptr;
  if (aliases != nullptr)
    for (const Json& alias : aliases->items()) entity.aliases.push_back(alias_from(alias));
  entity.merged = record.strings_at("merged");
  entity.created = record.string_at("creation_time");
  entity.updated = record.string_at("last_update_time", entity.created);
  return entity;
}

Json to_json(const Group& group) {
  Json record = Json::object();
  record.set("id", group.id).set("name", group.name).set("external", group.external);
  record.set("metadata", to_json(group.metadata)).set("policies", Json(group.policies));
  record.set("entities", Json(group.entities)).set("groups", Json(group.groups));
  if (group.alias) record.set("alias", to_json(*group.alias));
  record.set("creation_time", group.created).set("last_update_time", group.updated);
  record.set("modify_index", group.modify_index);
  return record;
}

Group group_from(const Json& record) {
  Group group;
  group.id = record.string_at("id");
  group.name = record.string_at("name");
  group.external = record.bool_at("external");
  group.metadata = metadata_from(record.find("metadata"));
  group.policies = record.strings_at("policies");
  group.entities = record.strings_at("entities");
  group.groups = record.strings_at("groups");
  if (const Json* alias = record.find("alias")) group.alias = alias_from(*alias);
  group.created = record.string_at("creation_time");
  group.updated = record.string_at("last_update_time");
  group.modify_index = record.integer_at("modify_index");
  return group;
}

Status put_index(WriteTxn& core, const std::string& name, const Json& record) {
  const barrier::PhysicalKey key = core.barrier().value_key(core.space(), name);
  VAULT_TRY(core.version(key));  // what it says was looked at, and must not change meanwhile
  return core.put(key, name, as_bytes(record.dump()));
}

Status erase_index(WriteTxn& core, const std::string& name) {
  const barrier::PhysicalKey key = core.barrier().value_key(core.space(), name);
  VAULT_TRY(core.version(key));
  return core.erase(key);
}

Result<std::optional<std::string>> index_at(ReadTxn& core, const std::string& name,
                                            std::string_view key) {
  VAULT_TRY_ASSIGN(const auto record, load_json(core, name));
  if (!record) return std::optional<std::string>();
  return std::optional<std::string>(record->string_at(key));
}

barrier::PhysicalKey identity_revision_key() {
  barrier::PhysicalKey key(barrier::Table::revision);
  key.push('i');
  return key;
}

Status bump_identity(WriteTxn& core) {
  if (core.changes().storage.written(identity_revision_key().view())) return {};
  return core.mark(identity_revision_key());
}

Status check_metadata(const Metadata& metadata, std::string_view whose) {
  const auto wrong = [whose](const std::string& why) {
    return failure(Code::invalid, "invalid " + std::string(whose) + " metadata: " + why);
  };
  if (metadata.size() > kPairsMax)
    return wrong("metadata cannot contain more than 64 key/value pairs");
  for (const auto& pair : metadata) {
    const std::string of_pair = "failed to load metadata pair (\"" + pair.first.substr(0, kKeyMax) +
                                "\", \"" + pair.second.substr(0, kKeyMax) + "\"): ";
    if (pair.first.empty()) return wrong(of_pair + "key cannot be blank");
    if (!is_key(pair.first)) return wrong(of_pair + "key contains invalid characters");
    if (pair.first.size() > kKeyMax)
      return wrong(of_pair + "key is too long (limit: 128 characters)");
    if (pair.first.starts_with(kReservedPrefix))
      return wrong(of_pair + "key prefix \"vault-\" is reserved for internal use");
    if (pair.second.size() > kValueMax)
      return wrong(of_pair + "value is too long (limit: 512 characters)");
  }
  return {};
}

Status check_identity_name(std::string_view name, std::string_view what) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (name.size() <= kIdentityNameMax && std::none_of(name.begin(), name.end(), is_control))
    return {};
  return failure(Code::invalid, "the name of " + std::string(what) +
                                    " has at most 512 bytes, and no control characters");
}

Result<std::vector<std::string>> identity_policies(const std::vector<std::string>& given) {
  std::vector<std::string> policies = canonical_policies(given);
  if (std::binary_search(policies.begin(), policies.end(), "root"))
    return failure(Code::invalid, "policies cannot contain root");
  VAULT_TRY(check_assignable(policies));
  const auto too_long = [](const std::string& name) { return name.size() > kPolicyNameMax; };
  if (policies.size() > kIdentityPoliciesMax ||
      std::any_of(policies.begin(), policies.end(), too_long))
    return failure(Code::invalid,
                   "an entity or a group has at most 256 policies, with names of 512 bytes");
  return policies;
}

}  // namespace leasehold::core
