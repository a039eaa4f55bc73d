// sys/explain/:id: which policy, rule and line denied a request, or what none of them grants.

#include "vault/core/sys/system.h"

namespace leasehold::core {
namespace {

// Beside those whose policies say so, the token that was denied may know: it needs what lets it ask
// for its capabilities, which tells as much. To others there is nothing.
Result<bool> may_know(Unsealed& live, const Call& call, ReadTxn& txn, const Denial& denial) {
  const std::string& asker = call.caller.accessor;
  if (!asker.empty() && asker == denial.accessor) return true;
  VAULT_TRY_ASSIGN(const Acl acl, acl_of(live, txn, call.caller, call.now));
  return acl
      .decide(Operation::read, call.request.path, call.request.body, false, call.request.wrap_ttl)
      .allowed;
}

Result<Response> explain(Unsealed& live, Call& call, ReadTxn& txn) {
  const auto denial = live.denials.find(call.fields.text("id"));
  bool known = denial.has_value();
  if (known) {
    VAULT_TRY_ASSIGN(known, may_know(live, call, txn, *denial));
  }
  if (!known)
    return Response::refused(404,
                             "no denial of a request with this id is known: the latest ones are "
                             "kept, until the vault is sealed");
  return Response::of(shown(*denial));
}

}  // namespace

void add_explain_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto tells = [&live](Call& call, ReadTxn& txn) { return explain(live, call, txn); };
  Route one = route("explain/:id", {}, {reads(tells, Place::lists)},
                    "Says which policy, rule and line denied a request");
  one.granted_with = "capabilities-self";
  routes.push_back(std::move(one));
}

}  // namespace leasehold::core
