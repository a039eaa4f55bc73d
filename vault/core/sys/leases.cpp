// sys/leases: look up, list, renew and revoke leases; the legacy paths Vault still takes.

#include <algorithm>
#include <map>

#include "vault/base/duration.h"
#include "vault/base/nothing_done.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/leases/token_leases.h"
#include "vault/core/sys/system.h"

namespace leasehold::core {

namespace {

struct Shown {
  std::string path;
  WallTime issued, expires;
  std::optional<WallTime> last_renewal;
  bool renewable = false;
};

Response shown_lease(const std::string& id, const Shown& lease, WallTime now) {
  Json data = Json::object();
  data.set("id", id).set("issue_time", rfc3339(lease.issued));
  data.set("expire_time", rfc3339(lease.expires)).set("path", lease.path);
  data.set("last_renewal", lease.last_renewal ? Json(rfc3339(*lease.last_renewal)) : Json());
  data.set("renewable", lease.renewable);
  const auto left = std::chrono::floor<Seconds>(since(lease.expires, now));
  data.set("ttl", static_cast<std::int64_t>(left.count()));
  return Response::of(data);
}

class SysLeases {
 public:
  explicit SysLeases(Unsealed& live) : live_(live) {}
  Result<Response> lookup(Call& call, ReadTxn& txn);
  Result<Response> list(Call& call, ReadTxn& txn);
  Result<bool> owner_stands(ReadTxn& txn, const Compiled& compiled, const Lease& lease,
                            WallTime now);
  Result<Intent> plan_renewal(Call& call, ReadTxn& txn);
  Result<Response> irrevocable(Call& call, ReadTxn& txn, bool each);
  Result<Response> revoke(Call& call, WriteTxn& txn);
  Result<Response> revoke_prefix(Call& call, WriteTxn& txn, bool force);

