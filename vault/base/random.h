#pragma once
// Randomness comes in through `Random&`. The server knows only `SystemRandom`; `SeededRandom` lives
// under tests/, so the server cannot link it. Thread-safe.

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "vault/base/bytes.h"

namespace leasehold {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  template <std::size_t N>
  std::array<std::uint8_t, N> take() {
    std::array<std::uint8_t, N> bytes;
    fill(bytes);
    return bytes;
  }
};

// libsodium's generator behind a per-thread pool that wipes what it hands out.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

// RFC 9562 version 4, lower case.
std::string uuid(Random& random);
// `length` characters of [0-9A-Za-z], each uniform.
std::string base62_text(Random& random, std::size_t length);

}  // namespace leasehold
