// sys/audit and sys/audit-hash.

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/nothing_done.h"
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

std::string path_of(const Call& call) {
  std::string path = call.fields.text("path");
  if (!path.ends_with('/')) path += '/';
  return path;
}

bool is_configured(const Unsealed& live, const std::string& path) {
  const auto& all = live.audit->devices();
  return std::any_of(all.begin(), all.end(), [&](const auto& one) { return one->path == path; });
}

Result<Response> hash(const Unsealed& live, const Call& call) {
  const std::string path = path_of(call);
  if (!is_configured(live, path))
    return failure(Code::invalid, "unknown audit backend \"" + path + "\"");
  Json data = Json::object();
  data.set("hash", audit::hmac_text(call.fields.text("input"), live.audit_key));
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

// Devices come from the configuration only: a request must not be able to choose a file to write,
// nor to end the writing of one.
Result<Response> refuse_device() {
  return failure(Code::invalid,
                 "cannot enable audit device via API; use declarative, config-based audit device "
                 "management instead");
}
Result<Response> disable(const Unsealed& live, Call& call) {
  if (is_configured(live, path_of(call)))
    return failure(Code::invalid, "cannot disable configuration-managed audit device");
  call.quiet_warnings.push_back(nothing_done("no audit device has this path"));
  return Response::none();
}

}  // namespace

void add_audit_routes(std::vector<Route>& routes, Unsealed& live) {
  Route all = route("audit", {}, {reads([&live](Call&, ReadTxn&) { return list(live); })},
                    "Lists the audit devices");
  all.sudo = true;
  routes.push_back(std::move(all));
  Route fixed = route("audit/:path*", {},
                      {asks([](Call&, ReadTxn&) { return refuse_device(); }),
                       removes([&live](Call& call, WriteTxn&) { return disable(live, call); })},
                      "Audit devices are configured in the server's file");
  fixed.sudo = true;
  routes.push_back(std::move(fixed));
  routes.push_back(route("audit-hash/:path*",
                         {required({"input"}, "the \"input\" parameter is empty")},
                         {asks([&live](Call& call, ReadTxn&) { return hash(live, call); })},
                         "The HMAC of a value as the audit log shows it"));
}

}  // namespace leasehold::core
