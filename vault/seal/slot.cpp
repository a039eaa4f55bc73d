#include "vault/seal/slot.h"

#include "vault/seal/codec.h"

namespace leasehold::seal {
namespace {

constexpr std::size_t kBoxMax = 1024;
constexpr std::string_view kAttestation = "this slot authorizes";

Error damaged(std::string_view what) {
  return failure(Code::internal, "storage is damaged: " + std::string(what) + " cannot be read",
                 "restore the store from a backup");
}

void write_head(Writer& out, const SlotRecord& slot) {
  out.number(kSlotFormat, 1);
  out.raw(slot.store);
  out.raw(slot.id);
  out.text(slot.kind, 1);
  out.number(slot.generation, 4);
  out.number(slot.capabilities, 1);
  out.text(slot.identity, 2);
  out.bytes(slot.policy, 2);
}

}  // namespace

Bytes SlotRecord::aad() const {
  Writer out;
  out.text("leasehold seal slot", 1);
  write_head(out, *this);
  return out.take_public();
}

Bytes SlotRecord::serialize() const {
  Writer out;
  write_head(out, *this);
  out.bytes(box, 2);
  return out.take_public();
}

Result<SlotRecord> SlotRecord::deserialize(ByteView bytes) {
  Reader in(bytes);
  if (in.number(1) != kSlotFormat) return damaged("a seal slot (or a newer version wrote it)");
  SlotRecord slot;
  slot.store = in.array<16>();
  slot.id = in.array<16>();
  slot.kind = in.text(1, kKindMax);
  slot.generation = static_cast<std::uint32_t>(in.number(4));
  slot.capabilities = static_cast<std::uint8_t>(in.number(1));
  slot.identity = in.text(2, kIdentityMax);
  slot.policy = to_bytes(in.bytes(2, kPolicyMax));
  slot.box = to_bytes(in.bytes(2, kBoxMax));
  if (!in.finished()) return damaged("a seal slot");
  return slot;
}

crypto::Digest SlotRecord::digest() const {
  return crypto::sha256(as_bytes("leasehold seal slot record"), serialize());
}

void SlotRecord::close(ByteView kek, const crypto::Key& root, Random& random) {
  box.clear();
  crypto::seal(kek, root.reveal(), aad(), random, box);
}

Result<crypto::Key> SlotRecord::open(ByteView kek) const {
  if (kek.size() != crypto::kKeySize || !may_unseal())
    return failure(Code::invalid, "this slot cannot open the vault");
  VAULT_TRY_ASSIGN(const SecretBytes root, crypto::open(kek, box, aad()));
  if (root.size() != crypto::kKeySize)
    return failure(Code::invalid, "this slot does not hold a root key");
  return crypto::Key(root.reveal());
}

void SlotRecord::attest(const crypto::Key& registry_key, Random& random) {
  box.clear();
  crypto::seal(registry_key.reveal(), as_bytes(kAttestation), aad(), random, box);
}

Status SlotRecord::verify(const crypto::Key& registry_key) const {
  const auto opened = crypto::open(registry_key.reveal(), box, aad());
  if (!opened.ok()) return opened.error();
  if (as_text(opened->reveal()) != kAttestation)
    return failure(Code::invalid, "this slot was not written to authorize");
  return {};
}

crypto::Digest SharePolicy::hash_of(ByteView share) const {
  return crypto::sha256(as_bytes("leasehold share"), salt, share);
}

Bytes SharePolicy::serialize() const {
  Writer out;
  out.number(shares, 1);
  out.number(threshold, 1);
  out.raw(salt);
  for (const crypto::Digest& hash : hashes) out.raw(hash);
  return out.take_public();
}

Result<SharePolicy> SharePolicy::deserialize(ByteView bytes) {
  Reader in(bytes);
  SharePolicy policy;
  policy.shares = static_cast<std::uint8_t>(in.number(1));
  policy.threshold = static_cast<std::uint8_t>(in.number(1));
  policy.salt = in.array<16>();
  for (unsigned i = 0; i < policy.shares; ++i) policy.hashes.push_back(in.array<32>());
  if (!in.finished() || policy.threshold == 0 || policy.threshold > policy.shares)
    return damaged("the policy of the shares");
  return policy;
}

Bytes StoreDescription::serialize() const {
  Writer out;
  out.number(kStoreFormat, 1);
  out.raw(id);
  out.number(static_cast<std::uint64_t>(created.ns), 8);
  out.text(cluster_name, 2);
  out.text(cluster_id, 1);
  return out.take_public();
}

Result<StoreDescription> StoreDescription::deserialize(ByteView bytes) {
  Reader in(bytes);
  if (in.number(1) != kStoreFormat)
    return damaged("the store's description (or a newer version wrote it)");
  StoreDescription store;
  store.id = in.array<16>();
  store.created = {static_cast<std::int64_t>(in.number(8))};
  store.cluster_name = in.text(2, 1024);
  store.cluster_id = in.text(1, 64);
  if (!in.finished()) return damaged("the store's description");
  return store;
}

}  // namespace leasehold::seal
