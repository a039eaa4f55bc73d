// sys/leases/reconcile/<mount>: what the targets of a mount hold beside its leases, and with
// fix=true the end of what only one side has.

#include "vault/base/encoding.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kShownMax = 1000;  // of each list; the counts are of all

Json shown_leases(const Compared& compared) {
  Json leases = Json::array();
  for (const Compared::Unfounded& one : compared.only_in_leases) {
    if (leases.size() == kShownMax) break;
    Json lease = Json::object();
    lease.set("lease_id", one.lease_id).set("account", one.account);
    leases.push(std::move(lease));
  }
  return leases;
}

Json shown_target(const Compared& compared) {
  const auto number = [](std::size_t count) { return static_cast<std::int64_t>(count); };
  Json target = Json::object();
  target.set("target", hex(compared.target)).set("name", compared.name);
  if (!compared.status.ok()) {
    target.set("error", compared.status.error().message);
    return target;
  }
  std::vector<std::string> accounts(compared.only_at_target);
  if (accounts.size() > kShownMax) accounts.resize(kShownMax);
  target.set("in_both", number(compared.in_both));
  target.set("only_at_target", accounts);
  target.set("only_at_target_count", number(compared.only_at_target.size()));
  target.set("only_in_leases", shown_leases(compared));
  target.set("only_in_leases_count", number(compared.only_in_leases.size()));
  target.set("named_otherwise", number(compared.named_otherwise)).set("fixed", compared.mended);
  return target;
}

Result<Response> reconcile(Unsealed& live, Call& call, ReadTxn& txn) {
  if (live.drill()) return refused_in_drill();
  std::string path = call.fields.text("mount");
  if (!path.ends_with('/')) path += '/';
  const bool fix = call.fields.boolean("fix");
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  const Mount* mount = compiled->mounts.find(path);
  if (mount == nullptr || mount->info.path != path)
    return failure(Code::invalid, "no engine is mounted at " + path);
  if (mount->kind == nullptr || !mount->kind->engine->has_targets())
    return failure(Code::invalid, path + " has no accounts elsewhere: there is nothing to compare");
  const auto asked = fix ? Sweeper::Asked::to_mend : Sweeper::Asked::to_look;
  VAULT_TRY_ASSIGN(auto swept, live.sweeper->sweep(*mount, asked));
  Json targets = Json::array();
  for (const Compared& compared : swept.targets) targets.push(shown_target(compared));
  Json data = Json::object();
  data.set("mount", path).set("fix", fix).set("targets", std::move(targets));
  Response response = Response::of(data);
  for (std::string& warning : swept.warnings) call.warnings.push_back(std::move(warning));
  if (call.fields.boolean("sync")) response.orders.awaited = std::move(swept.ending);
  return response;
}

}  // namespace

void add_reconcile_route(std::vector<Route>& routes, Unsealed& live) {
  Action compares = asks(
      [&live](Call& call, ReadTxn& txn) {
        ReadTxn core = txn.in(barrier::kCoreSpace);
        return reconcile(live, call, core);
      },
      Place::outside);  // it waits for the targets
  Route one = route(
      "leases/reconcile/:mount*",
      {{"fix", FieldType::boolean, Json(false),
        "Revoke accounts that are on no lease, and end leases whose account is gone."},
       {"sync", FieldType::boolean, Json(true), "Answer when what was revoked is seen gone."}},
      {std::move(compares)}, "Compares the accounts at the targets of a mount with its leases");
  one.description =
      "The target is listed first, by the prefix of this cluster's accounts, and the leases are "
      "read after it. Accounts of other clusters, and names that the vault did not make, are never "
      "touched.";
  one.sudo = true;
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
