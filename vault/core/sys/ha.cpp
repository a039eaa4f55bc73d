// sys/ha-status and sys/step-down, as a node without others answers them.

#include <unistd.h>

#include <array>

#include "vault/core/contract/version.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::string_view kStays = "there is no other node, so this one stays active";
constexpr std::size_t kHostNameMax = 256;  // bytes, with the end

std::string host_name() {
  std::array<char, kHostNameMax> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

// This node, which is active. It has no address of its own: clients know where they reach it.
Result<Response> nodes() {
  Json node = Json::object();
  node.set("hostname", host_name()).set("api_address", "").set("cluster_address", "");
  node.set("active_node", true).set("last_echo", nullptr).set("version", kApiVersion);
  Json all = Json::array();
  all.push(std::move(node));
  Json data = Json::object();
  data.set("nodes", std::move(all));
  Response response = Response::of(data);
  response.form = Response::Form::injected;
  return response;
}

}  // namespace

void add_ha_routes(std::vector<Route>& routes, Unsealed& live) {
  routes.push_back(route("ha-status", {}, {reads([](Call&, ReadTxn&) { return nodes(); })},
                         "The nodes of the cluster: this one"));
  const auto stays = [&log = live.environment.log](Call& call, ReadTxn&) -> Result<Response> {
    log.info("asked to step down: {}", kStays);
    call.quiet_warnings.emplace_back(kStays);
    return Response::none();
  };
  Route step_down = route("step-down", {}, {asks(stays)}, "Has no effect: there is one node");
  step_down.sudo = true;
  routes.push_back(std::move(step_down));
}

}  // namespace leasehold::core
