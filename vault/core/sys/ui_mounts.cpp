// sys/internal/ui/mounts: the mounts that a caller can reach, and the one behind a path.

#include "vault/core/sys/mount_config.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

Result<Response> ui_mounts(Unsealed& live, Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  Json secret = Json::object(), auth = Json::object();
  for (const auto& entry : compiled->mounts.all()) {
    const bool is_auth = is_auth_path(entry.first);
    Json info = shown_mount(*entry.second);
    if (!call.caller.present) {
      if (entry.second->record.find("config")->string_at("listing_visibility") != "unauth")
        continue;
      Json little = Json::object();
      for (const char* key : {"type", "description", "options"})
        if (const Json* value = info.find(key)) little.set(key, *value);
      info = std::move(little);
    } else if (!acl.may_reach(entry.first)) {
      continue;
    }
    (is_auth ? auth : secret)
        .set(is_auth ? entry.first.substr(kAuthPrefix.size()) : entry.first, std::move(info));
  }
  Json data = Json::object();
  data.set("secret", std::move(secret)).set("auth", std::move(auth));
  return Response::of(data);
}

Result<Response> ui_mount(Unsealed& live, Call& call, ReadTxn& txn) {
  const std::string path = mount_path(call.fields.text("path"));
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  const Mount* mount = compiled->mounts.find(path);
  if (!call.caller.present) return failure(Code::denied, "permission denied");
  // An unknown mount and a forbidden one look the same.
  if (mount == nullptr || !acl.may_reach(mount->info.path))
    return failure(Code::denied,
                   "preflight capability check returned 403, please ensure client's policies "
                   "grant access to path \"" +
                       path + "\"");
  Json data = shown_mount(*mount);
  data.set("path", mount->info.path);
  return Response::of(data);
}

Route reachable(Unsealed& live) {
  const auto shows = [&live](Call& call, ReadTxn& txn) { return ui_mounts(live, call, txn); };
  Route all = route("internal/ui/mounts", {}, {reads(shows, Place::lists)},
                    "The mounts that the caller can reach");
  all.unauthenticated = true;
  return all;
}

Route behind_path(Unsealed& live) {
  const auto shows = [&live](Call& call, ReadTxn& txn) { return ui_mount(live, call, txn); };
  Route one = route("internal/ui/mounts/:path*", {}, {reads(shows)}, "The mount behind a path");
  one.unauthenticated = true;
  return one;
}

}  // namespace

void add_ui_mount_routes(std::vector<Route>& routes, Unsealed& live) {
  routes.push_back(reachable(live));
  routes.push_back(behind_path(live));
}

}  // namespace leasehold::core
