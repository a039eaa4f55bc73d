#include "backends/keyhost/pkcs11/slot_policy.h"

#include "vault/seal/codec.h"

namespace leasehold::keyhost::pkcs11 {
namespace {

constexpr std::uint8_t kFormat = 1;

}  // namespace

std::string_view to_text(Mode mode) { return mode == Mode::aes_gcm ? "aes-gcm" : "hmac-kdf"; }

Bytes SlotPolicy::serialize() const {
  seal::Writer out;
  out.number(kFormat, 1);
  out.number(static_cast<std::uint8_t>(mode), 1);
  out.text(serial, 1);
  out.text(key_label, 1);
  out.bytes(key_id, 1);
  out.bytes(nonce, 1);
  out.bytes(box, 2);
  return out.take_public();
}

Result<SlotPolicy> SlotPolicy::deserialize(ByteView bytes) {
  seal::Reader in(bytes);
  const bool known = in.number(1) == kFormat;
  SlotPolicy policy;
  const std::uint64_t mode = in.number(1);
  policy.mode = static_cast<Mode>(mode);
  policy.serial = in.text(1, 255);
  policy.key_label = in.text(1, 255);
  policy.key_id = to_bytes(in.bytes(1, 255));
  policy.nonce = to_bytes(in.bytes(1, 64));
  policy.box = to_bytes(in.bytes(2, 256));
  if (!known || !in.finished() || mode < 1 || mode > 2)
    return failure(Code::invalid,
                   "the stored token slot cannot be read: it was changed, or a newer "
                   "version wrote it");
  return policy;
}

}  // namespace leasehold::keyhost::pkcs11
