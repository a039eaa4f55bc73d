#include "vault/core/authority/token.h"
#include "vault/core/contract/policy_names.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr std::uint8_t kTokenVersion = 1;

void encode_time(Encoder& out, const std::optional<WallTime>& time) {
  out.flag(time.has_value()).number(time ? time->ns : std::int64_t{0});
}
std::optional<WallTime> decode_time(Decoder& in) {
  const bool present = in.flag();
  const WallTime time{in.integer()};
  return present ? std::optional(time) : std::nullopt;
}

enum Tag : std::uint8_t {
  kMount = 1,
  kRenewData = 2,
  kBoundCidr = 3 | kCritical,
  kWrapping = 4,
  kRole = 5
};

void decode_fields(Decoder& in, Token& token) {
  for (auto field = in.field(); field; field = in.field()) {
    const std::string_view text = as_text(field->bytes);
    if (field->tag == kMount)
      token.mount = text;
    else if (field->tag == kRenewData)
      token.renew_data = text;
    else if (field->tag == kBoundCidr)
      token.bound_cidrs.emplace_back(text);
    else if (field->tag == kWrapping)
      token.wrapping = field->number() != 0;
    else if (field->tag == kRole)
      token.role = text;
    else
      in.keep(*field, token.unknown);
  }
}

// A wrapping token of a version that did not mark them. One with that policy alone that a login
// gave, or a token of this name, is none.
bool was_wrapping(const Token& token) {
  return token.policies.size() == 1 && token.policies[0] == kWrappingPolicy &&
         token.num_uses == 1 && token.mount.empty() && token.display_name.empty();
}

}  // namespace

Encoder encode_token(const Token& token) {
  Encoder out(kTokenVersion);
  out.text(token.accessor).flag(token.parent.has_value());
  out.fixed(token.parent ? ByteView(*token.parent) : ByteView(OrderedId{}));
  out.flag(token.stub).flag(token.renewable).number(token.created.ns);
  encode_time(out, token.expires);
  encode_time(out, token.last_renewal);
  out.number(token.creation_ttl.count()).number(token.explicit_max_ttl.count());
  out.number(token.period.count()).number(token.num_uses);
  out.text(token.path).text(token.display_name).text(token.entity_id).texts(token.policies);
  out.flag(token.has_meta).number(static_cast<std::uint64_t>(token.meta.size()));
  for (const auto& pair : token.meta) out.text(pair.first).text(pair.second);
  if (!token.mount.empty()) out.field(kMount, token.mount);
  if (!token.renew_data.empty()) out.field(kRenewData, token.renew_data);
  for (const std::string& range : token.bound_cidrs) out.field(kBoundCidr, range);
  if (token.wrapping) out.field(kWrapping, std::uint64_t{1});
  if (!token.role.empty()) out.field(kRole, token.role);
  out.fixed(token.unknown);
  return out;
}

Result<Token> decode_token(ByteView bytes) {
  Decoder in(bytes, kTokenVersion);
  Token token;
  token.accessor = in.text();
  const bool has_parent = in.flag();
  OrderedId parent{};
  in.fixed(parent);
  if (has_parent) token.parent = parent;
  token.stub = in.flag();
  token.renewable = in.flag();
  token.created.ns = in.integer();
  token.expires = decode_time(in);
  token.last_renewal = decode_time(in);
  token.creation_ttl = Seconds{in.integer()};
  token.explicit_max_ttl = Seconds{in.integer()};
  token.period = Seconds{in.integer()};
  token.num_uses = in.integer();
  token.path = in.text();
  token.display_name = in.text();
  token.entity_id = in.text();
  token.policies = in.texts();
  token.has_meta = in.flag();
  for (std::uint64_t left = in.number(); left > 0 && token.meta.size() < kTokenMetaMax; --left) {
    std::string name = in.text();
    token.meta.emplace_back(std::move(name), in.text());
  }
  decode_fields(in, token);
  token.wrapping = token.wrapping || was_wrapping(token);
  token.orphan = !token.parent.has_value();
  if (!in.whole()) return failure(Code::internal, "internal error", "a token record is damaged");
  return token;
}

AuthInfo auth_of(const Token& token, Seconds ttl) {
  AuthInfo auth;
  auth.accessor = token.accessor;
  auth.policies = auth.token_policies = token.policies;
  auth.metadata = token.meta;
  auth.lease_duration = ttl;
  auth.renewable = token.renewable;
  auth.entity_id = token.entity_id;
  if (token.batch) auth.token_type = "batch";
  auth.orphan = token.orphan;
  auth.num_uses = token.num_uses;
  return auth;
}

void show_identity(AuthInfo& auth, const std::vector<std::string>& policies) {
  auth.identity_policies = policies;
  auth.policies = auth.token_policies;
  auth.policies.insert(auth.policies.end(), policies.begin(), policies.end());
  auth.policies = canonical_policies(auth.policies);
}

}  // namespace leasehold::core