 private:
  Result<bool> any_below(ReadTxn& look, const std::string& prefix, WallTime now);
  // The path was authorised, so the body may not name another.
  static Result<std::string> id_of(const Call& call) {
    const std::string in_path = call.fields.text("url_lease_id");
    const std::string in_body = call.fields.text("lease_id");
    if (!in_path.empty() && !in_body.empty() && in_path != in_body)
      return failure(Code::invalid, "the path and lease_id name different leases");
    return in_body.empty() ? in_path : in_body;
  }
  Unsealed& live_;
};

Result<Response> SysLeases::lookup(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string id, id_of(call));
  if (id.empty()) return failure(Code::invalid, "lease_id must be specified");
  Shown shown;
  if (is_token_lease(id)) {
    VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
    VAULT_TRY_ASSIGN(const auto token,
                     find_by_lease(live_.tokens, compiled->mounts, txn, id, call.now));
    if (!token) return failure(Code::invalid, "invalid lease");
    shown = {token->path, token->created, *token->expires, token->last_renewal, token->renewable};
  } else {
    VAULT_TRY_ASSIGN(const auto lease, live_.leases.find(txn, id));
    if (!lease || lease->state != Lease::State::active)
      return failure(Code::invalid, "invalid lease");
    shown = {lease->path(), lease->issued, lease->expires, lease->last_renewal, lease->renewable};
  }
  return shown_lease(id, shown, call.now);
}

Result<Response> SysLeases::list(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  std::string directory = call.fields.text("prefix");
  if (!directory.empty() && !directory.ends_with('/')) directory += '/';
  VAULT_TRY_ASSIGN(auto names, live_.leases.list(txn, directory));
  bool cut = false;
  VAULT_TRY_ASSIGN(const auto of_tokens,
                   list_token_leases(live_.tokens, txn, directory, call.now, cut));
  if (cut) call.warnings.push_back("not all tokens were looked at: there may be more leases");
  names.insert(names.end(), of_tokens.begin(), of_tokens.end());
  std::sort(names.begin(), names.end());
  return Response::keys(part_of(std::move(names), page));
}

// What has ended and is not seen gone yet, as Vault shows leases it could not revoke.
Result<Response> SysLeases::irrevocable(Call& call, ReadTxn& txn, bool each) {
  if (call.fields.text("type") != "irrevocable") return Response::refused(404, "");
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  VAULT_TRY_ASSIGN(const auto ids, live_.leases.revoking_below(txn, "", kAwaitedMax));
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  std::map<std::string, std::int64_t> by_mount;
  Json leases = Json::array();
  for (const auto& id : ids) {
    VAULT_TRY_ASSIGN(const auto lease, live_.leases.load(txn, id));
    const Mount* mount = compiled->mounts.by_space(lease->space);
    ++by_mount[mount != nullptr ? mount->info.path : std::string("?")];
    if (page.limit > 0 && leases.size() >= page.limit) continue;
    const std::string trouble = live_.revoker->trouble_with(lease->target, lease->id);
    Json one = Json::object();
    one.set("lease_id", lease->lease_id).set("since", rfc3339(lease->due_since));
    one.set("error", trouble.empty() ? "revocation is under way" : trouble);
    leases.push(std::move(one));
  }
  Json counts = Json::object(), data = Json::object();
  for (const auto& entry : by_mount) counts.set(entry.first, entry.second);
  data.set("lease_count", static_cast<std::int64_t>(ids.size())).set("counts", std::move(counts));
  if (each) data.set("leases", std::move(leases));
  if (ids.size() == kAwaitedMax) call.warnings.emplace_back("there are more than these");
  return Response::of(data);
}

// A batch token without a parent has no record: its leases hang below its auth method.
Result<bool> SysLeases::owner_stands(ReadTxn& txn, const Compiled& compiled, const Lease& lease,
                                     WallTime now) {
  const Mount* mount =
      lease.batch_mount.empty() ? nullptr : compiled.mounts.by_accessor(lease.batch_mount);
  const MountInfo* info = mount == nullptr ? nullptr : &mount->info;
  if (lease.batch_ends && lease.owner == live_.tokens.owner_of_batch_leases(info)) return true;
  VAULT_TRY_ASSIGN(const auto owner,
                   live_.tokens.valid(txn, compiled.mounts, lease.owner, now, nullptr));
  return owner != nullptr;
}

Result<Intent> SysLeases::plan_renewal(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string id, id_of(call));
  if (id.empty()) return failure(Code::invalid, "lease_id must be specified");
  if (is_token_lease(id))
    return failure(Code::invalid, "tokens cannot be renewed through this endpoint");
  VAULT_TRY_ASSIGN(const auto lease, live_.leases.find(txn, id));
  if (!lease || lease->state != Lease::State::active || lease->expires <= call.now)
    return failure(Code::invalid, "lease not found");
  // It ends with its token, and is being ended when that is dead.
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  VAULT_TRY_ASSIGN(const bool stands, owner_stands(txn, *compiled, *lease, call.now));
  if (!stands) return failure(Code::invalid, "lease not found");
  if (!lease->renewable) return failure(Code::invalid, "lease is not renewable");
  const Mount* mount = compiled->mounts.by_space(lease->space);
  if (mount == nullptr) return failure(Code::invalid, "lease not found");
  TtlTerms terms;
  terms.increment = call.fields.duration("increment");
  terms.default_ttl = mount->info.default_ttl;
  terms.max_ttl = mount->info.max_ttl;
  terms.backend_ttl = lease->ttl;
  terms.backend_max = lease->max_ttl;
  terms.issued = lease->issued;
  terms.now = call.now;
  if (lease->batch_ends)
    terms.explicit_max =
        std::max(Seconds{1}, std::chrono::floor<Seconds>(since(*lease->batch_ends, lease->issued)));
  VAULT_TRY_ASSIGN(ResolvedTtl answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) call.warnings.push_back(std::move(warning));
  intent::Renew renewal{lease->id, {}, add(call.now, answer.ttl), answer.ttl};
  if (!lease->renewal_json.empty()) {
    VAULT_TRY_ASSIGN(const Json statements, parse_json(lease->renewal_json));
    for (const Json& one : statements.items()) renewal.statements.push_back(one.text());
  }
  return Intent(std::move(renewal));
}

