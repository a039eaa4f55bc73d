// auth/token/: look up, renew and revoke tokens, by themselves, by token or by accessor. Creating
// them: token_creation.cpp; their roles: token_roles.cpp

#include <algorithm>

#include "vault/base/nothing_done.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/sys/token_creation.h"
#include "vault/core/sys/token_roles.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kListedMax = 10'000;
constexpr std::string_view kNotRevoked = "batch tokens cannot be revoked";

class TokenEngine final : public Engine {
 public:
  explicit TokenEngine(Unsealed& live) : live_(live) { make_routes(); }
  std::span<const Route> routes() const override { return routes_; }

 private:
  void make_routes();
  void add_creating();
  void add_looking_up();
  void add_renewing();
  void add_revoking();
  void add_listing();
  Result<Response> lookup(Call& call, ReadTxn& txn, const std::string& text, bool show_id);
  Result<Response> show(Call& call, ReadTxn& txn, const Token& token, Json id, bool self);
  Result<Response> renew(Call& call, WriteTxn& txn, const TokenRef& token, std::string_view text);
  Status role_terms(WriteTxn& txn, const Token& token, TtlTerms& terms);
  Status login_terms(WriteTxn& txn, const Token& token, TtlTerms& terms);
  Result<Response> accessors(Call& call, ReadTxn& txn);
  Result<TokenRef> valid(Call& call, ReadTxn& txn, std::string_view text) {
    return live_.valid_token(txn, text, call.now);
  }
  Result<TokenRef> by_accessor(Call& call, ReadTxn& txn) {
    if (call.fields.text("accessor").empty())
      return failure(Code::invalid, multierror("missing accessor"));
    const auto id = live_.tokens.id_of_accessor(call.fields.text("accessor"));
    if (!id) return TokenRef();
    return live_.valid_token(txn, *id, call.now);
  }
  Unsealed& live_;
  std::vector<Route> routes_;
};

Result<Response> TokenEngine::show(Call& call, ReadTxn& txn, const Token& token, Json id,
                                   bool self) {
  std::int64_t uses = token.num_uses;
  if (token.num_uses > 0) {
    VAULT_TRY_ASSIGN(uses, live_.tokens.uses_left(txn, token));
    if (self) uses = call.caller.shown_uses_left();
  }
  Json data = Json::object();
  data.set("accessor", token.accessor).set("creation_time", token.created.seconds());
  data.set("creation_ttl", static_cast<std::int64_t>(token.creation_ttl.count()));
  data.set("display_name", token.display_name).set("entity_id", token.entity_id);
  data.set("expire_time", token.expires ? Json(rfc3339(*token.expires)) : Json());
  data.set("explicit_max_ttl", static_cast<std::int64_t>(token.explicit_max_ttl.count()));
  data.set("id", std::move(id)).set("issue_time", rfc3339(token.created));
  Json meta;
  if (token.has_meta) {
    meta = Json::object();
    for (const auto& pair : token.meta) meta.set(pair.first, pair.second);
  }
  data.set("meta", std::move(meta)).set("num_uses", uses).set("orphan", token.orphan);
  data.set("path", token.path).set("policies", Json(token.policies));
  if (!token.entity_id.empty()) {
    ReadTxn core(txn.snapshot(), txn.barrier(), barrier::kCoreSpace);
    VAULT_TRY_ASSIGN(const auto who, live_.identities.at(core, token.entity_id, Making::allowed));
    if (who.value != nullptr && !who.value->policies.empty())
      data.set("identity_policies", Json(who.value->policies))
          .set("external_namespace_policies", Json::object());
  }
  data.set("renewable", token.renewable);
  const Nanos left = token.expires ? since(*token.expires, call.now) : Nanos{0};
  data.set("ttl", static_cast<std::int64_t>(std::chrono::floor<Seconds>(left).count()));
  data.set("type", token.batch ? "batch" : "service");
  if (!token.role.empty()) data.set("role", token.role);
  if (!token.bound_cidrs.empty()) data.set("bound_cidrs", Json(token.bound_cidrs));
  if (token.period.count() > 0) data.set("period", static_cast<std::int64_t>(token.period.count()));
  if (token.last_renewal)
    data.set("last_renewal", rfc3339(*token.last_renewal))
        .set("last_renewal_time", token.last_renewal->seconds());
  return Response::of(data);
}

Result<Response> TokenEngine::lookup(Call& call, ReadTxn& txn, const std::string& text,
                                     bool show_id) {
  VAULT_TRY_ASSIGN(const auto token, valid(call, txn, text));
  if (!token) return failure(Code::denied, "bad token");
  const bool self = token->id == call.caller.token_id;
  return show(call, txn, *token, show_id ? Json(text) : Json(""), self);
}

