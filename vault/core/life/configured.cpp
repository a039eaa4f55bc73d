#include "vault/core/life/configured.h"

#include "vault/audit/record.h"
#include "vault/base/encoding.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kRecord = "configured";

// Parts of one name, such as two listeners, count as one.
Json hashed(const Unsealed& live) {
  Json all = Json::object();
  for (const ConfiguredPart& part : live.environment.configured)
    all.set(part.name,
            audit::hmac_text(all.string_at(part.name) + hex(part.digest), live.audit_key));
  return all;
}

void add_differences(const Json& from, const Json& to, Json& names) {
  for (const auto& part : from.members())
    if (to.string_at(part.first) != part.second.text()) names.push(part.first);
}

std::string changed_event(const Json& before, const Json& now, WallTime time) {
  Json changed = Json::array(), removed = Json::array();
  add_differences(now, before, changed);
  for (const auto& part : before.members())
    if (now.find(part.first) == nullptr) removed.push(part.first);
  Json fields = Json::object();
  fields.set("changed", std::move(changed)).set("removed", std::move(removed));
  return audit::event_body("config-changed", time, fields.dump());
}

}  // namespace

Status note_configuration(Unsealed& live) {
  if (live.environment.configured.empty()) return {};
  VAULT_TRY_ASSIGN(auto held, live.snapshots.take());
  commit::Changes changes;
  WriteTxn txn(*held, live.barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(const auto stored, txn.get(kRecord));
  const Json now = hashed(live);
  Json before = Json::object();
  if (stored) {
    auto parsed = parse_json(as_text(stored->value.reveal()));
    if (parsed.ok() && parsed->is_object()) before = std::move(parsed).value();
  }
  if (before.dump() == now.dump()) return {};
  VAULT_TRY(txn.put(kRecord, as_bytes(now.dump())));
  std::string event = changed_event(before, now, live.environment.clock.now());
  return live.committer.commit({std::move(changes), event}).status();
}

}  // namespace leasehold::core
