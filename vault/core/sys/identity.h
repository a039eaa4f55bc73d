#pragma once
// identity/: entities, their aliases, groups and theirs. Records and rules are in
// vault/core/authority (identity_records.h); here is what the API takes and shows of them.
// Thread-safe functions.

#include "vault/core/authority/entities.h"
#include "vault/core/authority/groups.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

void add_entity_routes(std::vector<Route>& routes, Unsealed& live);
void add_merge_route(std::vector<Route>& routes, Unsealed& live);
void add_entity_alias_routes(std::vector<Route>& routes, Unsealed& live);
void add_group_routes(std::vector<Route>& routes, Unsealed& live);
void add_group_alias_routes(std::vector<Route>& routes, Unsealed& live);
void add_identity_lookup_routes(std::vector<Route>& routes, Unsealed& live);
// A bounded part of what is behind: aliases of auth methods that are gone, indexes that an earlier
// version did not keep.
Result<DueSlice> identity_due(WriteTxn& txn, const std::string& from);

// Handlers get a transaction in the space of the mount; what they work on is in the core's.
inline ReadTxn core_of(ReadTxn& txn) { return txn.in(barrier::kCoreSpace); }
inline WriteTxn core_of(WriteTxn& txn) { return txn.in(barrier::kCoreSpace); }

// What takes an entity's names, or gives it some, needs the right to change that entity, too, and
// so it is with a group (`kind`): Code::denied without.
Status may_change(Unsealed& live, const Call& call, ReadTxn& core, std::string_view kind,
                  const std::string& id);

// As the API shows them. `mounts` names where an alias is.
Result<Json> shown_entity(Unsealed& live, ReadTxn& core, const Entity& entity);
Result<Json> shown_group(Unsealed& live, ReadTxn& core, const Group& group);
Json shown_alias(const Alias& alias, const MountTable& mounts);
Json alias_in_list(const Alias& alias, const MountTable& mounts);
void set_mount(Json& shown, const std::string& accessor, const MountTable& mounts);
// The names that an index of names knows, as they were given, sorted.
Result<std::vector<std::string>> indexed_names(ReadTxn& core, const std::string& directory);
// {"keys","key_info"}; 404 when there are none.
Response listed(const std::vector<std::string>& keys, std::vector<Json::Member> key_info);

std::vector<Field> entity_fields();
std::vector<Field> group_fields();
Metadata metadata_of(const Json& given);

}  // namespace leasehold::core
