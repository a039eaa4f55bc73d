#include "vault/core/authority/entities.h"

#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

std::string alias_name(const MountInfo& mount, std::string_view alias) {
  return "identity/alias/" + mount.accessor + "/" + hex(as_bytes(alias));
}

Status write_entity(WriteTxn& core, const std::string& id, WallTime now) {
  Json entity = Json::object();
  entity.set("id", id).set("name", "entity_" + id.substr(0, 8));
  entity.set("creation_time", rfc3339(now));
  return core.put("identity/entity/" + id, as_bytes(entity.dump()));
}

}  // namespace

Result<std::string> entity_of(WriteTxn& core, const MountInfo& mount, std::string_view alias,
                              WallTime now, Random& random) {
  if (alias.empty() || alias.size() > kAliasMax)
    return failure(Code::invalid, "the name of who logs in must have 1 to 512 bytes");
  const std::string name = alias_name(mount, alias);
  VAULT_TRY_ASSIGN(const auto known, core.get(name));
  if (known) {
    VAULT_TRY_ASSIGN(const Json record, parse_json(as_text(known->value.reveal())));
    return record.string_at("entity_id");
  }
  const std::string id = uuid(random);
  Json record = Json::object();
  record.set("id", uuid(random)).set("entity_id", id).set("name", alias);
  record.set("mount_accessor", mount.accessor).set("creation_time", rfc3339(now));
  VAULT_TRY(core.put(name, as_bytes(record.dump())));
  VAULT_TRY(write_entity(core, id, now));
  return id;
}

}  // namespace leasehold::core
