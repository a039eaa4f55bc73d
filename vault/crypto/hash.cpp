// OpenSSL marks the plain SHA256_CTX calls deprecated; they are the ones whose state can be copied
// without an allocation, which makes a MAC of a short value two blocks.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vault/crypto/hash.h"

#include <openssl/sha.h>
#include <sodium.h>

#include <algorithm>

namespace leasehold::crypto {
namespace {

constexpr std::size_t kBlockSize = 64;
using StateBytes = std::array<std::uint8_t, 128>;
static_assert(sizeof(SHA256_CTX) <= sizeof(StateBytes), "the header's room must hold a state");
static_assert(alignof(SHA256_CTX) <= 8 && std::is_trivially_copyable_v<SHA256_CTX>);

// A copy of a state, wiped when it goes: under HMAC it is key material.
class State {
 public:
  State() { SHA256_Init(&context_); }
  explicit State(const StateBytes& from) { std::memcpy(&context_, from.data(), sizeof context_); }
  ~State() { wipe(&context_, sizeof context_); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  void update(ByteView bytes) {
    if (!bytes.empty()) SHA256_Update(&context_, bytes.data(), bytes.size());
  }
  Digest finish() {
    Digest digest;
    SHA256_Final(digest.data(), &context_);
    return digest;
  }
  void save(StateBytes& to) const { std::memcpy(to.data(), &context_, sizeof context_); }

 private:
  SHA256_CTX context_;
};

void save_padded(ByteView block, std::uint8_t pad, StateBytes& to) {
  std::array<std::uint8_t, kBlockSize> padded;
  std::transform(block.begin(), block.end(), padded.begin(),
                 [pad](std::uint8_t byte) { return static_cast<std::uint8_t>(byte ^ pad); });
  State state;
  state.update(padded);
  state.save(to);
  wipe(padded.data(), padded.size());
}

}  // namespace

Digest sha256(ByteView a, ByteView b, ByteView c) {
  State state;
  for (const ByteView part : {a, b, c}) state.update(part);
  return state.finish();
}

Sha256::Sha256() : state_{} { State().save(state_); }

void Sha256::update(ByteView bytes) {
  State state(state_);
  state.update(bytes);
  state.save(state_);
}

Digest Sha256::finish() { return State(state_).finish(); }

HmacKey::HmacKey(ByteView key) : inner_{}, outer_{} {
  std::array<std::uint8_t, kBlockSize> block{};
  if (key.size() > kBlockSize) {
    Digest digest = sha256(key);
    std::copy(digest.begin(), digest.end(), block.begin());
    wipe(digest.data(), digest.size());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }
  save_padded(block, 0x36, inner_);
  save_padded(block, 0x5c, outer_);
  wipe(block.data(), block.size());
}

HmacKey::~HmacKey() {
  wipe(inner_.data(), inner_.size());
  wipe(outer_.data(), outer_.size());
}

Digest HmacKey::mac(ByteView a, ByteView b, ByteView c, ByteView d) const {
  State inner(inner_);
  for (const ByteView part : {a, b, c, d}) inner.update(part);
  const Digest digest = inner.finish();
  State outer(outer_);
  outer.update(digest);
  return outer.finish();
}

void blake2b(ByteView key, std::span<std::uint8_t> out, ByteView a, ByteView b, ByteView c) {
  VAULT_ASSERT(out.size() >= crypto_generichash_BYTES_MIN);
  VAULT_ASSERT(out.size() <= crypto_generichash_BYTES_MAX);
  VAULT_ASSERT(key.size() <= crypto_generichash_KEYBYTES_MAX);
  crypto_generichash_state state;
  crypto_generichash_init(&state, key.data(), key.size(), out.size());
  for (const ByteView part : {a, b, c}) crypto_generichash_update(&state, part.data(), part.size());
  crypto_generichash_final(&state, out.data(), out.size());
  wipe(&state, sizeof state);
}

SecretBytes hkdf(ByteView key, ByteView salt, std::string_view info, std::size_t size) {
  VAULT_ASSERT(size <= 255 * std::tuple_size_v<Digest>);
  Digest extracted = HmacKey(salt).mac(key);
  const HmacKey expand(extracted);
  wipe(extracted.data(), extracted.size());
  SecretBytes out;
  out.reserve(size);
  Digest block{};
  for (std::uint8_t counter = 1; out.size() < size; ++counter) {
    const ByteView previous(block.data(), counter == 1 ? 0 : block.size());
    block = expand.mac(previous, as_bytes(info), {&counter, 1});
    out.append(ByteView(block).first(std::min(block.size(), size - out.size())));
  }
  wipe(block.data(), block.size());
  return out;
}

}  // namespace leasehold::crypto
