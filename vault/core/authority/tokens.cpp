#include "vault/core/authority/tokens.h"

#include <algorithm>

#include "vault/base/duration.h"
#include "vault/base/encoding.h"
#include "vault/core/authority/owned.h"
#include "vault/core/authority/wrapped.h"
#include "vault/core/contract/codec.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::uint8_t kTokenVersion = 1;
constexpr std::string_view kServicePrefix = "hvs.";
constexpr std::size_t kTokenBytes = 30;  // be48 ms | 24 random
constexpr std::size_t kTokenDigits = 41;
// As long as Vault's. Of the 25 digits that any 18 bytes take the first is 0 for the next 4,000
// years; it is left out, and taken from those who kept one of an earlier version.
constexpr std::size_t kAccessorDigits = 24;
constexpr std::size_t kShortDigits = 24;

void encode_time(Encoder& out, const std::optional<WallTime>& time) {
  out.flag(time.has_value()).number(time ? time->ns : std::int64_t{0});
}
std::optional<WallTime> decode_time(Decoder& in) {
  const bool present = in.flag();
  const WallTime time{in.integer()};
  return present ? std::optional(time) : std::nullopt;
}

enum Tag : std::uint8_t { kMount = 1, kRenewData = 2, kBoundCidr = 3 | kCritical };

Encoder encode(const Token& token) {
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
  out.fixed(token.unknown);
  return out;
}

void decode_fields(Decoder& in, Token& token) {
  for (auto field = in.field(); field; field = in.field()) {
    const std::string_view text = as_text(field->bytes);
    if (field->tag == kMount)
      token.mount = text;
    else if (field->tag == kRenewData)
      token.renew_data = text;
    else if (field->tag == kBoundCidr)
      token.bound_cidrs.emplace_back(text);
    else
      in.keep(*field, token.unknown);
  }
}

Result<Token> decode(ByteView bytes) {
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
  token.orphan = !token.parent.has_value();
  if (!in.whole()) return failure(Code::internal, "internal error", "a token record is damaged");
  return token;
}

}  // namespace

PhysicalKey expiry_key(WallTime when, Table table, const OrderedId& id) {
  PhysicalKey key(Table::expiry);
  key.push_be(static_cast<std::uint64_t>(when.millis()), barrier::kMillisSize);
  key.push(static_cast<std::uint8_t>(table));
  key.push(id);
  return key;
}
PhysicalKey child_key(const OrderedId& parent, const OrderedId& child) {
  PhysicalKey key(Table::child);
  key.push(parent);
  key.push(child);
  return key;
}
PhysicalKey owner_key(const OrderedId& owner, const OrderedId& lease) {
  PhysicalKey key(Table::lease_owner);
  key.push(owner);
  key.push(lease);
  return key;
}
PhysicalKey job_key(WallTime when, const OrderedId& id) {
  PhysicalKey key(Table::job);
  key.push_be(static_cast<std::uint64_t>(when.millis()), barrier::kMillisSize);
  key.push(id);
  return key;
}

Status move_expiry(WriteTxn& txn, Table table, const OrderedId& id,
                   const std::optional<WallTime>& from, const std::optional<WallTime>& to) {
  if (from && to && from->millis() == to->millis()) return {};  // the same key
  if (from) VAULT_TRY(txn.erase(expiry_key(*from, table, id)));
  if (to) VAULT_TRY(txn.mark(expiry_key(*to, table, id)));
  return {};
}

Tokens::Tokens(const barrier::Barrier& barrier, Random& random)
    : barrier_(barrier), random_(random), accessor_key_(barrier.keys().token.reveal()) {}

Tokens::AccessorBytes Tokens::accessor_of(std::string_view token) const {
  AccessorBytes bytes{};
  if (token.size() == kServicePrefix.size() + kTokenDigits && token.starts_with(kServicePrefix))
    if (const auto parts = from_base62(token.substr(kServicePrefix.size()), kTokenBytes))
      std::copy_n(parts->begin(), barrier::kMillisSize, bytes.begin());
  const crypto::Digest digest = accessor_key_.mac(as_bytes(token));
  std::copy_n(digest.begin(), bytes.size() - barrier::kMillisSize,
              bytes.begin() + barrier::kMillisSize);
  return bytes;
}

