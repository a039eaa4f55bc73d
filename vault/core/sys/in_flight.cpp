// sys/in-flight-req: the requests that are being answered.

#include "vault/core/road/under_way.h"
#include "vault/core/sys/areas.h"

#include "vault/core/contract/routes.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kShownMax = 1000;  // of each thread

std::string_view method_of(Operation operation) {
  switch (operation) {
    case Operation::list:
      return "LIST";
    case Operation::scan:
      return "SCAN";
    case Operation::create:
    case Operation::update:
      return "POST";
    case Operation::patch:
      return "PATCH";
    case Operation::remove:
      return "DELETE";
    case Operation::head:
      return "HEAD";
    case Operation::read:
    case Operation::help:
      break;
  }
  return "GET";
}

std::string address_of(const UnderWay::Shown& request) {
  const bool is_v6 = request.remote_address.find(':') != std::string::npos;
  const std::string host = is_v6 ? "[" + request.remote_address + "]" : request.remote_address;
  return host + ":" + std::to_string(request.remote_port);
}

}  // namespace

Response show_in_flight() {
  std::vector<Json::Member> all;
  for (const UnderWay::Shown& request : UnderWay::all(kShownMax)) {
    Json one = Json::object();
    one.set("start_time", rfc3339(request.started)).set("request_path", "/v1/" + request.path);
    one.set("client_remote_address", address_of(request)).set("client_id", "");
    one.set("request_method", method_of(request.operation));
    all.emplace_back(request.id, std::move(one));
  }
  return Response::bare(200, Json::object_of(std::move(all)));
}

void add_in_flight_route(std::vector<Route>& routes) {
  const auto shows = [](Call&, ReadTxn&) -> Result<Response> { return show_in_flight(); };
  routes.push_back(route("in-flight-req", {}, {reads(shows, Place::lists)},
                         "The requests that are being answered"));
}

}  // namespace leasehold::core
