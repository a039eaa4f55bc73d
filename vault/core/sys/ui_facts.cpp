// What web interfaces of Vault ask before they show anything: sys/internal/ui/namespaces,
// feature-flags and version; and sys/experiments.

#include "vault/core/contract/routes.h"
#include "vault/core/contract/version.h"
#include "vault/core/sys/areas.h"

namespace leasehold::core {

namespace {

// Open to whoever has a valid token, whatever its policies; strangers learn nothing.
template <class Handler>
ReadHandler with_token(Handler handler) {
  return [handler](Call& call, ReadTxn&) -> Result<Response> {
    if (!call.caller.present) return failure(Code::denied, "permission denied");
    return handler();
  };
}

// There is the root, and no other yet.
Result<Response> namespaces() { return Response::of(Json::object().set("keys", Json::array())); }

Result<Response> version() { return Response::of(Json::object().set("version", kApiVersion)); }

Result<Response> flags(Call&, ReadTxn&) {
  return Response::bare(200, Json::object().set("feature_flags", Json::array()));
}

Result<Response> experiments(Call&, ReadTxn&) {
  Json data = Json::object();
  data.set("available_experiments", Json::array()).set("enabled_experiments", Json::array());
  return Response::of(data);
}

void add_open(std::vector<Route>& routes, const char* pattern, ReadHandler handler,
              const char* synopsis) {
  Route made = route(pattern, {}, {reads(std::move(handler))}, synopsis);
  made.unauthenticated = true;
  routes.push_back(std::move(made));
}

}  // namespace

void add_ui_fact_routes(std::vector<Route>& routes) {
  add_open(routes, "internal/ui/namespaces", with_token(namespaces),
           "The namespaces that the caller can reach");
  add_open(routes, "internal/ui/version", with_token(version), "The version of the API");
  add_open(routes, "internal/ui/feature-flags", flags, "What is switched on: nothing");
  routes.push_back(route("experiments", {}, {reads(experiments)}, "What may be tried: nothing"));
}

}  // namespace leasehold::core
