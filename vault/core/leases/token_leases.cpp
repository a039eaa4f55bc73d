#include "vault/core/leases/token_leases.h"

#include <algorithm>
#include <set>

#include "vault/base/encoding.h"
#include "vault/core/contract/router.h"
#include "vault/core/leases/leases.h"

namespace leasehold::core {

namespace {

constexpr std::size_t kLookedAtMax = 10'000;
// An OrderedId, which is a time and a keyed hash, in the form that Vault's have: "h" and 64 hex
// digits, of which the last are zeros. Earlier versions wrote it with 30 digits to the base 62.
constexpr std::size_t kLeafDigits = 64, kEarlierDigits = 30;

std::string_view leaf_of(std::string_view lease_id) {
  return lease_id.substr(lease_id.rfind('/') + 1);
}

std::string earlier_lease_id_of(const Token& token) {
  return token.path + "/" + base62(token.id, kEarlierDigits);
}

std::optional<barrier::OrderedId> id_in(std::string_view leaf) {
  barrier::OrderedId id{};
  std::optional<Bytes> bytes;
  if (leaf.size() == kEarlierDigits) bytes = from_base62(leaf, id.size());
  if (leaf.size() == kLeafDigits + 1 && leaf.front() == 'h') bytes = from_hex(leaf.substr(1));
  if (!bytes) return std::nullopt;
  std::copy_n(bytes->begin(), id.size(), id.begin());
  return id;
}

Result<TokenRef> valid_lease(const Tokens& tokens, const MountTable& mounts, ReadTxn& txn,
                             const barrier::OrderedId& id, WallTime now) {
  VAULT_TRY_ASSIGN(TokenRef token, tokens.valid(txn, mounts, id, now, nullptr));
  return token && has_lease(*token) ? token : TokenRef();
}

}  // namespace

bool has_lease(const Token& token) {
  return token.expires.has_value() && !token.stub && !token.wrapping;
}

std::string lease_id_of(const Token& token) {
  std::string leaf = "h" + hex(token.id);
  leaf.resize(kLeafDigits + 1, '0');
  return token.path + "/" + leaf;
}

std::string old_lease_id_of(const Token& token) { return token.path + "/" + token.accessor; }

bool is_token_lease(std::string_view lease_id) {
  return lease_id == "auth" || is_auth_path(lease_id);
}

Result<TokenRef> find_by_lease(const Tokens& tokens, const MountTable& mounts, ReadTxn& txn,
                               std::string_view lease_id, WallTime now) {
  const auto id = id_in(leaf_of(lease_id));
  if (!id || !is_token_lease(lease_id)) return TokenRef();
  VAULT_TRY_ASSIGN(TokenRef token, valid_lease(tokens, mounts, txn, *id, now));
  const bool named =
      token && (lease_id_of(*token) == lease_id || earlier_lease_id_of(*token) == lease_id);
  return named ? token : TokenRef();
}

Result<TokenRef> find_by_old_lease(const Tokens& tokens, const MountTable& mounts, ReadTxn& txn,
                                   std::string_view lease_id, WallTime now) {
  const auto id = tokens.id_of_accessor(leaf_of(lease_id));
  if (!id || !is_token_lease(lease_id)) return TokenRef();
  VAULT_TRY_ASSIGN(TokenRef token, valid_lease(tokens, mounts, txn, *id, now));
  return token && old_lease_id_of(*token) == lease_id ? token : TokenRef();
}

Result<std::vector<std::string>> list_token_leases(const Tokens& tokens, ReadTxn& txn,
                                                   std::string_view directory, WallTime now,
                                                   bool& cut) {
  std::set<std::string> names;
  if (!directory.empty() && !is_token_lease(directory)) return std::vector<std::string>();
  VAULT_TRY(tokens.each(txn, {}, kLookedAtMax, cut, [&](const Token& token) {
    if (!has_lease(token) || *token.expires <= now) return true;
    const std::string id = lease_id_of(token);
    if (!id.starts_with(directory)) return true;
    const std::string_view rest = std::string_view(id).substr(directory.size());
    names.emplace(rest.substr(0, std::min(rest.find('/'), rest.size() - 1) + 1));
    return !directory.empty();  // at the root one is enough
  }));
  return std::vector<std::string>(names.begin(), names.end());
}

bool is_token_below(const Token& token, std::string_view prefix) {
  return is_below(lease_id_of(token), prefix) || is_below(old_lease_id_of(token), prefix);
}

Result<bool> any_token_below(const Tokens& tokens, ReadTxn& txn, std::string_view prefix) {
  bool any = false, cut = false;
  VAULT_TRY(tokens.each(txn, {}, kLookedAtMax, cut, [&](const Token& token) {
    any = is_token_below(token, prefix);
    return !any;
  }));
  return any || cut;
}

}  // namespace leasehold::core
