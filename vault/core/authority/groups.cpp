#include "vault/core/authority/groups.h"

#include <algorithm>
#include <set>

#include "vault/base/encoding.h"
#include "vault/core/contract/records.h"

namespace leasehold::core {

namespace names = identity_names;

namespace {

constexpr std::size_t kGeneratedDigits = 8;
constexpr std::size_t kLeftAtOnce = 40;      // groups, in the batch that ends a member
constexpr std::size_t kRefreshedMax = 60;    // by one login
constexpr std::size_t kReplacedAtOnce = 30;  // the same, where another member comes instead

void add_sorted(std::vector<std::string>& ids, const std::string& id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at == ids.end() || *at != id) ids.insert(at, id);
}
void remove_sorted(std::vector<std::string>& ids, std::string_view id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  if (at != ids.end() && *at == id) ids.erase(at);
}

Status put_groups_of(WriteTxn& core, const std::string& member_id,
                     const std::vector<std::string>& groups) {
  if (groups.empty()) return erase_index(core, names::groups_of(member_id));
  Json record = Json::object();
  record.set("groups", Json(groups));
  return put_index(core, names::groups_of(member_id), record);
}

std::vector<std::string> members_of(const Group& group) {
  std::vector<std::string> members = group.entities;
  members.insert(members.end(), group.groups.begin(), group.groups.end());
  std::sort(members.begin(), members.end());
  return members;
}

Status save_alias(WriteTxn& core, const Group* before, const Group& after) {
  const Alias* old = before != nullptr && before->alias ? &*before->alias : nullptr;
  const Alias* now = after.alias ? &*after.alias : nullptr;
  const auto key = [](const Alias& alias) {
    return names::group_alias(alias.mount_accessor, alias.name);
  };
  if (old != nullptr && (now == nullptr || now->id != old->id))
    VAULT_TRY(erase_index(core, names::group_alias_id(old->id)));
  if (old != nullptr && (now == nullptr || key(*now) != key(*old)))
    VAULT_TRY(core.erase(key(*old)));
  if (now == nullptr) return {};
  Json record = Json::object();
  record.set("group_id", after.id).set("id", now->id).set("name", now->name);
  VAULT_TRY(core.put(key(*now), as_bytes(record.dump())));
  return put_index(core, names::group_alias_id(now->id), record);
}

Status save_name(WriteTxn& core, const Group* before, const Group& after) {
  if (before != nullptr && before->name == after.name) return {};
  const std::string name = names::group_name(after.name);
  if (before != nullptr && names::group_name(before->name) != name)
    VAULT_TRY(erase_index(core, names::group_name(before->name)));
  Json record = Json::object();
  record.set("id", after.id).set("name", after.name);
  return put_index(core, name, record);
}

// Of the members that `after` has and `before` had not, those that do not lead to it.
Result<std::vector<std::string>> not_led(WriteTxn& core, const Group* before, const Group& after) {
  std::vector<std::string> missing;
  for (const std::string& member : members_of(after)) {
    if (before != nullptr && before->has(member)) continue;
    VAULT_TRY_ASSIGN(const auto known, groups_named_by(core, member));
    if (!std::binary_search(known.begin(), known.end(), after.id)) missing.push_back(member);
  }
  return missing;
}

Result<bool> is_led_anew(WriteTxn& core, const std::vector<std::string>& missing,
                         const std::string& group_id, LeadMembers lead) {
  if (missing.size() <= kLedAtOnce) {
    VAULT_TRY(lead_to_group(core, missing, group_id));
    return false;
  }
  for (std::size_t from = 0; from < missing.size(); from += kLedAtOnce) {
    const std::size_t to = std::min(missing.size(), from + kLedAtOnce);
    VAULT_TRY(lead({missing.begin() + static_cast<std::ptrdiff_t>(from),
                    missing.begin() + static_cast<std::ptrdiff_t>(to)}));
  }
  return true;
}

}  // namespace

Result<std::optional<Group>> find_group(ReadTxn& core, std::string_view id) {
  VAULT_TRY_ASSIGN(const auto record, load_json(core, names::group(id)));
  if (!record) return std::optional<Group>();
  return std::optional<Group>(group_from(*record));
}

Result<std::optional<Group>> group_named(ReadTxn& core, std::string_view name) {
  VAULT_TRY_ASSIGN(const auto id, index_at(core, names::group_name(name), "id"));
  if (!id) return std::optional<Group>();
  return find_group(core, *id);
}

Result<std::optional<Group>> group_with_alias(ReadTxn& core, std::string_view alias_id) {
  VAULT_TRY_ASSIGN(const auto id, index_at(core, names::group_alias_id(alias_id), "group_id"));
  if (!id) return std::optional<Group>();
  return find_group(core, *id);
}

Result<std::optional<Group>> group_at(ReadTxn& core, std::string_view accessor,
                                      std::string_view alias_name) {
  VAULT_TRY_ASSIGN(const auto id,
                   index_at(core, names::group_alias(accessor, alias_name), "group_id"));
  if (!id) return std::optional<Group>();
  return find_group(core, *id);
}