OrderedId Tokens::id_of(const AccessorBytes& accessor) const {
  OrderedId id{};
  const auto hash = barrier_.id_hash("token", accessor);
  std::copy_n(accessor.begin(), barrier::kMillisSize, id.begin());
  std::copy(hash.begin(), hash.end(), id.begin() + barrier::kMillisSize);
  return id;
}

OrderedId Tokens::id_of(std::string_view token) const { return id_of(accessor_of(token)); }

std::optional<OrderedId> Tokens::id_of_accessor(std::string_view accessor) const {
  const bool short_form = accessor.size() == kAccessorDigits;
  const bool long_form = accessor.size() == kAccessorDigits + 1 && accessor.front() == '0';
  if (!short_form && !long_form) return std::nullopt;
  AccessorBytes bytes{};
  const auto parts = from_base62(accessor, bytes.size());
  if (!parts) return std::nullopt;
  std::copy(parts->begin(), parts->end(), bytes.begin());
  return id_of(bytes);
}

PhysicalKey Tokens::key_of(const OrderedId& id) const {
  return barrier_.ordered_key(Table::token, id);
}
PhysicalKey Tokens::uses_key(const Token& token) const {
  return barrier_.counter_key(barrier::kCoreSpace, "token-uses/" + token.accessor);
}

Result<std::optional<Token>> Tokens::load(ReadTxn& txn, const OrderedId& id) const {
  VAULT_TRY_ASSIGN(const auto record, txn.get(key_of(id)));
  if (!record) return std::optional<Token>();
  VAULT_TRY_ASSIGN(Token token, decode(record->value.reveal()));
  token.id = id;
  token.mod = record->mod;
  return std::optional<Token>(std::move(token));
}

Result<TokenRef> Tokens::current(ReadTxn& txn, const OrderedId& id) const {
  VAULT_TRY_ASSIGN(const std::uint64_t mod, txn.version(key_of(id)));
  if (mod != 0)
    if (TokenRef known = cache_.find(id, mod)) return known;
  VAULT_TRY_ASSIGN(std::optional<Token> token, load(txn, id));
  if (!token) return TokenRef();
  TokenRef read = std::make_shared<const Token>(std::move(*token));
  if (read->mod != 0) cache_.keep(read);  // 0: written by this very transaction
  return read;
}

Result<TokenRef> Tokens::valid(ReadTxn& txn, const OrderedId& id, WallTime now,
                               Chain* chain) const {
  TokenRef asked;
  OrderedId at = id;
  for (unsigned depth = 0; depth <= kTokenDepthMax; ++depth) {
    VAULT_TRY_ASSIGN(const TokenRef token, current(txn, at));
    if (!token || (token->stub && depth == 0)) return TokenRef();
    if (chain != nullptr) chain->emplace_back(key_of(at), token->mod);
    if (token->stub && depth == 1) {  // whatever hangs below a stub is an orphan
      Token orphan = *asked;
      orphan.orphan = true;
      return std::make_shared<const Token>(std::move(orphan));
    }
    if (token->stub) return asked;
    if (token->expires && *token->expires <= now) return TokenRef();
    if (depth == 0) asked = token;
    if (!token->parent) return asked;
    at = *token->parent;
  }
  return TokenRef();  // deeper than anything we create
}