Result<Response> TokenEngine::renew(Call& call, WriteTxn& txn, const TokenRef& token,
                                    std::string_view text) {
  if (!token) return failure(Code::invalid, "token not found");
  if (token->batch) return failure(Code::invalid, "batch tokens cannot be renewed");
  if (!token->renewable || !token->expires) return failure(Code::invalid, "lease is not renewable");
  VAULT_TRY_ASSIGN(const Seconds increment, duration_of(call.fields, "increment"));
  TtlTerms terms;
  terms.increment = increment;
  terms.period = token->period;
  terms.default_ttl = call.mount.default_ttl;
  terms.max_ttl = call.mount.max_ttl;
  // Without an increment as long as the last time, which may be other than at creation.
  terms.backend_ttl = std::chrono::floor<Seconds>(
      since(*token->expires, token->last_renewal.value_or(token->created)));
  terms.explicit_max = token->explicit_max_ttl;
  terms.issued = token->created;
  terms.now = call.now;
  if (!token->role.empty()) VAULT_TRY(role_terms(txn, *token, terms));
  if (!token->mount.empty()) {
    const Status granted = login_terms(txn, *token, terms);
    // As Vault answers it: clients take the empty answer for the end of the token, and log in anew.
    if (granted.is(Code::not_found)) return Response::none();
    VAULT_TRY(granted);
  }
  VAULT_TRY_ASSIGN(ResolvedTtl answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) call.warnings.push_back(std::move(warning));
  Token after = *token;
  after.expires = add(call.now, answer.ttl);
  after.last_renewal = call.now;
  VAULT_TRY(live_.tokens.update(txn, *token, after));
  Response response;
  response.auth = auth_of(after, answer.ttl);
  response.auth->client_token = SecretBytes(text);
  response.auth->renewed = true;
  return response;
}

// A token of a role is renewed by what the role says today.
Status TokenEngine::role_terms(WriteTxn& txn, const Token& token, TtlTerms& terms) {
  VAULT_TRY_ASSIGN(const auto role, token_role(txn, token.role));
  if (!role)
    return failure(Code::invalid, multierror("failed to renew entry: original token role \"" +
                                             token.role + "\" could not be found, not renewing"));
  terms.period = lesser(token.period, role->period);
  terms.explicit_max = lesser(token.explicit_max_ttl, role->explicit_max_ttl);
  return {};
}

// A token of a login is renewed as its method would grant it today, by the rules of its mount.
Status TokenEngine::login_terms(WriteTxn& txn, const Token& token, TtlTerms& terms) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  const Mount* mount = compiled->mounts.by_accessor(token.mount);
  if (mount == nullptr || mount->kind == nullptr)
    return failure(Code::invalid, "the auth method of this token is gone: it is not renewed");
  WriteTxn scoped = txn.in(mount->info.space);
  VAULT_TRY_ASSIGN(Login login, mount->kind->engine->renew_login(token.renew_data, scoped));
  if (!login.no_default_policy) login.policies.emplace_back("default");
  if (canonical_policies(login.policies) != token.policies)
    return failure(Code::invalid,
                   multierror("failed to renew entry: policies have changed, not renewing"));
  terms.default_ttl = mount->info.default_ttl;
  terms.max_ttl = mount->info.max_ttl;
  terms.backend_ttl = login.ttl;
  terms.backend_max = login.max_ttl;
  terms.period = login.period;
  return {};
}

Result<Response> TokenEngine::accessors(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  std::vector<std::string> names;
  bool cut = false;
  Status looked;
  VAULT_TRY_ASSIGN(const auto compiled, live_.mounts.at(txn));
  VAULT_TRY(live_.tokens.each(txn, page.after, kListedMax, cut, [&](const Token& token) {
    const auto valid = live_.tokens.valid(txn, compiled->mounts, token.id, call.now, nullptr);
    if (!valid.ok()) looked = valid.error();
    if (valid.ok() && *valid) names.push_back(token.accessor);
    return looked.ok();
  }));
  VAULT_TRY(std::move(looked));
  std::sort(names.begin(), names.end());
  names = part_of(std::move(names), page);
  if (cut && (page.limit == 0 || names.size() < page.limit) && !names.empty())
    call.warnings.push_back("there are more tokens: go on with after=" + names.back());
  return Response::keys(names);
}

Field secret_field() { return sensitive({"token", FieldType::text, {}, "The token itself."}); }

void TokenEngine::make_routes() {
  add_creating();
  add_looking_up();
  add_renewing();
  add_revoking();
  add_listing();
  routes_.push_back(tidy_route("tidy", "tokens", live_.environment.log));
}

void TokenEngine::add_creating() {
  const std::vector<Field> creating = {sensitive({"id"}),
                                       {"role_name"},
                                       {"policies", FieldType::text_list},
                                       {"meta", FieldType::text_map},
                                       {"no_parent", FieldType::boolean},
                                       {"no_default_policy", FieldType::boolean},
                                       {"renewable", FieldType::boolean, Json(true)},
                                       {"lease"},
                                       {"ttl"},
                                       {"type"},
                                       {"explicit_max_ttl"},
                                       {"display_name"},
                                       {"num_uses", FieldType::integer},
                                       {"period"},
                                       {"entity_alias"}};
  const auto creates = [this](MadeAs as) {
    return writes(
        [this, as](Call& call, WriteTxn& txn) { return create_token(live_, call, txn, as); });
  };
  routes_.push_back(route("create", creating, {creates(MadeAs::child)}, "Creates a child token"));
  routes_.push_back(route("create-orphan", creating, {creates(MadeAs::orphan)},
                          "Creates a token without parent"));
  routes_.push_back(route("create/:role_name", creating, {creates(MadeAs::by_role)},
                          "Creates a token by a role"));
}

