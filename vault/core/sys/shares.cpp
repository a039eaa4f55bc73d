#include "vault/core/sys/shares.h"

#include "vault/base/encoding.h"
#include "vault/crypto/shamir.h"

namespace leasehold::core {

namespace {

SecretBytes wiped(std::optional<Bytes> bytes) {
  if (!bytes) return {};
  SecretBytes secret{ByteView(*bytes)};
  wipe(bytes->data(), bytes->size());
  return secret;
}

}  // namespace

// Hex is tried first, but only for lengths that a share can have.
std::optional<SecretBytes> parse_share(ByteView text) {
  SecretBytes share = wiped(from_hex(as_text(text)));
  if (share.size() < seal::kShareMin || share.size() > seal::kShareMax)
    share = wiped(from_base64(as_text(text)));
  if (share.empty()) return std::nullopt;
  return share;
}

Result<SecretBytes> share_of(const Call& call) {
  const SecretBytes text = call.fields.secret("key");
  if (text.empty())
    return failure(Code::invalid, "'key' must be specified in request body as JSON");
  std::optional<SecretBytes> share = parse_share(text.reveal());
  if (!share) return failure(Code::invalid, "'key' must be a valid hex or base64 string");
  return std::move(*share);
}

Json shares_as_text(const std::vector<SecretBytes>& shares, bool as_hex) {
  Json list = Json::array();
  for (const SecretBytes& share : shares) {
    const SecretBytes text = as_hex ? hex_secret(share.reveal()) : base64_secret(share.reveal());
    list.push(Json(as_text(text.reveal())));
  }
  return list;
}

Result<unsigned> share_count(std::int64_t count) {
  if (count < 0 || count > std::int64_t{crypto::kSharesMax})
    return failure(Code::invalid, "shares and threshold must be between 1 and 255");
  return static_cast<unsigned>(count);
}

Status refuse_pgp(const Call& call) {
  if (!call.fields.list("pgp_keys").empty() || !call.fields.text("pgp_key").empty())
    return failure(Code::invalid,
                   "PGP keys are not supported: leave them out and encrypt what is printed "
                   "yourself");
  if (call.fields.boolean("backup"))
    return failure(Code::invalid, "backup needs pgp_keys, which are not supported");
  return {};
}

Status guard_slot(WriteTxn& txn, const seal::SlotId& id, std::uint32_t generation,
                  const char* otherwise) {
  const barrier::PhysicalKey key = seal::slot_key(id);
  VAULT_TRY_ASSIGN(const auto stored, txn.snapshot().get(key.view()));
  if (!stored) return failure(Code::internal, "the stored slot of the shares is gone");
  VAULT_TRY_ASSIGN(const auto slot, seal::SlotRecord::deserialize(stored->value));
  if (slot.generation != generation) return failure(Code::invalid, otherwise);
  txn.guard(key, stored->mod);
  return {};
}

Route ceremony_route(std::string pattern, std::vector<Field> fields, std::vector<Action> actions,
                     bool ListenerTraits::*open_by, std::string synopsis) {
  Route made =
      route(std::move(pattern), std::move(fields), std::move(actions), std::move(synopsis));
  made.sudo = true;
  made.open_by = open_by;
  return made;
}

Result<Response> enveloped(Result<Response> answer) {
  if (answer.ok() && answer->form == Response::Form::bare) answer->form = Response::Form::envelope;
  return answer;
}

}  // namespace leasehold::core