Result<Response> SysLeases::revoke(Call& call, WriteTxn& txn) {
  VAULT_TRY_ASSIGN(const std::string id, id_of(call));
  if (id.empty()) return failure(Code::invalid, "lease_id must be specified");
  Response response = Response::none();
  const bool sync = call.fields.boolean("sync");
  bool was_there = false;
  if (is_token_lease(id)) {
    VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
    const MountTable& mounts = compiled->mounts;
    VAULT_TRY_ASSIGN(auto token, find_by_lease(live_.tokens, mounts, txn, id, call.now));
    if (!token) {
      VAULT_TRY_ASSIGN(token, find_by_old_lease(live_.tokens, mounts, txn, id, call.now));
    }
    if (token) VAULT_TRY(live_.tokens.revoke(txn, *token, call.now));
    was_there = token != nullptr;
  } else {
    VAULT_TRY_ASSIGN(auto lease, live_.leases.find(txn, id));
    was_there = lease.has_value();
    if (lease) VAULT_TRY(live_.leases.start_revoking(txn, *lease, call.now));
    if (lease && sync) response.orders.awaited.push_back(lease_key(lease->id));
  }
  if (!was_there) call.quiet_warnings.push_back(nothing_done("no lease has this id"));
  if (!sync) response.status = 202;
  return response;
}

// Whether a revocation by `prefix` finds something: a lease that is there, or is being ended.
Result<bool> SysLeases::any_below(ReadTxn& look, const std::string& prefix, WallTime now) {
  if (is_token_lease(prefix)) return any_token_below(live_.tokens, look, prefix);
  VAULT_TRY_ASSIGN(const auto ids, live_.leases.below(look, prefix, 1, now));
  if (!ids.empty()) return true;
  VAULT_TRY_ASSIGN(const auto due, live_.leases.revoking_below(look, prefix, 1, now));
  return !due.empty();
}

// However many they are, and through any crash: by a job that this batch makes durable.
Result<Response> SysLeases::revoke_prefix(Call& call, WriteTxn& txn, bool force) {
  const LeaseJob job{call.fields.text("prefix"), force, {}, call.caller.display_name};
  if (job.prefix.empty()) return failure(Code::not_found, multierror("unsupported path"));
  const bool sync = call.fields.boolean("sync");
  Response response = Response::none();
  VAULT_TRY_ASSIGN(const auto key, live_.leases.queue(txn, job, call.now, call.random));
  ReadTxn look(txn.snapshot(), txn.barrier(), barrier::kCoreSpace);
  VAULT_TRY_ASSIGN(const bool any, any_below(look, job.prefix, call.now));
  if (!any) call.quiet_warnings.push_back(nothing_done("no lease begins with this prefix"));
  if (sync) {
    VAULT_TRY_ASSIGN(auto ids, live_.leases.below(look, job.prefix, kAwaitedMax, call.now));
    VAULT_TRY_ASSIGN(const auto due,
                     live_.leases.revoking_below(look, job.prefix, kAwaitedMax, call.now));
    if (std::max(ids.size(), due.size()) == kAwaitedMax) return too_many_to_await();
    for (const auto& id : due) {
      const auto lease = live_.leases.load(look, id);
      // Seen absent already, and looked at once more later than a request may wait.
      const bool later = lease.ok() && *lease && (*lease)->due_since > call.now;
      if (!later) ids.push_back(id);
    }
    for (const auto& id : ids) response.orders.awaited.push_back(lease_key(id));
    response.orders.awaited.push_back(key);
    response.orders.forgets = force;
    std::sort(response.orders.awaited.begin(), response.orders.awaited.end());  // here, on a worker
  } else {
    response.status = 202;
  }
  return response;
}

// By the handlers below, which outlive the call that makes them.
using Shared = std::shared_ptr<SysLeases>;

