// sys/internal/specs/openapi: the API of what is mounted, as OpenAPI 3.0 from the tables of routes.
// Whoever asks sees the mounts they may reach; without a token, the routes that need none.

#include "vault/core/contract/openapi.h"
#include "vault/core/sys/always.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

OpenApi::Origin origin_of(const Mount& mount, bool generic) {
  const std::string& where = mount.info.path;
  if (!generic || mount.kind->is_system) return {where, mount.info.type, where, {}};
  const std::string parameter = mount.info.type + "_mount_path";
  const std::string_view below = is_auth_path(where) ? kAuthPrefix : std::string_view();
  return {where, mount.info.type, std::string(below) + "{" + parameter + "}/", parameter};
}

void describe(const Mount& mount, bool known_caller, bool generic, OpenApi& document) {
  const OpenApi::Origin origin = origin_of(mount, generic);
  for (const Route& route : mount.kind->engine->routes())
    if (known_caller || route.unauthenticated) document.add(origin, route);
}

// As sys/internal/ui/mounts: strangers see a mount that its operator lets them see.
bool shown_to(const Caller& caller, const Mount& mount, const Acl& acl) {
  if (caller.present) return acl.may_reach(mount.info.path);
  return mount.kind->is_system ||
         mount.record.find("config")->string_at("listing_visibility") == "unauth";
}

Result<Response> document(Unsealed& live, Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  OpenApi document;
  for (const Route& route : described_always_routes())
    document.add({"sys/", "system", "sys/", {}}, route);
  for (const auto& entry : compiled->mounts.all()) {
    const Mount& mount = *entry.second;
    if (mount.kind == nullptr) continue;
    if (!shown_to(call.caller, mount, acl)) continue;
    describe(mount, call.caller.present, call.fields.boolean("generic_mount_paths"), document);
  }
  return Response::bare(200, document.take());
}

}  // namespace

void add_openapi_route(std::vector<Route>& routes, Unsealed& live) {
  const auto shows = [&live](Call& call, ReadTxn& txn) { return document(live, call, txn); };
  Action asks_for_it = asks(shows);
  asks_for_it.place = Place::lists;  // grows with the mounts
  const std::vector<Field> fields = {
      {"generic_mount_paths", FieldType::boolean, Json(false),
       "Put a parameter into the paths, in place of where each engine is mounted."},
      {"context", FieldType::text, {}, "Has no effect."}};
  Route spec =
      route("internal/specs/openapi", fields, {reads(shows, Place::lists), std::move(asks_for_it)},
            "The API of what is mounted, as an OpenAPI 3.0 document");
  spec.unauthenticated = true;
  spec.body_max = kOpenBodyMax;
  routes.push_back(std::move(spec));
}

}  // namespace leasehold::core