Status Tokens::each(ReadTxn& txn, std::string_view from, std::size_t max, bool& cut,
                    FunctionRef<bool(const Token&)> take) const {
  constexpr std::size_t kAtOnce = 1000;
  PhysicalKey next(Table::token);
  const PhysicalKey end = next.end_of_prefix();
  if (const auto first = id_of_accessor(from))
    next.push(ByteView(*first).first(barrier::kMillisSize));
  std::size_t seen = 0;
  for (;;) {
    std::vector<OrderedId> part;
    VAULT_TRY(txn.scan(next, end, kAtOnce, storage::Scan::keys, [&](const storage::Entry& entry) {
      part.push_back(barrier::id_at_end(entry.key));
      return true;
    }));
    OrderedId last{};
    for (const OrderedId& id : part) {
      const bool same = std::equal(id.begin(), id.begin() + barrier::kMillisSize, last.begin());
      if (++seen > max && !same) {
        cut = true;
        return {};
      }
      last = id;
      const auto token = load(txn, id);
      if (!token.ok()) VAULT_TRY(txn.version(key_of(id)));  // damaged, or storage failed
      if (token.ok() && *token && !take(**token)) return {};
    }
    if (part.size() < kAtOnce) return {};
    next = key_of(last).end_of_prefix();
  }
}

Result<std::int64_t> Tokens::uses_left(ReadTxn& txn, const Token& token) const {
  if (token.num_uses == 0) return std::int64_t{0};
  return txn.counter(uses_key(token));
}

Status Tokens::write(WriteTxn& txn, const Token& token) const {
  return txn.put(key_of(token.id), "", encode(token).bytes());
}

namespace {

// Of all that a token makes the audit log and each look-up repeat.
constexpr std::size_t kTextsMax = 16u << 10;

Status check_texts(const Token& token) {
  std::size_t policies = 0, metadata = 0;
  for (const std::string& name : token.policies) policies += name.size();
  for (const auto& pair : token.meta) metadata += pair.first.size() + pair.second.size();
  const std::size_t rest = token.display_name.size() + token.path.size() + token.entity_id.size();
  if (policies + metadata + rest <= kTextsMax) return {};
  return failure(
      Code::invalid,
      "a token's metadata, policies and names can have at most 16384 bytes together; the "
      "metadata of this one has " +
          std::to_string(metadata) + ", its policies have " + std::to_string(policies));
}

}  // namespace

Result<SecretBytes> Tokens::create(WriteTxn& txn, Token& token, std::string_view wanted_id,
                                   bool short_form) const {
  VAULT_TRY(check_texts(token));
  SecretBytes text(wanted_id);
  if (wanted_id.empty()) {
    text = SecretBytes(kServicePrefix);
    if (short_form) {
      text.append(as_bytes(base62_text(random_, kShortDigits)));
    } else {
      std::array<std::uint8_t, kTokenBytes> bytes;
      random_.fill(bytes);
      put_be(bytes.data(), static_cast<std::uint64_t>(token.created.millis()),
             barrier::kMillisSize);
      std::string digits = base62(bytes, kTokenDigits);
      text.append(as_bytes(digits));
      wipe(digits);
      wipe(bytes.data(), bytes.size());
    }
  }
  const AccessorBytes accessor = accessor_of(as_text(text.reveal()));
  token.id = id_of(accessor);
  token.accessor = base62(accessor, kAccessorDigits + 1).substr(1);
  if (wanted_id.empty()) {
    txn.guard(key_of(token.id), 0);
  } else {
    VAULT_TRY_ASSIGN(const std::uint64_t taken, txn.version(key_of(token.id)));
    if (taken != 0) return failure(Code::invalid, "cannot create a token with a duplicate ID");
  }
  VAULT_TRY(write(txn, token));
  if (token.parent) VAULT_TRY(txn.mark(child_key(*token.parent, token.id)));
  if (token.expires) VAULT_TRY(txn.mark(expiry_key(*token.expires, Table::token, token.id)));
  if (token.num_uses > 0) txn.add(uses_key(token), token.num_uses, 0);
  return text;
}

Status Tokens::update(WriteTxn& txn, const Token& before, const Token& after) const {
  txn.guard(key_of(before.id), before.mod);
  VAULT_TRY(write(txn, after));
  return move_expiry(txn, Table::token, before.id, before.expires, after.expires);
}

