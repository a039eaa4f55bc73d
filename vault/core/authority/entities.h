#pragma once
// Entities: one for each person or machine, whatever names it logs in with. An alias is a name
// within one auth mount (by its accessor) and belongs to one entity; a first login makes both, in
// the batch of its token. Names of both mean the same in any case of ASCII letters. All functions
// take a transaction in the core's space; the writing ones keep every index. Thread-safe functions.

#include "vault/core/authority/identity_records.h"
#include "vault/core/contract/engine.h"

namespace leasehold::core {

Result<std::optional<Entity>> find_entity(ReadTxn& core, std::string_view id);
// The same, or the one that it was merged into.
Result<std::optional<Entity>> living_entity(ReadTxn& core, std::string_view id);
Result<std::optional<Entity>> entity_named(ReadTxn& core, std::string_view name);
Result<std::optional<Entity>> entity_with_alias(ReadTxn& core, std::string_view alias_id);
Result<std::optional<Entity>> entity_at(ReadTxn& core, std::string_view accessor,
                                        std::string_view alias_name);

// A new one, not stored yet, with this name, or one of its own.
Result<Entity> new_entity(ReadTxn& core, std::string_view name, WallTime now, Random& random);
Alias new_alias(const Entity& entity, std::string_view accessor, std::string_view name,
                WallTime now, Random& random);
// Stores it. `before`: as it was stored; null: it is new.
Status save_entity(WriteTxn& core, const Entity* before, const Entity& after);
// With its aliases; groups that had it as a member lose it (groups.h).
Status erase_entity(WriteTxn& core, const Entity& entity);

// Who logs in.
struct Person {
  std::string_view alias;
  const Metadata& metadata;
};
// The entity's id, made now when this alias is new. Code::invalid for a name that is empty or too
// long, Code::denied for an entity that is disabled.
Result<std::string> entity_of(WriteTxn& core, const MountInfo& mount, bool local,
                              const Person& person, WallTime now, Random& random);
// Of a store of an earlier version: the lists and indexes of an alias that were not kept there.
// False: nothing was missing.
Result<bool> complete_alias(WriteTxn& core, const std::string& stored_name, const Json& record);

// Of a new store, or one where complete_alias saw them all.
Status mark_complete(WriteTxn& core);

// An auth method is gone, and with it, bit by bit, what its accessor named (Engine::due).
Status forget_accessor(WriteTxn& core, std::string_view accessor);

}  // namespace leasehold::core
