#include "vault/core/authority/batch_tokens.h"

#include <algorithm>

#include "vault/base/encoding.h"

namespace leasehold::core {

using barrier::OrderedId;

namespace {

constexpr std::string_view kPrefix = "hvb.";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kHeadSize = 1 + 4;  // format, term
// Of an opened one in the cache, where a record has the version it was read at.
constexpr std::uint64_t kOpened = 1;

// Of this store and no other, and of this head.
Bytes aad_of(const barrier::Barrier& barrier, ByteView head) {
  Bytes aad;
  aad.reserve(barrier.store().size() + head.size());
  append(aad, barrier.store());
  append(aad, head);
  return aad;
}

}  // namespace

bool BatchTokens::looks_like_one(std::string_view text) { return text.starts_with(kPrefix); }

Result<SecretBytes> BatchTokens::make(const Token& token) const {
  const std::uint32_t term = barrier_.term();
  Bytes sealed(kHeadSize);
  sealed[0] = kFormat;
  put_be(&sealed[1], term, 4);
  const Bytes aad = aad_of(barrier_, sealed);
  const Encoder record = encode_token(token);
  crypto::seal(barrier_.batch_token_key(term)->reveal(), record.bytes(), aad, random_, sealed);
  SecretBytes text(kPrefix);
  std::string digits = base64url(sealed);
  text.append(as_bytes(digits));
  wipe(digits);
  if (text.size() <= kSizeMax) return text;
  return failure(Code::invalid,
                 "a batch token carries its policies, metadata and names itself and can have at "
                 "most 4096 bytes; this one has " +
                     std::to_string(text.size()) + ": make a service token");
}

std::shared_ptr<const Token> BatchTokens::open(std::string_view text, TokenCache& cache) const {
  if (!looks_like_one(text) || text.size() > kSizeMax) return nullptr;
  const OrderedId id = id_of(barrier_, "batch token", text);
  if (auto known = cache.find(id, kOpened)) return known;
  const auto sealed = from_base64url(text.substr(kPrefix.size()));
  if (!sealed || sealed->size() < kHeadSize + crypto::kBoxOverhead || sealed->front() != kFormat)
    return nullptr;
  const ByteView head = ByteView(*sealed).first(kHeadSize);
  const auto term = static_cast<std::uint32_t>(get_be(&head[1], 4));
  const crypto::Key* key = barrier_.batch_token_key(term);
  if (key == nullptr) return nullptr;
  const auto record =
      crypto::open(key->reveal(), ByteView(*sealed).subspan(kHeadSize), aad_of(barrier_, head));
  if (!record.ok()) return nullptr;
  auto token = decode_token(record->reveal());
  if (!token.ok() || !token->expires) return nullptr;
  token->batch = true;
  token->id = id;
  token->mod = kOpened;
  auto opened = std::make_shared<const Token>(std::move(*token));
  cache.keep(opened);
  return opened;
}

OrderedId BatchTokens::id_of(const barrier::Barrier& barrier, std::string_view purpose,
                             std::string_view text) {
  OrderedId id{};
  const auto hash = barrier.id_hash(purpose, as_bytes(text));
  std::copy(hash.begin(), hash.end(), id.begin() + barrier::kMillisSize);
  return id;
}

}  // namespace leasehold::core
