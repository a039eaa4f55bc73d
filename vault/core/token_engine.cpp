// auth/token/: create, look up, renew and revoke tokens, by themselves, by token or by accessor.

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/core/system.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kListedMax = 10'000;
constexpr std::size_t kDisplayNameMax = 512;  // it stands in each audit line of the token
constexpr std::size_t kPoliciesMax = 1000;    // so do they, and each costs every request
constexpr std::string_view kCustomIdWarning =
    "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure "
    "SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure "
    "lookups.";

Result<Seconds> duration_of(const Fields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  if (text.empty()) return Seconds{0};
  const auto value = parse_duration(text);
  if (!value.ok())
    return failure(Code::invalid, std::string(name) + " must be a duration such as 30, 5m or 24h");
  if (value->count() < 0) return failure(Code::invalid, std::string(name) + " must be positive");
  return *value;
}

std::string display_name_of(std::string_view wanted) {
  if (wanted.empty()) return "token";
  std::string name = "token-";
  for (const char c : wanted) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    name += plain ? c : '-';
  }
  while (name.ends_with('-')) name.pop_back();
  return name;
}

bool contains(const std::vector<std::string>& list, std::string_view wanted) {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

// Trimmed, lower-cased, sorted, once each; `root` makes everything else pointless.
std::vector<std::string> canonical(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    std::string one = canonical_policy_name(name);
    if (!one.empty()) out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (contains(out, "root")) out = {"root"};
  return out;
}

class TokenEngine final : public Engine {
 public:
  explicit TokenEngine(Unsealed& live) : live_(live) { make_routes(); }
  std::span<const Route> routes() const override { return routes_; }

 private:
  void make_routes();
  Result<Response> create(Call& call, WriteTxn& txn, bool orphan);
  Status set_policies(Call& call, Token& token);
  Status set_lifetime(Call& call, Token& token);
  Status check_id(const Call& call, const std::string& id) const;
  Status warn_of_unknown(Call& call, ReadTxn& txn, const Token& token);

  Result<Response> lookup(Call& call, ReadTxn& txn, const std::string& text, bool show_id);
  Result<Response> show(Call& call, ReadTxn& txn, const Token& token, Json id, bool self);
  Result<Response> renew(Call& call, WriteTxn& txn, const TokenRef& token, std::string_view text);
  Result<Response> accessors(Call& call, ReadTxn& txn);
  Result<TokenRef> valid(Call& call, ReadTxn& txn, std::string_view text) {
    return live_.tokens.valid(txn, live_.tokens.id_of(text), call.now, nullptr);
  }
  Result<TokenRef> by_accessor(Call& call, ReadTxn& txn) {
    const auto id = live_.tokens.id_of_accessor(call.fields.text("accessor"));
    if (!id) return TokenRef();
    return live_.tokens.valid(txn, *id, call.now, nullptr);
  }
  // A caller with a limited number of uses, and what a custom id or no_parent needs.
  static Error needs_sudo(std::string_view what) {
    return failure(Code::invalid, "root or sudo privileges required to " + std::string(what));
  }

  Unsealed& live_;
  std::vector<Route> routes_;
};

Status TokenEngine::check_id(const Call& call, const std::string& id) const {
  if (!call.caller.has_sudo) return needs_sudo("specify token id");
  for (const char* prefix : {"s.", "hvs.", "hvb.", "hvr."})
    if (id.starts_with(prefix))
      return failure(Code::invalid,
                     "custom token ID cannot have the '" + std::string(prefix) + "' prefix");
  if (id.find('.') != std::string::npos)
    return failure(Code::invalid, "custom token ID cannot have a '.' in the value");
  if (id.size() > kTokenSizeMax)
    return failure(Code::invalid, "custom token ID can have at most 2048 bytes");
  return {};
}

Status TokenEngine::set_policies(Call& call, Token& token) {
  const std::vector<std::string> own = call.caller.policies;
  const bool drop_default = call.fields.boolean("no_default_policy");
  std::vector<std::string> wanted = canonical(call.fields.list("policies"));
  const auto too_long = [](const std::string& name) { return name.size() > kPolicyNameMax; };
  if (wanted.size() > kPoliciesMax || std::any_of(wanted.begin(), wanted.end(), too_long))
    return failure(Code::invalid, "a token has at most 1000 policies, with names of 512 bytes");
  if (contains(wanted, "response-wrapping"))
    return failure(Code::invalid, "cannot assign policy \"response-wrapping\"");
  if (wanted.empty()) {
    wanted = own;
  } else {
    if (contains(wanted, "root") && !call.caller.is_root)
      return failure(Code::invalid,
                     "root tokens may not be created without parent token being root");
    if (!call.caller.has_sudo) {
      for (const std::string& name : wanted)
        if (!contains(own, name) && !(name == "default"))
          return failure(Code::invalid, "child policies must be subset of parent");
      if (contains(wanted, "default") && !contains(own, "default"))
        return failure(Code::invalid, "child policies must be subset of parent");
    }
    const bool adds_default = call.caller.has_sudo || contains(own, "default");
    if (adds_default && !contains(wanted, "root")) wanted.push_back("default");
  }
  wanted = canonical(wanted);
  if (drop_default) std::erase(wanted, "default");
  token.policies = std::move(wanted);
  return {};
}

Status TokenEngine::set_lifetime(Call& call, Token& token) {
  VAULT_TRY_ASSIGN(Seconds ttl, duration_of(call.fields, "ttl"));
  if (ttl.count() == 0) {
    VAULT_TRY_ASSIGN(ttl, duration_of(call.fields, "lease"));
  }
  VAULT_TRY_ASSIGN(token.explicit_max_ttl, duration_of(call.fields, "explicit_max_ttl"));
  VAULT_TRY_ASSIGN(token.period, duration_of(call.fields, "period"));
  if (token.period.count() > 0 && !call.caller.has_sudo) return needs_sudo("create periodic token");
  const bool endless = token.is_root() && ttl.count() == 0 && token.period.count() == 0 &&
                       token.explicit_max_ttl.count() == 0;
  if (endless) {
    if (call.caller.expires)
      return failure(Code::invalid, "expiring root tokens cannot create non-expiring root tokens");
    token.renewable = false;
    return {};
  }
  TtlTerms terms;
  terms.increment = ttl;
  terms.period = token.period;
  terms.default_ttl = call.mount.default_ttl;
  terms.max_ttl = call.mount.max_ttl;
  terms.explicit_max = token.explicit_max_ttl;
  terms.issued = terms.now = call.now;
  VAULT_TRY_ASSIGN(TtlAnswer answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) call.warnings.push_back(std::move(warning));
  token.creation_ttl = answer.ttl;
  token.expires = add(call.now, answer.ttl);
  return {};
}

Status TokenEngine::warn_of_unknown(Call& call, ReadTxn& txn, const Token& token) {
  VAULT_TRY_ASSIGN(const auto compiled, live_.registry.at(txn));
  for (const std::string& name : token.policies)
    if (name != "root" && compiled->policies.find(name) == nullptr)
      call.warnings.push_back("Policy \"" + name + "\" does not exist");
  return {};
}

AuthInfo auth_of(const Token& token, Seconds ttl) {
  AuthInfo auth;
  auth.accessor = token.accessor;
  auth.policies = auth.token_policies = token.policies;
  auth.metadata = token.meta;
  auth.lease_duration = ttl;
  auth.renewable = token.renewable;
  auth.entity_id = token.entity_id;
  auth.orphan = token.orphan;
  auth.num_uses = token.num_uses;
  return auth;
}

Result<Response> TokenEngine::create(Call& call, WriteTxn& txn, bool orphan) {
  const Fields& fields = call.fields;
  if (call.caller.uses_left != 0)
    return failure(Code::invalid, "restricted use token cannot generate child tokens");
  const std::string type = fields.text("type");
  if (type == "batch")
    return failure(Code::invalid, "batch tokens are not supported by this version");
  if (!type.empty() && type != "service" && type != "default-service")
    return failure(Code::invalid, "invalid 'token_type' value");
  if (fields.given("role_name") && !fields.text("role_name").empty())
    return failure(Code::invalid, "unknown role " + fields.text("role_name"));
  if (!fields.text("entity_alias").empty())
    return failure(Code::invalid, "entity_alias is not supported by this version");
  const std::string id = fields.text("id");
  if (!id.empty()) VAULT_TRY(check_id(call, id));
  if (fields.boolean("no_parent") && !orphan) {
    if (!call.caller.has_sudo) return needs_sudo("create orphan token");
    orphan = true;
  }
  if (fields.text("display_name").size() > kDisplayNameMax)
    return failure(Code::invalid, "display_name can have at most 512 bytes");
  Token token;
  token.created = call.now;
  token.renewable = fields.boolean("renewable");
  token.num_uses = fields.integer("num_uses");
  if (token.num_uses < 0) return failure(Code::invalid, "number of uses cannot be negative");
  token.path = "auth/token/" + std::string(call.path);
  token.display_name = display_name_of(fields.text("display_name"));
  token.orphan = orphan;
  if (!orphan) {
    Tokens::Chain above;
    VAULT_TRY(live_.tokens.valid(txn, call.caller.token_id, call.now, &above));
    if (above.size() > kTokenDepthMax)
      return failure(Code::invalid, "tokens hang at most 32 deep: create an orphan instead");
    token.parent = call.caller.token_id;
    token.entity_id = call.caller.entity_id;
  }
  if (fields.json("meta").size() > kTokenMetaMax)
    return failure(Code::invalid, "a token can have at most 1024 pairs of meta");
  for (const auto& pair : fields.json("meta").members())
    token.meta.emplace_back(pair.first, pair.second.text());
  token.has_meta = !token.meta.empty();
  VAULT_TRY(set_policies(call, token));
  VAULT_TRY(set_lifetime(call, token));
  VAULT_TRY(warn_of_unknown(call, txn, token));
  if (!id.empty()) call.warnings.emplace_back(kCustomIdWarning);
  VAULT_TRY_ASSIGN(SecretBytes text, live_.tokens.create(txn, token, id, false));
  Response response;
  response.auth = auth_of(token, token.creation_ttl);
  response.auth->client_token = std::move(text);
  return response;
}

Result<Response> TokenEngine::show(Call& call, ReadTxn& txn, const Token& token, Json id,
                                   bool self) {
  std::int64_t uses = token.num_uses;
  if (token.num_uses > 0) {
    VAULT_TRY_ASSIGN(uses, live_.tokens.uses_left(txn, token));
    if (self) uses = call.caller.uses_left;
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
  data.set("renewable", token.renewable);
  const Nanos left = token.expires ? since(*token.expires, call.now) : Nanos{0};
  data.set("ttl", static_cast<std::int64_t>(std::chrono::ceil<Seconds>(left).count()));
  data.set("type", "service");
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
  if (!token->renewable || !token->expires) return failure(Code::invalid, "lease is not renewable");
  VAULT_TRY_ASSIGN(const Seconds increment, duration_of(call.fields, "increment"));
  TtlTerms terms;
  terms.increment = increment;
  terms.period = token->period;
  terms.default_ttl = call.mount.default_ttl;
  terms.max_ttl = call.mount.max_ttl;
  terms.backend_ttl = token->creation_ttl;
  terms.explicit_max = token->explicit_max_ttl;
  terms.issued = token->created;
  terms.now = call.now;
  VAULT_TRY_ASSIGN(TtlAnswer answer, resolve_ttl(terms));
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

Result<Response> TokenEngine::accessors(Call& call, ReadTxn& txn) {
  VAULT_TRY_ASSIGN(const Page page, page_of(call.request.body));
  std::vector<std::string> names;
  bool cut = false;
  Status looked;
  VAULT_TRY(live_.tokens.each(txn, page.after, kListedMax, cut, [&](const Token& token) {
    const auto valid = live_.tokens.valid(txn, token.id, call.now, nullptr);
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

void TokenEngine::make_routes() {
  const std::vector<Field> creating = {{"id"},
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
  const auto creates = [this](bool orphan) {
    return writes([this, orphan](Call& call, WriteTxn& txn) { return create(call, txn, orphan); });
  };
  routes_.push_back(route("create", creating, {creates(false)}, "Creates a child token"));
  routes_.push_back(
      route("create-orphan", creating, {creates(true)}, "Creates a token without parent"));
  routes_.push_back(
      route("create/:role_name", creating, {creates(false)}, "Creates a token by a role"));

  const auto self = [this](Call& call, ReadTxn& txn) {
    return lookup(call, txn, call.request.token, true);
  };
  routes_.push_back(
      route("lookup-self", {}, {reads(self), asks(self)}, "Shows the caller's own token"));
  const auto other = [this](Call& call, ReadTxn& txn) {
    const std::string asked = call.fields.text("token");
    return lookup(call, txn, asked.empty() ? call.request.token : asked, true);
  };
  routes_.push_back(route("lookup", {{"token"}}, {reads(other), asks(other)}, "Shows a token"));
  routes_.push_back(route("lookup-accessor", {{"accessor"}},
                          {asks([this](Call& call, ReadTxn& txn) -> Result<Response> {
                            VAULT_TRY_ASSIGN(const auto token, by_accessor(call, txn));
                            if (!token)
                              return failure(Code::invalid, multierror("invalid accessor"));
                            return show(call, txn, *token, Json(""), false);
                          })},
                          "Shows a token by its accessor"));

  routes_.push_back(route(
      "renew-self", {{"increment"}}, {writes([this](Call& call, WriteTxn& txn) -> Result<Response> {
        VAULT_TRY_ASSIGN(const auto token, valid(call, txn, call.request.token));
        return renew(call, txn, token, call.request.token);
      })},
      "Renews the caller's own token"));
  routes_.push_back(route("renew", {{"token"}, {"increment"}},
                          {writes([this](Call& call, WriteTxn& txn) -> Result<Response> {
                            std::string text = call.fields.text("token");
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

  const auto revoke = [this](Call& call, WriteTxn& txn, const TokenRef& token) -> Result<Response> {
    if (token) VAULT_TRY(live_.tokens.revoke(txn, *token, call.now));
    return Response::none();
  };
  routes_.push_back(
      route("revoke-self", {}, {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
              VAULT_TRY_ASSIGN(const auto token, valid(call, txn, call.request.token));
              return revoke(call, txn, token);
            })},
            "Revokes the caller's own token and all below it"));
  routes_.push_back(route("revoke", {{"token"}},
                          {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
                            const std::string text = call.fields.text("token");
                            if (text.empty()) return failure(Code::invalid, "missing token ID");
                            VAULT_TRY_ASSIGN(const auto token, valid(call, txn, text));
                            return revoke(call, txn, token);
                          })},
                          "Revokes a token and all below it"));
  routes_.push_back(route("revoke-accessor", {{"accessor"}},
                          {ends([this, revoke](Call& call, WriteTxn& txn) -> Result<Response> {
                            VAULT_TRY_ASSIGN(const auto token, by_accessor(call, txn));
                            if (token) return revoke(call, txn, token);
                            Response response;
                            response.warnings.push_back("No token found with this accessor");
                            return response;
                          })},
                          "Revokes a token by its accessor"));
  Route orphan = route(
      "revoke-orphan", {{"token"}}, {ends([this](Call& call, WriteTxn& txn) -> Result<Response> {
        VAULT_TRY_ASSIGN(const auto token, valid(call, txn, call.fields.text("token")));
        if (!token) return failure(Code::invalid, "token to revoke not found");
        VAULT_TRY(live_.tokens.revoke_orphan(txn, *token, call.now));
        return Response::none();
      })},
      "Revokes a token; what hangs below lives on");
  orphan.sudo = true;
  routes_.push_back(std::move(orphan));
  Route all = route("accessors", page_fields(),
                    {lists([this](Call& call, ReadTxn& txn) { return accessors(call, txn); })},
                    "Lists the accessors of all tokens");
  all.sudo = true;
  routes_.push_back(std::move(all));
  routes_.push_back(
      route("roles", page_fields(),
            {lists([](Call&, ReadTxn&) -> Result<Response> { return Response::keys({}); })},
            "Lists the token roles: there are none in this version"));
  routes_.push_back(
      route("roles/:name", {},
            {reads([](Call&, ReadTxn&) -> Result<Response> { return Response::refused(404, ""); }),
             asks([](Call&, ReadTxn&) -> Result<Response> {
               return failure(Code::invalid, "token roles are not supported by this version");
             })},
            "Token roles are not in this version"));
  routes_.push_back(route("tidy", {}, {asks([](Call&, ReadTxn&) -> Result<Response> {
                            Response response;
                            response.status = 202;
                            response.warnings.push_back(
                                "Tidy operation successfully started. Any information from the "
                                "operation will be printed to Leasehold's server logs.");
                            return response;
                          })},
                          "Nothing is left behind here that needs tidying"));
}

}  // namespace

std::unique_ptr<Engine> make_token_engine(Unsealed& live) {
  return std::make_unique<TokenEngine>(live);
}

}  // namespace leasehold::core
