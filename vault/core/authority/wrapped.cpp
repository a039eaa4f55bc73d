#include "vault/core/authority/wrapped.h"

#include "vault/core/contract/codec.h"
#include "vault/core/contract/envelope.h"
#include "vault/core/contract/policy_names.h"
#include "vault/crypto/aead.h"
#include "vault/crypto/hash.h"

namespace leasehold::core {

using barrier::OrderedId;
using barrier::PhysicalKey;
using barrier::Table;

namespace {

// DO NOT CHANGE: they are on users' disks.
constexpr std::uint8_t kBoxFormat = 1;      // of the sealed bytes
constexpr std::uint8_t kAnswerVersion = 1;  // of what is in them
constexpr std::size_t kBodyMax = storage::kBatchBytesMax - (16u << 10);

SecretBytes wrapping_key(const barrier::Barrier& barrier, std::string_view token) {
  return crypto::hkdf(as_bytes(token), barrier.store(), "leasehold wrapped answer 1",
                      crypto::kKeySize);
}

std::string_view content_type_of(const Response& answer) {
  return answer.form == Response::Form::raw ? std::string_view(answer.content_type)
                                            : std::string_view("application/json");
}

SecretBytes rendered(const Response& answer) {
  std::string text;
  text.reserve(body_bytes_max(answer));
  write_body(text, answer);
  SecretBytes body(text);
  wipe(text);
  return body;
}

Status keep(WriteTxn& txn, const OrderedId& token, std::string_view text, const Response& answer,
            const std::string& wrapped_accessor, Random& random) {
  const SecretBytes body = rendered(answer);
  if (body.size() > kBodyMax)
    return failure(Code::invalid, "this answer is too large to be wrapped");
  const Issued inside = issued_by(answer);
  Encoder plain(kAnswerVersion);
  plain.number(std::int64_t{status_of(answer)}).text(content_type_of(answer));
  plain.text(inside.lease_id).text(inside.accessor).text(inside.wrapping_accessor);
  plain.text(wrapped_accessor).text(as_text(body.reveal()));
  Bytes box{kBoxFormat};
  crypto::seal(wrapping_key(txn.barrier(), text).reveal(), plain.bytes(), token, random, box);
  return txn.put(wrapped_key(token), "", box);
}

}  // namespace

PhysicalKey wrapped_key(const OrderedId& token) {
  PhysicalKey key(Table::wrapped);
  key.push(token);
  return key;
}

Result<Response> wrap(const Tokens& tokens, WriteTxn& txn, Response&& answer,
                      const WrapTerms& terms, Random& random) {
  Token token;
  token.created = terms.now;
  token.expires = add(terms.now, terms.ttl);
  token.creation_ttl = token.explicit_max_ttl = terms.ttl;
  token.num_uses = 1;
  token.path = terms.creation_path;
  token.policies = {std::string(kWrappingPolicy)};
  token.wrapping = true;
  VAULT_TRY_ASSIGN(SecretBytes text, tokens.create(txn, token, "", false));
  WrapInfo wrap;
  wrap.wrapped_accessor = answer.auth ? answer.auth->accessor : answer.data_accessor;
  VAULT_TRY(keep(txn, token.id, as_text(text.reveal()), answer, wrap.wrapped_accessor, random));
  wrap.token = std::move(text);
  wrap.accessor = token.accessor;
  wrap.ttl = terms.ttl;
  wrap.creation_time = terms.now;
  wrap.creation_path = terms.creation_path;
  Response left;
  left.inside = issued_by(answer);
  left.request_id = answer.request_id;
  left.wrap = std::move(wrap);
  return left;
}

Result<Response> opened(WriteTxn& txn, const Token& token, std::string_view text) {
  VAULT_TRY_ASSIGN(const auto stored, txn.get(wrapped_key(token.id)));
  if (!stored) return failure(Code::invalid, std::string(kNoWrappingToken));
  const Error damaged = failure(Code::internal, "internal error", "a wrapped answer is damaged");
  const ByteView sealed = stored->value.reveal();
  if (sealed.empty() || sealed[0] != kBoxFormat) return damaged;
  const auto plain =
      crypto::open(wrapping_key(txn.barrier(), text).reveal(), sealed.subspan(1), token.id);
  if (!plain.ok()) return damaged;
  Decoder in(plain->reveal(), kAnswerVersion);
  Response answer;
  answer.form = Response::Form::raw;
  answer.status = static_cast<int>(in.integer());
  answer.content_type = in.text();
  Issued inside;
  inside.lease_id = in.text();
  inside.accessor = in.text();
  inside.wrapping_accessor = in.text();
  answer.inside = std::move(inside);
  answer.data_accessor = in.text();
  std::string body = in.text();
  answer.data = SecretBytes(body);
  wipe(body);
  Bytes unknown;  // of a later version
  for (auto field = in.field(); field; field = in.field()) in.keep(*field, unknown);
  if (!in.whole()) return damaged;
  return answer;
}

}  // namespace leasehold::core
