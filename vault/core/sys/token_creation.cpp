#include "vault/core/sys/token_creation.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/contract/policy_names.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kDisplayNameMax = 512;  // it stands in each audit line of the token
constexpr std::string_view kCustomIdWarning =
    "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure "
    "SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure "
    "lookups.";

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

// A caller with a limited number of uses, and what a custom id or no_parent needs.
Error needs_sudo(std::string_view what) {
  return failure(Code::invalid, "root or sudo privileges required to " + std::string(what));
}

Status check_id(const Call& call, const std::string& id) {
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

Status set_policies(Call& call, Token& token) {
  const std::vector<std::string> own = call.caller.policies;
  const bool drop_default = call.fields.boolean("no_default_policy");
  std::vector<std::string> wanted = canonical_policies(call.fields.list("policies"));
  const auto too_long = [](const std::string& name) { return name.size() > kPolicyNameMax; };
  if (wanted.size() > kPoliciesMax || std::any_of(wanted.begin(), wanted.end(), too_long))
    return failure(Code::invalid, "a token has at most 1000 policies, with names of 512 bytes");
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
  wanted = canonical_policies(wanted);
  VAULT_TRY(check_assignable(wanted));  // also one that the caller has
  if (drop_default) std::erase(wanted, "default");
  token.policies = std::move(wanted);
  return {};
}

Status set_lifetime(Call& call, Token& token) {
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
  VAULT_TRY_ASSIGN(ResolvedTtl answer, resolve_ttl(terms));
  for (std::string& warning : answer.warnings) call.warnings.push_back(std::move(warning));
  token.creation_ttl = answer.ttl;
  token.expires = add(call.now, answer.ttl);
  return {};
}

Status warn_of_unknown(Unsealed& live, Call& call, ReadTxn& txn, const Token& token) {
  for (const std::string& name : token.policies) {
    if (name == "root") continue;
    VAULT_TRY_ASSIGN(const bool exists, live.mounts.policies().exists(txn, name));
    if (!exists) call.warnings.push_back(no_such_policy(name));
  }
  return {};
}

// What this version, or this caller, cannot have.
Status check_asked(const Call& call) {
  const Fields& fields = call.fields;
  if (call.caller.uses_left)
    return failure(Code::invalid, "restricted use token cannot generate child tokens");
  const std::string type = fields.text("type");
  if (type == "batch")
    return failure(Code::invalid, "batch tokens are not supported by this version");
  if (!type.empty() && type != "service")
    return failure(Code::invalid, "invalid 'token_type' value");
  if (fields.given("role_name") && !fields.text("role_name").empty())
    return failure(Code::invalid, "unknown role " + fields.text("role_name"));
  if (!fields.text("entity_alias").empty())
    return failure(Code::invalid, "entity_alias is not supported by this version");
  return {};
}

// Bound to the same networks as the caller's own token, an orphan too: else who took a token of
// another network would make one that holds everywhere. Below that token, unless it is an orphan.
Status set_parent(Unsealed& live, const Call& call, ReadTxn& txn, Token& token) {
  Tokens::Chain above;
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(const auto maker, live.tokens.valid(txn, compiled->mounts, call.caller.token_id,
                                                       call.now, &above));
  if (!maker) return failure(Code::denied, "permission denied");
  token.bound_cidrs = maker->bound_cidrs;
  if (token.orphan) return {};
  const auto depth = std::count_if(above.begin(), above.end(), [](const auto& link) {
    return link.first.table() == barrier::Table::token;
  });
  if (depth > kTokenDepthMax)
    return failure(Code::invalid, "tokens hang at most 32 deep: create an orphan instead");
  token.parent = call.caller.token_id;
  token.entity_id = call.caller.entity_id;
  return {};
}

Status set_meta(const Fields& fields, Token& token) {
  if (fields.json("meta").size() > kTokenMetaMax)
    return failure(Code::invalid, "a token can have at most 1024 pairs of meta");
  for (const auto& pair : fields.json("meta").members())
    token.meta.emplace_back(pair.first, pair.second.text());
  token.has_meta = !token.meta.empty();
  return {};
}

}  // namespace

Result<Seconds> duration_of(const Fields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  if (text.empty()) return Seconds{0};
  const auto value = parse_duration(text);
  if (!value.ok())
    return failure(Code::invalid, std::string(name) + " must be a duration such as 30, 5m or 24h");
  if (value->count() < 0) return failure(Code::invalid, std::string(name) + " must be positive");
  return *value;
}

Result<Response> create_token(Unsealed& live, Call& call, WriteTxn& txn, bool orphan) {
  const Fields& fields = call.fields;
  VAULT_TRY(check_asked(call));
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
  VAULT_TRY(set_parent(live, call, txn, token));
  VAULT_TRY(set_meta(fields, token));
  VAULT_TRY(set_policies(call, token));
  VAULT_TRY(set_lifetime(call, token));
  VAULT_TRY(warn_of_unknown(live, call, txn, token));
  if (!id.empty()) call.warnings.emplace_back(kCustomIdWarning);
  VAULT_TRY_ASSIGN(SecretBytes text, live.tokens.create(txn, token, id, false));
  Response response;
  response.auth = auth_of(token, token.creation_ttl);
  response.auth->client_token = std::move(text);
  return response;
}

}  // namespace leasehold::core
