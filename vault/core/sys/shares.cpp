#include "vault/core/sys/shares.h"

#include "vault/base/encoding.h"

namespace leasehold::core {

Result<SecretBytes> share_of(const Call& call) {
  std::string text = call.fields.text("key");
  if (text.empty())
    return failure(Code::invalid, "'key' must be specified in request body as JSON");
  // Hex is tried first, but only for lengths that a share can have.
  auto bytes = from_hex(text);
  if (!bytes || bytes->size() < seal::kShareMin || bytes->size() > seal::kShareMax)
    bytes = from_base64(text);
  wipe(text);
  if (!bytes || bytes->empty())
    return failure(Code::invalid, "'key' must be a valid hex or base64 string");
  SecretBytes share{ByteView(*bytes)};
  wipe(bytes->data(), bytes->size());
  return share;
}

Json shares_as_text(const std::vector<SecretBytes>& shares, bool as_hex) {
  Json list = Json::array();
  for (const SecretBytes& share : shares) {
    const SecretBytes text = as_hex ? hex_secret(share.reveal()) : base64_secret(share.reveal());
    list.push(Json(as_text(text.reveal())));
  }
  return list;
}

Result<unsigned> share_count(const Call& call, std::string_view field) {
  const std::int64_t count = call.fields.integer(field);
  if (count < 0 || count > 255)
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

}  // namespace leasehold::core