Action renews(const Shared& leases) {
  Effect renewal;
  renewal.plan = [leases](Call& call, ReadTxn& txn) { return leases->plan_renewal(call, txn); };
  renewal.settle = [](Call&, WriteTxn&, const Intent&) -> Result<Response> {
    return Response::none();
  };
  renewal.explain = [](const Error& error) {  // the role's statements failed: 400, as in Vault
    if (error.code != Code::denied) return error;
    return failure(Code::invalid, "failed to renew entry: " + error.message, error.detail);
  };
  return {Operation::update, renewal, Place::inline_};
}

// Every lease that is irrevocable, or how many there are.
Route irrevocable(const Shared& leases, bool each) {
  std::vector<Field> fields = page_fields();
  for (const char* name : {"type", "include_child_namespaces"}) fields.push_back({name});
  const auto shows = [leases, each](Call& call, ReadTxn& txn) {
    return leases->irrevocable(call, txn, each);
  };
  Route some = route(each ? "leases" : "leases/count", fields, {reads(shows, Place::lists)},
                     "Leases that have ended and are not seen gone yet");
  some.sudo = each;
  return some;
}

void add_looking_up(std::vector<Route>& routes, const Shared& leases, Unsealed& live) {
  const auto looks_up = [leases](Call& call, ReadTxn& txn) { return leases->lookup(call, txn); };
  routes.push_back(route("leases/lookup", {{"lease_id"}}, {asks(looks_up)}, "Shows a lease"));
  routes.push_back(tidy_route("leases/tidy", "leases", live.environment.log));
  routes.push_back(irrevocable(leases, true));
  routes.push_back(irrevocable(leases, false));
  const auto names = [leases](Call& call, ReadTxn& txn) { return leases->list(call, txn); };
  routes.push_back(route("leases/lookup/:prefix*", page_fields(), {lists(names)},
                         "Lists leases under a prefix"));
  routes.back().sudo = true;
}

Field synchronous() { return {"sync", FieldType::boolean, Json(true)}; }

Route below_prefix(const Shared& leases, const std::string& root, bool force) {
  Action revokes = ends([leases, force](Call& call, WriteTxn& txn) {
    return leases->revoke_prefix(call, txn, force);
  });
  revokes.place = Place::lists;
  Route many = route(root + (force ? "revoke-force" : "revoke-prefix") + "/:prefix*",
                     {synchronous()}, {std::move(revokes)}, "Revokes all leases under a prefix");
  if (force) many.description = "What its target has not confirmed after 10 s is forgotten.";
  many.sudo = true;
  return many;
}

// At sys/leases/ and, as of old, at sys/ itself.
void add_changing(std::vector<Route>& routes, const Shared& leases, const std::string& root) {
  const auto revoke = [leases](Call& call, WriteTxn& txn) { return leases->revoke(call, txn); };
  const std::vector<Field> renewing = {{"lease_id"}, {"increment", FieldType::duration}};
  const std::vector<Field> revoking = {{"lease_id"}, synchronous()};
  routes.push_back(route(root + "renew", renewing, {renews(leases)}, "Renews a lease"));
  routes.push_back(
      route(root + "renew/:url_lease_id*", renewing, {renews(leases)}, "Renews a lease"));
  routes.push_back(route(root + "revoke", revoking, {ends(revoke)}, "Revokes a lease"));
  routes.push_back(
      route(root + "revoke/:url_lease_id*", revoking, {ends(revoke)}, "Revokes a lease"));
  routes.push_back(below_prefix(leases, root, false));
  routes.push_back(below_prefix(leases, root, true));
}

}  // namespace

Response too_many_to_await() {
  return Response::refused(500,
                           "revocation is queued and goes on by itself until the accounts are seen "
                           "gone; so far: there are more leases than an answer waits for, sys/jobs "
                           "and sys/leases?type=irrevocable show what is left");
}

void add_lease_routes(std::vector<Route>& routes, Unsealed& live) {
  const auto leases = std::make_shared<SysLeases>(live);
  add_looking_up(routes, leases, live);
  add_changing(routes, leases, "leases/");
  add_changing(routes, leases, "");
}

}  // namespace leasehold::core
