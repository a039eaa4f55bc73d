// sys/storage/restored: which targets of a store that was put back are still to be reconciled, and
// an operator's word that it was done by hand.

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

Result<Response> show(Unsealed& live, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const auto places, live.restoration.to_reconcile());
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  Json targets = Json::array();
  for (const Restoration::MountTarget& place : places) {
    Json one = Json::object();
    for (const auto& entry : compiled->mounts.all())
      if (entry.second->info.space == place.first) one.set("mount", entry.second->info.path);
    one.set("target", hex(place.second));
    targets.push(std::move(one));
  }
  Json data = Json::object();
  data.set("to_reconcile", std::move(targets));
  return Response::of(data);
}

Result<Response> declare(Unsealed& live, const Call& call) {
  if (live.drill()) return refused_in_drill();
  if (!call.fields.boolean("reconciled"))
    return failure(Code::invalid,
                   "reconciled=true says that no target holds an account of this vault "
                   "that is on no lease");
  VAULT_TRY_ASSIGN(const auto places, live.restoration.to_reconcile());
  for (const Restoration::MountTarget& place : places)
    VAULT_TRY(live.restoration.reconciled(place.first, place.second));
  return Response::none();
}

}  // namespace

void add_restored_routes(std::vector<Route>& routes, Unsealed& live) {
  Action declares = asks([&live](Call& call, ReadTxn&) { return declare(live, call); });
  declares.place = Place::outside;  // it waits for its commits
  Route restored = route(
      "storage/restored",
      {{"reconciled", FieldType::boolean, Json(false), "It was done by hand, for every target"}},
      {reads(
           [&live](Call&, ReadTxn& txn) {
             ReadTxn core = txn.in(barrier::kCoreSpace);
             return show(live, core);
           },
           Place::lists),
       declares},
      "Targets that issue nothing until they are reconciled, after the storage was put back");
  restored.sudo = true;
  routes.push_back(std::move(restored));
}

}  // namespace leasehold::core