Result<std::vector<std::string>> groups_named_by(ReadTxn& core, std::string_view member_id) {
  VAULT_TRY_ASSIGN(const auto record, load_json(core, names::groups_of(member_id)));
  return record ? record->strings_at("groups") : std::vector<std::string>();
}

Result<std::vector<std::string>> groups_of(ReadTxn& core, std::string_view member_id) {
  VAULT_TRY_ASSIGN(const auto named, groups_named_by(core, member_id));
  std::vector<std::string> groups;
  for (const std::string& id : named) {
    VAULT_TRY_ASSIGN(const auto group, find_group(core, id));
    if (group && group->has(member_id)) groups.push_back(id);
  }
  return groups;
}

Result<Group> new_group(ReadTxn& core, std::string_view name, WallTime now, Random& random) {
  Group group;
  group.id = uuid(random);
  group.name = name;
  group.created = group.updated = rfc3339(now);
  while (group.name.empty()) {
    std::string own = "group_" + uuid(random).substr(0, kGeneratedDigits);
    VAULT_TRY_ASSIGN(const std::uint64_t taken, core.version(names::group_name(own)));
    if (taken == 0) group.name = std::move(own);
  }
  return group;
}

// The record comes last: as long as it lacks a member, what leads to it means nothing.
Status save_group(WriteTxn& core, const Group* before, const Group& after, LeadMembers lead) {
  VAULT_TRY_ASSIGN(const auto missing, not_led(core, before, after));
  VAULT_TRY_ASSIGN(const bool again, is_led_anew(core, missing, after.id, lead));
  if (again) return failure(Code::conflict, "the members of the group were changed: try again");
  if (before != nullptr) {
    std::vector<std::string> gone;
    for (const std::string& member : members_of(*before))
      if (!after.has(member)) gone.push_back(member);
    gone.resize(std::min(gone.size(), kLedAtOnce - missing.size()));  // others lead in vain
    for (const std::string& member : gone) {
      VAULT_TRY_ASSIGN(auto known, groups_named_by(core, member));
      remove_sorted(known, after.id);
      VAULT_TRY(put_groups_of(core, member, known));
    }
  }
  VAULT_TRY(save_alias(core, before, after));
  VAULT_TRY(save_name(core, before, after));
  VAULT_TRY(save_json(core, names::group(after.id), to_json(after)));
  return bump_identity(core);
}

Status lead_to_group(WriteTxn& core, const std::vector<std::string>& member_ids,
                     const std::string& group_id) {
  for (const std::string& member : member_ids) {
    VAULT_TRY_ASSIGN(auto known, groups_named_by(core, member));
    if (known.size() >= kGroupsVisitedMax) {
      VAULT_TRY_ASSIGN(known, groups_of(core, member));  // without those that lead in vain
    }
    if (known.size() >= kGroupsVisitedMax)
      return failure(Code::invalid, "\"" + member + "\" is a member of 256 groups already");
    add_sorted(known, group_id);
    VAULT_TRY(put_groups_of(core, member, known));
  }
  return bump_identity(core);
}

Status erase_group(WriteTxn& core, const Group& group) {
  Group empty = group;
  empty.alias.reset();
  VAULT_TRY(save_alias(core, &group, empty));
  VAULT_TRY(leave_groups(core, group.id));
  VAULT_TRY(erase_index(core, names::group_name(group.name)));
  VAULT_TRY(core.erase(names::group(group.id)));
  return bump_identity(core);
}

// What does not fit into the batch stays in the groups' records, and means nobody: ids are never
// used again.
Status leave_groups(WriteTxn& core, const std::string& member_id) {
  VAULT_TRY_ASSIGN(const auto named, groups_named_by(core, member_id));
  std::size_t left = 0;
  for (const std::string& id : named) {
    if (left == kLeftAtOnce) break;
    VAULT_TRY_ASSIGN(const bool fits,
                     has_room(core, core.barrier().value_key(core.space(), names::group(id))));
    if (!fits) break;
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (!group || !group->has(member_id)) continue;
    remove_sorted(group->entities, member_id);
    remove_sorted(group->groups, member_id);
    ++group->modify_index;
    VAULT_TRY(save_json(core, names::group(id), to_json(*group)));
    ++left;
  }
  if (named.empty()) return {};
  return erase_index(core, names::groups_of(member_id));
}

