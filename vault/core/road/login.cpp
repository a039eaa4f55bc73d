#include "vault/core/road/login.h"

#include <algorithm>

#include "vault/audit/record.h"
#include "vault/base/bound.h"
#include "vault/base/cidr.h"
#include "vault/base/duration.h"
#include "vault/core/authority/entities.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/contract/policy_names.h"

namespace leasehold::core {

namespace {

constexpr Bound kLocked{"the name is locked after failed logins", Code::denied,
                        "permission denied"};
constexpr char kOtherNetworks[] = "the role binds its tokens to other networks";

// "auth/approle/" and "bob" are "approle-bob".
std::string display_name_of(const MountInfo& mount, const Login& login) {
  std::string name = mount.path.substr(kAuthPrefix.size());
  while (name.ends_with('/')) name.pop_back();
  std::replace(name.begin(), name.end(), '/', '-');
  return login.display_name.empty() ? name : name + "-" + login.display_name;
}

Result<std::vector<std::string>> policies_of(const Login& login) {
  std::vector<std::string> policies = canonical_policies(login.policies);
  const auto has = [&policies](std::string_view name) {
    return std::find(policies.begin(), policies.end(), name) != policies.end();
  };
  if (has("root")) return failure(Code::invalid, "auth methods cannot create root tokens");
  if (has(kWrappingPolicy))
    return failure(Code::invalid, "auth methods cannot create wrapping tokens");
  if (!login.no_default_policy) policies.emplace_back("default");
  return canonical_policies(policies);
}

Result<Seconds> ttl_of(const Admitted& flight, const Login& login,
                       std::vector<std::string>& warnings) {
  TtlTerms terms;
  terms.period = login.period;
  terms.default_ttl = flight.mount->info.default_ttl;
  terms.max_ttl = flight.mount->info.max_ttl;
  terms.backend_ttl = login.ttl;
  terms.backend_max = login.max_ttl;
  terms.explicit_max = login.explicit_max_ttl;
  terms.issued = terms.now = flight.started;
  VAULT_TRY_ASSIGN(ResolvedTtl answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) warnings.push_back(std::move(warning));
  return answer.ttl;
}

// What the mount says, or what the role does where the mount leaves it open.
bool is_batch(const std::string& of_mount, const std::string& of_role) {
  if (of_mount == "service" || of_mount == "batch") return of_mount == "batch";
  return (of_role == "default" ? of_mount : of_role).ends_with("batch");
}

// Nothing counts its uses, and nothing renews it.
Status make_batch(Token& token) {
  if (token.num_uses > 0)
    return failure(Code::invalid,
                   "a batch token has no limited number of uses: the role or the mount must say "
                   "token_type=service");
  token.batch = true;
  token.renewable = false;
  token.period = token.explicit_max_ttl = Seconds{0};
  token.renew_data.clear();
  return {};
}

Result<Token> token_of(Admitted& flight, Login& login, WriteTxn& core,
                       std::vector<std::string>& warnings) {
  Token token;
  token.created = flight.started;
  token.path = flight.request.path;
  token.mount = flight.mount->info.accessor;
  token.display_name = display_name_of(flight.mount->info, login);
  token.renewable = true;
  VAULT_TRY_ASSIGN(token.policies, policies_of(login));
  VAULT_TRY_ASSIGN(token.creation_ttl, ttl_of(flight, login, warnings));
  token.expires = add(flight.started, token.creation_ttl);
  token.explicit_max_ttl = login.explicit_max_ttl;
  token.period = login.period;
  token.num_uses = login.num_uses;
  token.meta = std::move(login.metadata);
  token.has_meta = !token.meta.empty();
  token.renew_data = std::move(login.renew_data);
  token.bound_cidrs = std::move(login.bound_cidrs);
  if (login.strictly_bind_ip) token.bound_cidrs = {flight.request.remote_address};
  if (is_batch(flight.mount->info.token_type, login.token_type)) VAULT_TRY(make_batch(token));
  const Person person{login.alias, login.alias_metadata};
  VAULT_TRY_ASSIGN(token.entity_id,
                   entity_of(core, flight.mount->info, flight.mount->record.bool_at("local"),
                             person, flight.started, flight.live->environment.random));
  return token;
}

// The groups that the method says it is in, and what all its groups grant: with the answer.
Status join_groups(const InFlight& flight, const Login& login, WriteTxn& core, AuthInfo& auth) {
  ReadTxn seen(core.snapshot(), core.barrier(), core.space());
  Identities& identities = flight.live->identities;
  VAULT_TRY_ASSIGN(auto who, identities.at(seen, auth.entity_id, Making::allowed));
  std::vector<Group> had;
  if (who.value != nullptr)
    for (std::size_t i = 0; i < who.value->direct; ++i)
      if (who.value->groups[i]->external) had.push_back(*who.value->groups[i]);
  if (!had.empty() || !login.groups.empty()) {
    VAULT_TRY_ASSIGN(const bool changed,
                     refresh_external(core, auth.entity_id, had, flight.mount->info, login.groups,
                                      flight.started));
    if (changed) {
      VAULT_TRY_ASSIGN(who.value, identities.as_written(core, auth.entity_id));
    }
  }
  if (who.value != nullptr) show_identity(auth, who.value->policies);
  return {};
}

// What an operator set refuses a login that may be right otherwise, and the client is told as
// little as a stranger. The audit log has each.
void tell_why(const InFlight& flight, std::string_view why) {
  if (!flight.live->lockout.may_say(flight.started)) return;
  flight.live->environment.log.warn("{}: a login from {} is refused: {} (request {})",
                                    flight.request.path, flight.request.remote_address, why,
                                    flight.id);
}

// The log names the path, as the audit log does, and no more: a role id is half a secret.
void count_failure(InFlight& flight, const std::string& alias) {
  const LockoutRule rule = LockoutRule::of(*flight.mount->record.find("config"));
  const bool locked =
      flight.live->lockout.failed(flight.mount->info.accessor, alias, rule, flight.started);
  if (!locked) return;
  Json fields = Json::object();
  fields.set("path", flight.request.path);
  fields.set("alias", audit::hmac_text(alias, flight.live->audit_key));
  fields.set("failures", rule.threshold).set("locked_for", rule.duration.count());
  fields.set("remote_address", flight.request.remote_address).set("request_id", flight.id);
  flight.events.push_back(audit::event_body("login-locked", flight.started, fields.dump()));
  flight.live->environment.log.warn(
      "{}: locked for {} after {} failed logins in a row, the last from {}: {} (request {})",
      flight.request.path, print_duration(rule.duration), rule.threshold,
      flight.request.remote_address, flight.answer.reason, flight.id);
}

}  // namespace

Status check_lockout(const Authorised& flight) {
  if (!flight.route->login_alias) return {};
  const std::string alias = flight.route->login_alias(flight.fields);
  if (!flight.live->lockout.is_locked(flight.mount->info.accessor, alias, flight.started))
    return {};
  return kLocked.hit();
}

Status finish_login(InFlight& flight, storage::Snapshot& snapshot, commit::Changes& changes,
                    Call& call) {
  if (!flight.orders.login && !flight.orders.login_refused) return {};
  if (!flight.route->login_alias)
    return failure(Code::internal, "internal error", "a login on a route that names no alias");
  const std::string claimed = flight.route->login_alias(call.fields);
  if (flight.orders.tells_log) tell_why(flight, flight.answer.reason);
  if (flight.orders.login_refused) count_failure(flight, claimed);
  if (!flight.orders.login) return {};
  Login login = *std::exchange(flight.orders.login, std::nullopt);
  if (!is_allowed(login.bound_cidrs, flight.request.remote_address)) {
    tell_why(flight, kOtherNetworks);
    return failure(Code::denied, multierror("permission denied"), kOtherNetworks);
  }
  WriteTxn core(snapshot, flight.live->barrier, barrier::kCoreSpace, changes);
  VAULT_TRY_ASSIGN(Token token, token_of(flight, login, core, call.warnings));
  VAULT_TRY_ASSIGN(SecretBytes text, flight.live->tokens.create(core, token, {}, false));
  flight.answer.auth = auth_of(token, token.creation_ttl);
  flight.answer.auth->client_token = std::move(text);
  VAULT_TRY(join_groups(flight, login, core, *flight.answer.auth));
  flight.live->lockout.succeeded(flight.mount->info.accessor, claimed);
  return {};
}

}  // namespace leasehold::core
