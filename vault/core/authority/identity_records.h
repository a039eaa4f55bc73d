#pragma once
// What is stored about who is behind a token: entities with their aliases, and groups. Records are
// JSON in the core's space; an index is a record of its own, in the batch of what it leads to.
//
//   identity/entity/<id>                      the entity, with its aliases
//   identity/entity-name/<name>               its id, by its name in lower case, in hex
//   identity/alias/<accessor>/<name>          who logs in there by that name: in lower case, in hex
//   identity/alias-id/<id>                    the entity that has the alias
//   identity/merged/<id>                      the entity that this one was merged into
//   identity/group/<id>                       the group, with its members
//   identity/group-name/<name>                its id, likewise
//   identity/group-alias/<accessor>/<name>    the external group of that name there, likewise
//   identity/group-alias-id/<id>              the group that has the alias
//   identity/groups-of/<id>                   groups that may have this entity or group as a member
//   identity/removed/<accessor>               an auth method that is gone: its aliases go, too
//   identity/form                             every index is there: earlier versions kept fewer
//
// `groups-of` may name a group that lacks the member, and never lacks one that has it: the group's
// own record says who is in it. Values and free functions; thread safety as such.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "vault/base/json.h"
#include "vault/commit/txn.h"

namespace leasehold::core {

using commit::ReadTxn;
using commit::WriteTxn;

inline constexpr std::size_t kAliasMax = 512;         // bytes of a name
inline constexpr std::size_t kIdentityNameMax = 512;  // of an entity, of a group
inline constexpr std::size_t kAliasesMax = 24;        // of an entity: one for each auth method
inline constexpr std::size_t kIdentityPoliciesMax = 256;
inline constexpr std::size_t kGroupMembersMax = 16384;
inline constexpr std::size_t kMergedMax = 64;  // entities that one was made of

using Metadata = std::map<std::string, std::string>;

struct Alias {
  std::string id, canonical_id, name, mount_accessor;
  Metadata metadata;                        // of the login
  std::optional<Metadata> custom_metadata;  // an operator's; nothing: never set
  std::vector<std::string> merged_from;     // entities that had it
  std::string created, updated;             // RFC 3339
  bool local = false;
};

struct Entity {
  std::string id, name;
  Metadata metadata;
  std::vector<std::string> policies;  // canonical
  std::vector<Alias> aliases;
  std::vector<std::string> merged;  // entities that it was made of, too
  std::string created, updated;
  bool disabled = false;
  bool indexed = true;  // false: of an earlier version, which kept no list of its aliases
  const Alias* alias_at(std::string_view accessor) const;
  const Alias* alias(std::string_view id) const;
};

struct Group {
  std::string id, name;
  bool external = false;
  Metadata metadata;
  std::vector<std::string> policies;          // canonical
  std::vector<std::string> entities, groups;  // its members' ids, sorted
  std::optional<Alias> alias;                 // of an external one
  std::string created, updated;
  std::int64_t modify_index = 0;
  bool has(std::string_view member_id) const;
  std::size_t weight() const;  // bytes, about
};

namespace identity_names {
std::string entity(std::string_view id);
std::string entity_name(std::string_view name);
std::string alias(std::string_view accessor, std::string_view name);
std::string alias_id(std::string_view id);
std::string merged(std::string_view id);
std::string group(std::string_view id);
std::string group_name(std::string_view name);
std::string group_alias(std::string_view accessor, std::string_view name);
std::string group_alias_id(std::string_view id);
std::string groups_of(std::string_view member_id);
std::string removed(std::string_view accessor);
std::string form();
}  // namespace identity_names

Json to_json(const Metadata& metadata);  // null when there is none
Json to_json(const Entity& entity);      // as stored, as the next two
Json to_json(const Group& group);
Json to_json(const Alias& alias);
Entity entity_from(const Json& record);
Group group_from(const Json& record);

// A record of an index: a value without a name beside it, since nothing lists it.
Status put_index(WriteTxn& core, const std::string& name, const Json& record);
Status erase_index(WriteTxn& core, const std::string& name);
// The text at `key` of the record `name`; nothing: there is none.
Result<std::optional<std::string>> index_at(ReadTxn& core, const std::string& name,
                                            std::string_view key);

// Whose `mod` says when something of an identity changed last that was there before: a new entity
// of a login changes nobody's rights, and does not move it.
barrier::PhysicalKey identity_revision_key();
Status bump_identity(WriteTxn& core);

// Code::invalid, in the reference's words.
Status check_metadata(const Metadata& metadata, std::string_view whose);
Status check_identity_name(std::string_view name, std::string_view what);
// The names in canonical form, of what an entity or a group grants: never root, nor what the core
// alone gives.
Result<std::vector<std::string>> identity_policies(const std::vector<std::string>& given);

}  // namespace leasehold::core
