// sys/seal and sys/seal/slots.

#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

// What sys/seal-status keeps from strangers: which device it is, and what is wrong with it.
Result<Response> slots(const Unsealed& live) {
  const seal::SealStatus about = live.environment.seal->status();
  Json list = Json::array();
  for (const seal::SlotStatus& slot : about.slots) {
    Json one = Json::object();
    one.set("id", slot.id).set("kind", slot.kind).set("identity", slot.identity);
    one.set("state", seal::to_text(slot.state)).set("message", slot.message);
    one.set("generation", static_cast<std::int64_t>(slot.generation));
    one.set("may_unseal", slot.may_unseal).set("hardware", slot.hardware);
    list.push(std::move(one));
  }
  Json data = Json::object();
  data.set("access", about.access).set("slots", std::move(list));
  data.set("not_enrolled", Json(about.not_enrolled));
  return Response::of(data);
}

}  // namespace

void add_seal_routes(std::vector<Route>& routes, Unsealed& live) {
  routes.push_back(
      route("seal/slots", {}, {reads([&live](Call&, ReadTxn&) { return slots(live); })},
            "The ways into the vault, with their devices and what is wrong with them"));
  Route seal = route("seal", {}, {asks([&live](Call& call, ReadTxn&) -> Result<Response> {
                       if (!call.caller.has_sudo)
                         return failure(Code::denied, multierror("permission denied"));
                       live.environment.request_seal();
                       return Response::none();
                     })},
                     "Seals the vault");
  seal.sudo = true;
  routes.push_back(std::move(seal));
}

}  // namespace leasehold::core
