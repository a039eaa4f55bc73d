// sys/locked-users: names that are locked out after failed logins, and letting one in again.

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

Json of_mount(const std::string& accessor, const std::set<std::string>& names) {
  Json aliases = Json::array();
  for (const std::string& name : names) aliases.push(Json(name));
  Json one = Json::object();
  one.set("mount_accessor", accessor).set("counts", static_cast<std::int64_t>(names.size()));
  one.set("alias_identifiers", std::move(aliases));
  return one;
}

// As Vault shows them: by namespace, of which there is one.
Result<Response> list(const Unsealed& live, const Call& call) {
  const std::string wanted = call.fields.text("mount_accessor");
  std::int64_t total = 0;
  Json mounts = Json::array(), namespaces = Json::array();
  for (const auto& entry : live.lockout.locked(call.now)) {
    if (!wanted.empty() && wanted != entry.first) continue;
    mounts.push(of_mount(entry.first, entry.second));
    total += static_cast<std::int64_t>(entry.second.size());
  }
  if (total > 0) {
    Json root = Json::object();
    root.set("namespace_id", "root").set("namespace_path", "").set("counts", total);
    root.set("mount_accessors", std::move(mounts));
    namespaces.push(std::move(root));
  }
  Json data = Json::object();
  data.set("by_namespace", std::move(namespaces)).set("total", total);
  return Response::of(data);
}

// A name is kept as its method spells it, which may be in lower case.
Result<Response> unlock(Unsealed& live, const Call& call) {
  const std::string mount = call.fields.text("mount_accessor");
  const std::string name = call.fields.text("alias_identifier");
  const bool as_spelled = live.lockout.is_locked(mount, name, call.now);
  live.lockout.unlock(mount, as_spelled ? name : lower_case(name));
  return Response::none();
}

}  // namespace

void add_locked_user_routes(std::vector<Route>& routes, Unsealed& live) {
  routes.push_back(
      route("locked-users", {{"mount_accessor", FieldType::text, {}, "Of this auth mount alone."}},
            {reads([&live](Call& call, ReadTxn&) { return list(live, call); }, Place::lists)},
            "Names that are locked out after failed logins"));
  routes.push_back(route("locked-users/:mount_accessor/unlock/:alias_identifier", {},
                         {asks([&live](Call& call, ReadTxn&) { return unlock(live, call); })},
                         "Lets a name in again"));
}

}  // namespace leasehold::core
