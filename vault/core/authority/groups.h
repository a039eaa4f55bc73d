#pragma once
// Groups of entities, and of groups. A group's own record says who is in it; "groups-of" of a
// member leads to it (identity_records.h). Rights flow up: a member has what its group has, and
// what that group's groups have. All functions take a transaction in the core's space.
// Thread-safe functions.

#include "vault/core/authority/identity_records.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

inline constexpr unsigned kGroupDepthMax = 32;
inline constexpr std::size_t kGroupsVisitedMax = 256;  // by one walk: what a member can be in

Result<std::optional<Group>> find_group(ReadTxn& core, std::string_view id);
Result<std::optional<Group>> group_named(ReadTxn& core, std::string_view name);
Result<std::optional<Group>> group_with_alias(ReadTxn& core, std::string_view alias_id);
Result<std::optional<Group>> group_at(ReadTxn& core, std::string_view accessor,
                                      std::string_view alias_name);
// The ids of groups that may have it as a member.
Result<std::vector<std::string>> groups_named_by(ReadTxn& core, std::string_view member_id);
// Those that have it, sorted.
Result<std::vector<std::string>> groups_of(ReadTxn& core, std::string_view member_id);

Result<Group> new_group(ReadTxn& core, std::string_view name, WallTime now, Random& random);
// Stores it with its indexes, once every member leads to it. `before`: as it was stored; null: it
// is new. Members that lead nowhere yet and are more than one batch holds are told to `lead`, in
// parts, each a batch of its own; then Code::conflict: look again.
using LeadMembers = FunctionRef<Status(const std::vector<std::string>& member_ids)>;
Status save_group(WriteTxn& core, const Group* before, const Group& after, LeadMembers lead);
// From now on these may be members of the group; one batch takes kLedAtOnce of them.
inline constexpr std::size_t kLedAtOnce = 40;
Status lead_to_group(WriteTxn& core, const std::vector<std::string>& member_ids,
                     const std::string& group_id);
Status erase_group(WriteTxn& core, const Group& group);
// An entity, or a group, that is erased is a member of no group any more.
Status leave_groups(WriteTxn& core, const std::string& member_id);
// One that another takes the place of (a merge).
Status replace_member(WriteTxn& core, const std::string& member_id, const std::string& by);

// Of a login at `mount` whose method says that the entity is in groups of these names there: it
// enters the external groups that have them, and leaves others of the same mount. `had`: those it
// is in. Whether anything changed.
Result<bool> refresh_external(WriteTxn& core, const std::string& entity_id,
                              const std::vector<Group>& had, const MountInfo& mount,
                              const std::vector<std::string>& names_there, WallTime now);
Error too_many_members();

// Code::invalid where the group would be above itself, or the nesting too deep.
Status check_nesting(ReadTxn& core, const Group& group, const std::string& member_id);

}  // namespace leasehold::core
