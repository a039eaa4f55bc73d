// Any bytes: the decoders give a value or refuse, and what they accept is written back unchanged.

#include "vault/seal/keyhost_protocol.h"

using namespace leasehold;
using namespace leasehold::seal;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView frame(data, size);
  if (const auto request = decode_request(frame); request.ok()) {
    const auto again = encode(*request);
    VAULT_ASSERT(again.ok() && compare(again->reveal(), frame) == 0);
  }
  if (const auto reply = decode_reply(frame); reply.ok()) {
    const auto again = encode(*reply);
    VAULT_ASSERT(again.ok() && compare(again->reveal(), frame) == 0);
  }
  if (const auto slot = SlotRecord::deserialize(frame); slot.ok())
    VAULT_ASSERT(compare(slot->serialize(), frame) == 0);
  if (const auto policy = SharePolicy::deserialize(frame); policy.ok())
    VAULT_ASSERT(compare(policy->serialize(), frame) == 0);
  if (const auto store = StoreDescription::deserialize(frame); store.ok())
    VAULT_ASSERT(compare(store->serialize(), frame) == 0);
  return 0;
}