void TokenEngine::add_looking_up() {
  const auto self = [this](Call& call, ReadTxn& txn) {
    return lookup(call, txn, call.request.token, true);
  };
  routes_.push_back(
      route("lookup-self", {}, {reads(self), asks(self)}, "Shows the caller's own token"));
  const auto other = [this](Call& call, ReadTxn& txn) {
    const std::string& asked = call.fields.json("token").text();  // no copy: it is wiped there
    return lookup(call, txn, asked.empty() ? call.request.token : asked, true);
  };
  routes_.push_back(
      route("lookup", {secret_field()}, {reads(other), asks(other)}, "Shows a token"));
  routes_.push_back(route("lookup-accessor", {{"accessor"}},
                          {asks([this](Call& call, ReadTxn& txn) -> Result<Response> {
                            VAULT_TRY_ASSIGN(const auto token, by_accessor(call, txn));
                            if (!token)
                              return failure(Code::invalid, multierror("invalid accessor"));
                            return show(call, txn, *token, Json(""), false);
                          })},
                          "Shows a token by its accessor"));
}

void TokenEngine::add_renewing() {
  routes_.push_back(route(
      "renew-self", {{"increment"}}, {writes([this](Call& call, WriteTxn& txn) -> Result<Response> {
        VAULT_TRY_ASSIGN(const auto token, valid(call, txn, call.request.token));
        return renew(call, txn, token, call.request.token);
      })},
      "Renews the caller's own token"));
  routes_.push_back(route("renew", {secret_field(), {"increment"}},
                          {writes([this](Call& call, WriteTxn& txn) -> Result<Response> {
                            std::string_view text = call.fields.json("token").text();
                            if (text.empty()) text = call.request.token;
                            VAULT_TRY_ASSIGN(const auto token, valid(call, txn, text));
                            return renew(call, txn, token, text);
                          })},
                          "Renews a token"));
  routes_.push_back(route("renew-accessor", {{"accessor"}, {"increment"}},
                          {writes([this](Call& call, WriteTxn& txn) -> Result<Response> {
                            VAULT_TRY_ASSIGN(const auto token, by_accessor(call, txn));
                            if (!token)
                              return failure(Code::invalid, multierror("invalid accessor"));
                            return renew(call, txn, token, "");
                          })},
                          "Renews a token by its accessor"));
}

void TokenEngine::add_revoking() {
  const auto revoke = [this](Call& call, WriteTxn& txn, const TokenRef& token) -> Result<Response> {
    if (token && token->batch) return failure(Code::invalid, std::string(kNotRevoked));
    if (token) VAULT_TRY(live_.tokens.revoke(txn, *token, call.now));
    if (!token) call.quiet_warnings.push_back(nothing_done("no token is this one"));
    return Response::none();
  };
  routes_.push_back(
      route("revoke-self", {}, {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
              VAULT_TRY_ASSIGN(const auto token, valid(call, txn, call.request.token));
              return revoke(call, txn, token);
            })},
            "Revokes the caller's own token and all below it"));
  routes_.push_back(route("revoke", {required(secret_field(), "missing token ID")},
                          {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
                            const std::string& text = call.fields.json("token").text();
                            VAULT_TRY_ASSIGN(const auto token, valid(call, txn, text));
                            return revoke(call, txn, token);
                          })},
                          "Revokes a token and all below it"));
  routes_.push_back(route("revoke-accessor", {{"accessor"}},
                          {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
                            VAULT_TRY_ASSIGN(const auto token, by_accessor(call, txn));
                            if (token) return revoke(call, txn, token);
                            Response response;
                            response.warnings.emplace_back(kNoSuchAccessor);
                            return response;
                          })},
                          "Revokes a token by its accessor"));
  Route orphan = route("revoke-orphan", {secret_field()},
                       {ends([this](Call& call, WriteTxn& txn) -> Result<Response> {
                         VAULT_TRY_ASSIGN(const auto token,
                                          valid(call, txn, call.fields.json("token").text()));
                         if (!token) return failure(Code::invalid, "token to revoke not found");
                         if (token->batch) return failure(Code::invalid, std::string(kNotRevoked));
                         VAULT_TRY(live_.tokens.revoke_orphan(txn, *token, call.now));
                         return Response::none();
                       })},
                       "Revokes a token; what hangs below lives on");
  orphan.sudo = true;
  routes_.push_back(std::move(orphan));
}

void TokenEngine::add_listing() {
  Route all = route("accessors", page_fields(),
                    {lists([this](Call& call, ReadTxn& txn) { return accessors(call, txn); })},
                    "Lists the accessors of all tokens");
  all.sudo = true;
  routes_.push_back(std::move(all));
  add_token_role_routes(routes_);
}

}  // namespace

std::unique_ptr<Engine> make_token_engine(Unsealed& live) {
  return std::make_unique<TokenEngine>(live);
}

}  // namespace leasehold::core
