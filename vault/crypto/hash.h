#pragma once
// Hashes and MACs. SHA-256 and HMAC by OpenSSL (SHA-NI), keyed BLAKE2b (RFC 7693) by libsodium.
// `HmacKey` keeps the two padded states of RFC 2104, so that a MAC of a short value costs two
// blocks. Thread-safe: a HmacKey may be used from several threads at once.

#include <array>

#include "vault/base/bytes.h"

namespace leasehold::crypto {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(ByteView a, ByteView b = {}, ByteView c = {});

class Sha256 {  // streaming
 public:
  Sha256();
  void update(ByteView bytes);
  Digest finish();

 private:
  alignas(8) std::array<std::uint8_t, 128> state_;
};

class HmacKey {
 public:
  explicit HmacKey(ByteView key);
  ~HmacKey();
  HmacKey(const HmacKey&) = delete;
  HmacKey& operator=(const HmacKey&) = delete;
  Digest mac(ByteView a, ByteView b = {}, ByteView c = {}, ByteView d = {}) const;  // of a|b|c|d

 private:
  alignas(8) std::array<std::uint8_t, 128> inner_, outer_;
};

// Keyed BLAKE2b of a|b|c into `out` (16 to 64 bytes).
void blake2b(ByteView key, std::span<std::uint8_t> out, ByteView a, ByteView b = {},
             ByteView c = {});

// HKDF-SHA256 (RFC 5869): `info` is a context string with a named function where it is made.
SecretBytes hkdf(ByteView key, ByteView salt, std::string_view info, std::size_t size);

}  // namespace leasehold::crypto
