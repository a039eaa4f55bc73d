#include "vault/core/sys/token_creation.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/base/encoding.h"
#include "vault/core/authority/ttl.h"
#include "vault/core/contract/policy_names.h"
#include "vault/core/sys/token_policies.h"

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

// Of what the call asks for and what its role says, with Vault's warning where both do.
Seconds limited_by(Call& call, Seconds asked, Seconds of_role, const char* what) {
  const Seconds used = lesser(asked, of_role);
  if (asked.count() > 0 && of_role.count() > 0)
    call.warnings.push_back(std::string(what) +
                            " specified both during creation call and in role; using the lesser "
                            "value of " +
                            std::to_string(used.count()) + " seconds");
  return used;
}

// The token keeps what the call asked for: what its role says is asked again with each renewal.
Status set_lifetime(Call& call, const TokenRole* role, Token& token) {
  VAULT_TRY_ASSIGN(Seconds ttl, duration_of(call.fields, "ttl"));
  if (ttl.count() == 0) {
    VAULT_TRY_ASSIGN(ttl, duration_of(call.fields, "lease"));
  }
  VAULT_TRY_ASSIGN(token.explicit_max_ttl, duration_of(call.fields, "explicit_max_ttl"));
  VAULT_TRY_ASSIGN(token.period, duration_of(call.fields, "period"));
  if (token.period.count() > 0 && !call.caller.has_sudo) return needs_sudo("create periodic token");
  const bool asks_role = role != nullptr && !token.batch;
  const Seconds max_of_role = asks_role ? role->explicit_max_ttl : Seconds{0};
  const Seconds period_of_role = asks_role ? role->period : Seconds{0};
  TtlTerms terms;
  terms.increment = ttl;
  terms.explicit_max = limited_by(call, token.explicit_max_ttl, max_of_role, "Explicit max TTL");
  terms.period = limited_by(call, token.period, period_of_role, "Period");
  const bool endless = token.is_root() && ttl.count() == 0 && terms.period.count() == 0 &&
                       terms.explicit_max.count() == 0;
  if (endless) {
    if (call.caller.expires)
      return failure(Code::invalid, "expiring root tokens cannot create non-expiring root tokens");
    token.renewable = false;
    return {};
  }
  terms.default_ttl = call.mount.default_ttl;
  terms.max_ttl = call.mount.max_ttl;
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

Error batch_cannot_have(const char* what) {
  return failure(Code::invalid, "batch tokens cannot have \"" + std::string(what) + "\" set");
}

Status check_batch(const Call& call, const Token& token) {
  const Fields& fields = call.fields;
  VAULT_TRY_ASSIGN(const Seconds max, duration_of(fields, "explicit_max_ttl"));
  if (max.count() > 0) return batch_cannot_have("explicit_max_ttl");
  if (token.num_uses != 0) return batch_cannot_have("num_uses");
  VAULT_TRY_ASSIGN(const Seconds period, duration_of(fields, "period"));
  if (period.count() > 0) return batch_cannot_have("period");
  if (!fields.text("id").empty()) return batch_cannot_have("id");
  if (token.is_root()) return failure(Code::invalid, "batch tokens cannot be root tokens");
  return {};
}

// What the role says, or what was asked for where it leaves that open.
Status set_type(const Call& call, const TokenRole* role, Token& token) {
  std::string type = call.fields.text("type");
  const std::string of_role = role != nullptr ? role->token_type : "";
  if (of_role == "service" || of_role == "batch") type = of_role;
  if (of_role == "default-batch" && type.empty()) type = "batch";
  if (!type.empty() && type != "service" && type != "batch")
    return failure(Code::invalid, "invalid 'token_type' value");
  token.batch = type == "batch";
  return {};
}

Status check_alias(const Call& call, const TokenRole* role) {
  const std::string alias = call.fields.text("entity_alias");
  if (alias.empty()) return {};
  if (role == nullptr)
    return failure(Code::invalid, "'entity_alias' is only allowed in combination with token role");
  if (!is_listed(role->entity_aliases, role->entity_aliases, lower_case(alias)))
    return failure(Code::invalid, "invalid 'entity_alias' value");
  return failure(Code::invalid,
                 "entity_alias is not in this version: the token would act for nobody. Leave it "
                 "out");
}

// What this caller cannot have.
Status check_asked(const Call& call, const TokenRole* role) {
  if (call.caller.batch) return failure(Code::invalid, "batch tokens cannot create more tokens");
  if (call.caller.uses_left)
    return failure(Code::invalid, "restricted use token cannot generate child tokens");
  if (role == nullptr && !call.fields.text("role_name").empty())
    return failure(Code::invalid, "role_name belongs in the path: write to auth/token/create/" +
                                      call.fields.text("role_name"));
  return check_alias(call, role);
}

// Bound to the same networks as the caller's own token, an orphan too, unless its role names
// others: else who took a token of another network would make one that holds everywhere. Below that
// token, unless it is an orphan.
Status set_parent(Unsealed& live, const Call& call, ReadTxn& txn, Token& token) {
  Tokens::Chain above;
  VAULT_TRY_ASSIGN(const auto compiled, live.mounts.at(txn));
  VAULT_TRY_ASSIGN(const auto maker, live.tokens.valid(txn, compiled->mounts, call.caller.token_id,
                                                       call.now, &above));
  if (!maker) return failure(Code::denied, "permission denied");
  if (token.bound_cidrs.empty()) token.bound_cidrs = maker->bound_cidrs;
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

Seconds lesser(Seconds one, Seconds other) {
  if (one.count() == 0) return other;
  return other.count() == 0 ? one : std::min(one, other);
}

Result<Seconds> duration_of(const Fields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  if (text.empty()) return Seconds{0};
  const auto value = parse_duration(text);
  if (!value.ok())
    return failure(Code::invalid, std::string(name) + " must be a duration such as 30, 5m or 24h");
  if (value->count() < 0) return failure(Code::invalid, std::string(name) + " must be positive");
  return *value;
}

namespace {

// 0 is more than any number.
std::int64_t fewer_uses(std::int64_t asked, std::int64_t of_role) {
  if (asked == 0 || of_role == 0) return std::max(asked, of_role);
  return std::min(asked, of_role);
}

void set_by_role(const TokenRole& role, Token& token) {
  token.role = role.name;
  token.renewable = token.renewable && role.renewable;
  token.num_uses = fewer_uses(token.num_uses, role.num_uses);
  token.orphan = role.orphan;
  token.bound_cidrs = role.bound_cidrs;
  if (!role.path_suffix.empty()) token.path += "/" + role.path_suffix;
}

Result<Token> token_of(Unsealed& live, Call& call, WriteTxn& txn, const TokenRole* role,
                       bool orphan) {
  const Fields& fields = call.fields;
  if (fields.text("display_name").size() > kDisplayNameMax)
    return failure(Code::invalid, "display_name can have at most 512 bytes");
  Token token;
  VAULT_TRY(set_type(call, role, token));
  token.created = call.now;
  token.renewable = fields.boolean("renewable");
  token.num_uses = fields.integer("num_uses");
  if (token.num_uses < 0) return failure(Code::invalid, "number of uses cannot be negative");
  token.path = "auth/token/" + std::string(call.path);
  token.display_name = display_name_of(fields.text("display_name"));
  token.orphan = orphan;
  if (role != nullptr) set_by_role(*role, token);
  token.renewable = token.renewable && !token.batch;
  VAULT_TRY(set_parent(live, call, txn, token));
  VAULT_TRY(set_meta(fields, token));
  VAULT_TRY(set_policies(call, role, token));
  if (token.batch) VAULT_TRY(check_batch(call, token));
  VAULT_TRY(set_lifetime(call, role, token));
  return token;
}

}  // namespace

Result<Response> create_token(Unsealed& live, Call& call, WriteTxn& txn, MadeAs as) {
  const Fields& fields = call.fields;
  std::optional<TokenRole> role;
  if (as == MadeAs::by_role) {
    VAULT_TRY_ASSIGN(role, token_role(txn, fields.text("role_name")));
    if (!role) return failure(Code::invalid, "unknown role " + fields.text("role_name"));
  }
  VAULT_TRY(check_asked(call, role ? &*role : nullptr));
  const std::string id = fields.text("id");
  if (!id.empty()) VAULT_TRY(check_id(call, id));
  bool orphan = as == MadeAs::orphan;
  if (fields.boolean("no_parent") && !orphan && !role) {
    if (!call.caller.has_sudo) return needs_sudo("create orphan token");
    orphan = true;
  }
  VAULT_TRY_ASSIGN(Token token, token_of(live, call, txn, role ? &*role : nullptr, orphan));
  VAULT_TRY(warn_of_unknown(live, call, txn, token));
  if (!id.empty()) call.warnings.emplace_back(kCustomIdWarning);
  VAULT_TRY_ASSIGN(SecretBytes text, live.tokens.create(txn, token, id, false));
  Response response;
  response.auth = auth_of(token, token.creation_ttl);
  response.auth->client_token = std::move(text);
  return response;
}

}  // namespace leasehold::core