Status replace_member(WriteTxn& core, const std::string& member_id, const std::string& by) {
  VAULT_TRY_ASSIGN(const auto named, groups_of(core, member_id));
  if (named.empty()) return {};
  if (named.size() > kReplacedAtOnce)
    return failure(Code::invalid, "the entity \"" + member_id +
                                      "\" is a member of more than 30 groups: take it out of some "
                                      "before it is merged");
  VAULT_TRY_ASSIGN(auto known, groups_named_by(core, by));
  for (const std::string& id : named) {
    VAULT_TRY_ASSIGN(auto group, find_group(core, id));
    if (!group) continue;
    remove_sorted(group->entities, member_id);
    add_sorted(group->entities, by);
    add_sorted(known, id);
    ++group->modify_index;
    VAULT_TRY(save_json(core, names::group(id), to_json(*group)));
  }
  if (known.size() > kGroupsVisitedMax)
    return failure(Code::invalid, "the entities are members of more than 256 groups together");
  VAULT_TRY(put_groups_of(core, by, known));
  return put_groups_of(core, member_id, {});
}

Result<bool> refresh_external(WriteTxn& core, const std::string& entity_id,
                              const std::vector<Group>& had, const MountInfo& mount,
                              const std::vector<std::string>& names_there, WallTime now) {
  std::map<std::string, Group> changed;
  std::set<std::string> wanted;
  for (const std::string& name : names_there) {
    if (name.empty() || name.size() > kAliasMax) continue;
    VAULT_TRY_ASSIGN(auto group, group_at(core, mount.accessor, name));
    if (!group || !wanted.insert(group->id).second || group->has(entity_id)) continue;
    add_sorted(group->entities, entity_id);
    changed.emplace(group->id, std::move(*group));
  }
  VAULT_TRY_ASSIGN(auto known, groups_named_by(core, entity_id));
  for (const auto& one : changed) add_sorted(known, one.first);
  for (const Group& old : had) {
    if (!old.external || !old.alias || old.alias->mount_accessor != mount.accessor) continue;
    if (wanted.count(old.id) != 0) continue;
    VAULT_TRY_ASSIGN(auto group, find_group(core, old.id));
    remove_sorted(known, old.id);
    if (!group || !group->has(entity_id)) continue;
    remove_sorted(group->entities, entity_id);
    changed.emplace(group->id, std::move(*group));
  }
  if (changed.empty()) return false;
  if (changed.size() > kRefreshedMax || known.size() > kGroupsVisitedMax)
    return failure(Code::invalid,
                   "this login would change the membership in more than 60 groups at once");
  for (auto& one : changed) {
    Group& group = one.second;
    if (group.entities.size() > kGroupMembersMax) return too_many_members();
    ++group.modify_index;
    group.updated = rfc3339(now);
    VAULT_TRY(save_json(core, names::group(group.id), to_json(group)));
  }
  VAULT_TRY(put_groups_of(core, entity_id, known));
  VAULT_TRY(bump_identity(core));
  return true;
}

Error too_many_members() {
  return failure(Code::invalid, "a group can have at most 16384 members");
}

namespace {

// Every group above `id`, itself among them, with how far it is.
Status walk_up(ReadTxn& core, const std::string& id, std::map<std::string, unsigned>& above) {
  std::vector<std::string> next{id};
  for (unsigned depth = 0; !next.empty(); ++depth) {
    std::vector<std::string> further;
    for (const std::string& one : next) {
      if (!above.emplace(one, depth).second) continue;
      if (depth > kGroupDepthMax || above.size() > kGroupsVisitedMax)
        return failure(Code::invalid, "groups can be nested at most 32 deep, in 256 groups");
      VAULT_TRY_ASSIGN(const auto parents, groups_of(core, one));
      further.insert(further.end(), parents.begin(), parents.end());
    }
    next = std::move(further);
  }
  return {};
}

// How many levels hang below.
Result<unsigned> height_of(ReadTxn& core, const std::string& id) {
  std::set<std::string> seen;
  std::vector<std::string> next{id};
  unsigned height = 0;
  for (;; ++height) {
    std::vector<std::string> further;
    for (const std::string& one : next) {
      if (!seen.insert(one).second) continue;
      if (seen.size() > kGroupsVisitedMax)
        return failure(Code::invalid, "more than 256 groups hang below the group \"" + id + "\"");
      VAULT_TRY_ASSIGN(const auto group, find_group(core, one));
      if (group) further.insert(further.end(), group->groups.begin(), group->groups.end());
    }
    if (further.empty() || height > kGroupDepthMax) return height;
    next = std::move(further);
  }
}

}  // namespace

Status check_nesting(ReadTxn& core, const Group& group, const std::string& member_id) {
  if (group.id == member_id)
    return failure(Code::invalid,
                   "member group ID \"" + group.id + "\" is same as the ID of the group");
  std::map<std::string, unsigned> above;
  VAULT_TRY(walk_up(core, group.id, above));
  if (above.count(member_id) != 0)
    return failure(Code::invalid,
                   "cyclic relationship detected for member group ID \"" + member_id + "\"");
  unsigned depth = 0;
  for (const auto& one : above) depth = std::max(depth, one.second);
  VAULT_TRY_ASSIGN(const unsigned below, height_of(core, member_id));
  if (depth + below + 1 > kGroupDepthMax)
    return failure(Code::invalid, "groups can be nested at most 32 deep");
  return {};
}

}  // namespace leasehold::core