Status Tokens::revoke(WriteTxn& txn, const Token& token, WallTime now) const {
  VAULT_TRY(txn.erase(key_of(token.id)));
  return forget(txn, token, now);
}

Status Tokens::forget(WriteTxn& txn, const Token& token, WallTime now) const {
  if (token.expires) VAULT_TRY(txn.erase(expiry_key(*token.expires, Table::token, token.id)));
  if (token.parent) VAULT_TRY(txn.erase(child_key(*token.parent, token.id)));
  if (token.num_uses > 0) txn.erase_counter(uses_key(token));
  if (token.is_wrapping()) return txn.erase(wrapped_key(token.id));  // it owns nothing else
  return txn.mark(job_key(now, token.id));
}

Status Tokens::revoke_orphan(WriteTxn& txn, const Token& token, WallTime now) const {
  Token stub;
  stub.id = token.id;
  stub.accessor = token.accessor;
  stub.stub = true;
  stub.created = token.created;
  VAULT_TRY(write(txn, stub));
  return forget(txn, token, now);  // its leases go through the job; the stub keeps its children
}

Status Tokens::make_orphan(WriteTxn& txn, const Token& child, const OrderedId& parent) const {
  Token orphan = child;
  orphan.parent.reset();
  VAULT_TRY(update(txn, child, orphan));
  return txn.erase(child_key(parent, child.id));
}

Result<bool> Tokens::sweep(WriteTxn& txn, const PhysicalKey& job, WallTime now,
                           FunctionRef<void(const Token&)> swept,
                           FunctionRef<Status(WriteTxn&, const OrderedId&)> revoke_lease) const {
  Ending ending{*this, txn, barrier::id_at_end(job.view()), false, now, swept, revoke_lease};
  const auto itself = load(txn, ending.owner);
  if (!itself.ok()) VAULT_TRY(txn.version(key_of(ending.owner)));  // damage is as good as absence
  ending.stub = itself.ok() && itself->has_value();
  VAULT_TRY_ASSIGN(const bool more, sweep_owned(ending));
  if (more) return false;
  if (ending.stub) VAULT_TRY(txn.erase(key_of(ending.owner)));  // nothing hangs below it any more
  VAULT_TRY(txn.erase(job));
  return true;
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

Result<TtlAnswer> resolve_ttl(const TtlTerms& terms) {
  TtlAnswer answer;
  Seconds max = terms.max_ttl;
  if (terms.backend_max.count() > 0) max = std::min(max, terms.backend_max);
  if (terms.explicit_max.count() > 0 && terms.period.count() == 0)
    max = std::min(max, terms.explicit_max);
  std::optional<WallTime> limit;
  if (terms.period.count() > 0) {
    answer.ttl = std::min(terms.period, terms.max_ttl);
    if (terms.period > terms.max_ttl)
      answer.warnings.push_back("period of \"" + print_duration(terms.period) +
                                "\" exceeded the effective max_ttl of \"" +
                                print_duration(terms.max_ttl) +
                                "\"; period value is capped accordingly");
    if (terms.explicit_max.count() > 0) limit = add(terms.issued, terms.explicit_max);
  } else {
    answer.ttl = terms.increment.count() > 0     ? terms.increment
                 : terms.backend_ttl.count() > 0 ? terms.backend_ttl
                                                 : terms.default_ttl;
    limit = add(terms.issued, max);
  }
  if (!limit) return answer;
  const Seconds left = std::chrono::floor<Seconds>(since(*limit, terms.now));  // never beyond it
  if (left.count() <= 0) return failure(Code::invalid, "past the max TTL, cannot renew");
  if (answer.ttl > left) {
    const Seconds shown = std::chrono::round<Seconds>(since(*limit, terms.now));
    answer.warnings.push_back("TTL of \"" + print_duration(answer.ttl) +
                              "\" exceeded the effective max_ttl of \"" + print_duration(shown) +
                              "\"; TTL value is capped accordingly");
    answer.ttl = left;
  }
  return answer;
}

}  // namespace leasehold::core
