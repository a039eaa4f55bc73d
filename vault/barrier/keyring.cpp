#include "vault/barrier/keyring.h"

#include "vault/barrier/format.h"

namespace leasehold::barrier {

namespace {

constexpr std::size_t kFixedSize = 1 + 4 + 2;
constexpr std::size_t kTermSize = 4 + crypto::kKeySize;
constexpr std::size_t kNamedKeys = 6;
constexpr std::size_t kTermsMax = 1024;

// The named keys in the order of the registry.
template <class Ring>
auto named(Ring& ring) {
  return std::array{&ring.index,       &ring.multiset,   &ring.token,
                    &ring.batch_token, &ring.audit_hmac, &ring.audit_sign};
}

void append_number(SecretBytes& to, std::uint64_t value, unsigned size) {
  std::uint8_t bytes[8];
  put_be(bytes, value, size);
  to.append({bytes, size});
}

Error damaged(const char* what) {
  return failure(Code::internal, "the key registry is damaged: restore a backup", what);
}

}  // namespace

KeyRing KeyRing::generate(Random& random) {
  KeyRing ring;
  random.fill(ring.data[ring.term].writable());
  for (crypto::Key* key : named(ring)) random.fill(key->writable());
  return ring;
}

KeyRing KeyRing::clone() const {
  KeyRing copy;
  copy.term = term;
  for (const auto& [number, key] : data) copy.data.emplace(number, key.clone());
  const auto from = named(*this);
  const auto to = named(copy);
  for (std::size_t i = 0; i < kNamedKeys; ++i) *to[i] = from[i]->clone();
  return copy;
}

SecretBytes KeyRing::serialize() const {
  VAULT_ASSERT(data.size() <= kTermsMax && data.count(term) == 1);
  SecretBytes out;
  out.reserve(kFixedSize + data.size() * kTermSize + kNamedKeys * crypto::kKeySize);
  append_number(out, kRegistryFormat, 1);
  append_number(out, term, 4);
  append_number(out, data.size(), 2);
  for (const auto& [number, key] : data) {
    append_number(out, number, 4);
    out.append(key.reveal());
  }
  for (const crypto::Key* key : named(*this)) out.append(key->reveal());
  return out;
}

Result<KeyRing> KeyRing::deserialize(ByteView bytes) {
  if (bytes.size() < kFixedSize) return damaged("too short");
  if (bytes[0] > kRegistryFormat)
    return failure(Code::internal, "the key registry was written by a newer version: upgrade");
  if (bytes[0] != kRegistryFormat) return damaged("unknown format");
  KeyRing ring;
  ring.term = static_cast<std::uint32_t>(get_be(&bytes[1], 4));
  const std::size_t count = get_be(&bytes[5], 2);
  if (count == 0 || count > kTermsMax) return damaged("number of terms");
  if (bytes.size() != kFixedSize + count * kTermSize + kNamedKeys * crypto::kKeySize)
    return damaged("size");
  const std::uint8_t* at = bytes.data() + kFixedSize;
  for (std::size_t i = 0; i < count; ++i, at += kTermSize) {
    const auto number = static_cast<std::uint32_t>(get_be(at, 4));
    // One form for one ring: terms rise.
    if (!ring.data.empty() && number <= ring.data.rbegin()->first)
      return damaged("the terms are not in order");
    ring.data.emplace(number, crypto::Key({at + 4, crypto::kKeySize}));
  }
  if (ring.data.count(ring.term) == 0) return damaged("the newest term has no key");
  for (crypto::Key* key : named(ring)) {
    *key = crypto::Key({at, crypto::kKeySize});
    at += crypto::kKeySize;
  }
  return ring;
}

}  // namespace leasehold::barrier
