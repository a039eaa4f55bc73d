// sys/audit and sys/audit-hash.

#include "vault/audit/record.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

Result<Response> list(const Unsealed& live) {
  Json data = Json::object();
  for (const auto& device : live.audit->devices()) {
    Json options = Json::object();
    for (const auto& option : device->options) options.set(option.first, option.second);
    Json one = Json::object();
    one.set("type", device->type).set("path", device->path).set("local", false);
    one.set("description", device->description).set("options", std::move(options));
    data.set(device->path, std::move(one));
  }
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

Result<Response> hash(const Unsealed& live, const Call& call) {
  std::string path = call.fields.text("path");
  if (!path.ends_with('/')) path += '/';
  for (const auto& device : live.audit->devices()) {
    if (device->path != path) continue;
    Json data = Json::object();
    data.set("hash", audit::hmac_text(call.fields.text("input"), live.audit_key));
    Response response = Response::of(data);
    response.form = Response::Form::injected;
    return response;
  }
  std::string there;
  for (const auto& device : live.audit->devices())
    there += (there.empty() ? "" : ", ") + device->path;
  return failure(Code::invalid,
                 "unknown audit backend \"" + path + "\"" +
                     (there.empty() ? "; none is configured" : "; configured: " + there));
}

}  // namespace

void add_audit_routes(std::vector<Route>& routes, Unsealed& live) {
  Route all = route("audit", {}, {reads([&live](Call&, ReadTxn&) { return list(live); })},
                    "Lists the audit devices");
  all.sudo = true;
  routes.push_back(std::move(all));
  // Devices come from the configuration only: a request must not be able to choose a file to write.
  const auto refuses = [](const char* what) {
    return failure(Code::invalid, std::string("cannot ") + what +
                                      " audit device via API; use declarative, config-based audit "
                                      "device management instead");
  };
  Route fixed =
      route("audit/:path*", {},
            {asks([=](Call&, ReadTxn&) -> Result<Response> { return refuses("enable"); }),
             removes([=](Call&, WriteTxn&) -> Result<Response> { return refuses("disable"); })},
            "Audit devices are configured in the server's file");
  fixed.sudo = true;
  routes.push_back(std::move(fixed));
  routes.push_back(route("audit-hash/:path*", {{"input"}},
                         {asks([&live](Call& call, ReadTxn&) { return hash(live, call); })},
                         "The HMAC of a value as the audit log shows it"));
}

}  // namespace leasehold::core
