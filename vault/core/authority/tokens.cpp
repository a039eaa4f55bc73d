#include "vault/core/authority/tokens.h"

#include <algorithm>

#include "vault/base/encoding.h"
#include "vault/base/metrics.h"
#include "vault/core/authority/indexes.h"
#include "vault/core/authority/mounts.h"
#include "vault/core/authority/owned.h"
#include "vault/core/authority/wrapped.h"
#include "vault/core/contract/login.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

constexpr std::string_view kServicePrefix = "hvs.";
constexpr std::size_t kTokenBytes = 30;  // be48 ms | 24 random
constexpr std::size_t kTokenDigits = 41;
// As long as Vault's. Of the 25 digits that any 18 bytes take the first is 0 for the next 4,000
// years; it is left out, and taken from those who kept one of an earlier version.
constexpr std::size_t kAccessorDigits = 24;
constexpr std::size_t kShortDigits = 24;

}  // namespace

Tokens::Tokens(const barrier::Barrier& barrier, Random& random)
    : barrier_(barrier),
      random_(random),
      accessor_key_(barrier.keys().token.reveal()),
      batch_tokens_(barrier, random) {}

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

OrderedId Tokens::owner_of_leases(const Token& token, const MountTable& mounts) const {
  if (!token.batch) return token.id;
  if (token.parent) return *token.parent;
  const Mount* mount = token.mount.empty() ? nullptr : mounts.by_accessor(token.mount);
  return owner_of_batch_leases(mount == nullptr ? nullptr : &mount->info);
}

OrderedId Tokens::owner_of_batch_leases(const MountInfo* mount) const {
  const std::string place = mount == nullptr ? "" : mount->accessor + " " + mount->path;
  return BatchTokens::id_of(barrier_, "batch lease owner", place);
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
  VAULT_TRY_ASSIGN(Token token, decode_token(record->value.reveal()));
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

namespace {

// Whether the auth method that gave the token is there, at the path that it logged in at: one that
// is being removed is in no table, and one that moved left its tokens behind.
bool stands(const Token& token, const MountTable& mounts, Tokens::Chain* chain) {
  if (token.mount.empty()) return true;
  const Mount* mount = mounts.by_accessor(token.mount);
  if (mount == nullptr || !token.path.starts_with(mount->info.path)) return false;
  if (chain != nullptr) chain->emplace_back(mount->stored_at, mount->mod);
  return true;
}

}  // namespace

Result<TokenRef> Tokens::valid(ReadTxn& txn, const MountTable& mounts, const OrderedId& id,
                               WallTime now, Chain* chain) const {
  const metrics::Stopwatch watch(metrics::Timer::token_lookup, metrics::kTimedOneOf);
  if (chain != nullptr) chain->reserve(4);  // of most: a token, its method, and as much above
  TokenRef asked;
  OrderedId at = id;
  for (unsigned depth = 0; depth <= kTokenDepthMax; ++depth) {
    VAULT_TRY_ASSIGN(const TokenRef token, current(txn, at));
    if (!token) return TokenRef();
    if (chain != nullptr) chain->emplace_back(key_of(at), token->mod);
    if (token->stub && depth == 1) {  // whatever hangs below a stub is an orphan
      Token orphan = *asked;
      orphan.orphan = true;
      return std::make_shared<const Token>(std::move(orphan));
    }
    if (token->stub) return asked;  // none: a stub is no token itself
    if (token->expires && *token->expires <= now) return TokenRef();
    if (!stands(*token, mounts, chain)) return TokenRef();
    if (depth == 0) asked = token;
    if (!token->parent) return asked;
    at = *token->parent;
  }
  return TokenRef();  // deeper than anything we create
}

Result<TokenRef> Tokens::valid(ReadTxn& txn, const Compiled& compiled, std::string_view text,
                               WallTime now, Chain* chain) const {
  if (!BatchTokens::looks_like_one(text)) {
    if (text.empty() || text.size() > kTokenSizeMax) return TokenRef();
    return valid(txn, compiled.mounts, id_of(text), now, chain);
  }
  TokenRef token = batch_tokens_.open(text, cache_);
  if (!token || *token->expires <= now || token->created <= compiled.batch_tokens_from)
    return TokenRef();
  if (!stands(*token, compiled.mounts, chain)) return TokenRef();
  if (!token->parent) return token;
  VAULT_TRY_ASSIGN(const TokenRef parent, valid(txn, compiled.mounts, *token->parent, now, chain));
  return parent ? token : TokenRef();
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
  const metrics::Stopwatch watch(metrics::Timer::token_store, metrics::kTimedOneOf);
  return txn.put(key_of(token.id), "", encode_token(token).bytes());
}

namespace {

// Of all that a token makes the audit log and each look-up repeat.
constexpr std::size_t kTextsMax = 16u << 10;

Status check_texts(const Token& token) {
  std::size_t policies = 0, metadata = 0, networks = 0;
  for (const std::string& range : token.bound_cidrs) networks += range.size();
  if (networks > kBoundCidrsMax)
    return failure(Code::invalid,
                   "the networks that a token is bound to can have at most 16384 bytes together: "
                   "those of this one have " +
                       std::to_string(networks));
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
  const metrics::Stopwatch watch(metrics::Timer::token_create, metrics::kTimedOneOf);
  metrics::count(metrics::Counter::token_creation);
  VAULT_TRY(check_texts(token));
  if (token.batch) return batch_tokens_.make(token);
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
    VAULT_TRY_ASSIGN(const bool left, owns_anything(txn, token.id));
    if (left)
      return failure(Code::invalid,
                     "cannot create a token with a duplicate ID: what the earlier token of this ID "
                     "made is still being ended; try again");
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
  const metrics::Stopwatch watch(metrics::Timer::token_revoke, metrics::kTimedOneOf);
  VAULT_TRY(txn.erase(key_of(token.id)));
  return forget(txn, token, now);
}

Status Tokens::forget(WriteTxn& txn, const Token& token, WallTime now) const {
  if (token.expires) VAULT_TRY(txn.erase(expiry_key(*token.expires, Table::token, token.id)));
  if (token.parent) VAULT_TRY(txn.erase(child_key(*token.parent, token.id)));
  if (token.num_uses > 0) txn.erase_counter(uses_key(token));
  if (token.wrapping) return txn.erase(wrapped_key(token.id));  // it owns nothing else
  return txn.mark(job_key(now, token.id));
}

Status Tokens::revoke_orphan(WriteTxn& txn, const Token& token, WallTime now) const {
  if (token.wrapping) return revoke(txn, token, now);  // nothing hangs below it
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
  const bool stands = itself.ok() && itself->has_value();
  ending.stub = stands && (*itself)->stub;
  // A token was made anew under the id, and all that hangs below is its own.
  if (stands && !ending.stub) {
    VAULT_TRY(txn.erase(job));
    return true;
  }
  VAULT_TRY_ASSIGN(const bool more, sweep_owned(ending));
  if (more) return false;
  if (ending.stub) VAULT_TRY(txn.erase(key_of(ending.owner)));  // nothing hangs below it any more
  VAULT_TRY(txn.erase(job));
  return true;
}

}  // namespace leasehold::core
