#include "backends/keyhost/tpm/slot_policy.h"

#include "vault/seal/codec.h"

namespace leasehold::keyhost::tpm {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kNameMax = 68;
constexpr std::size_t kSaltMax = 64;
constexpr std::size_t kAreaMax = 2048;

}  // namespace

Bytes SlotPolicy::serialize() const {
  seal::Writer out;
  out.number(kFormat, 1);
  out.number(static_cast<std::uint8_t>(source), 1);
  out.bytes(key_name, 1);
  out.number(pcrs.size(), 1);
  for (const PcrValue& pcr : pcrs) {
    out.number(pcr.index, 1);
    out.raw(pcr.digest);
  }
  out.bytes(pin_salt, 1);
  out.bytes(public_area, 2);
  out.bytes(private_area, 2);
  return out.take_public();
}

Result<SlotPolicy> SlotPolicy::deserialize(ByteView bytes) {
  seal::Reader in(bytes);
  const bool known = in.number(1) == kFormat;
  SlotPolicy policy;
  const std::uint64_t source = in.number(1);
  policy.source = static_cast<KeySource>(source);
  policy.key_name = to_bytes(in.bytes(1, kNameMax));
  const std::uint64_t count = in.number(1);
  int last = -1;
  bool rising = true;
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
    PcrValue pcr;
    pcr.index = static_cast<std::uint8_t>(in.number(1));
    pcr.digest = in.array<32>();
    rising = rising && pcr.index > last && pcr.index < 24;
    last = pcr.index;
    policy.pcrs.push_back(pcr);
  }
  policy.pin_salt = to_bytes(in.bytes(1, kSaltMax));
  policy.public_area = to_bytes(in.bytes(2, kAreaMax));
  policy.private_area = to_bytes(in.bytes(2, kAreaMax));
  if (!known || !in.finished() || !rising || source < 1 || source > 3)
    return failure(Code::invalid,
                   "the stored TPM slot cannot be read: it was changed, or a newer "
                   "version wrote it");
  return policy;
}

}  // namespace leasehold::keyhost::tpm
