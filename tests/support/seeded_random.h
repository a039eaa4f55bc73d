#pragma once
// A repeatable generator for tests. The server cannot link it: it lives here only.

#include "vault/base/random.h"

namespace leasehold::testing {

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed = 1) : state_(seed * 0x9E3779B97F4A7C15ULL + 1) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) {  // xorshift64*
      state_ ^= state_ >> 12;
      state_ ^= state_ << 25;
      state_ ^= state_ >> 27;
      byte = static_cast<std::uint8_t>((state_ * 0x2545F4914F6CDD1DULL) >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace leasehold::testing
