#include "vault/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <thread>

#include "tests/support/seeded_random.h"
#include "vault/base/encoding.h"

namespace leasehold {
namespace {

// Hands out one byte value for ever.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(std::uint8_t byte) : byte_(byte) {}
  void fill(std::span<std::uint8_t> out) override { std::fill(out.begin(), out.end(), byte_); }

 private:
  std::uint8_t byte_;
};

TEST_CASE("random: no nonce comes twice, across pool refills and threads") {
  std::set<std::string> seen[2];
  const auto draw = [](std::set<std::string>& into) {
    SystemRandom random;
    for (int i = 0; i < 2000; ++i) into.insert(hex(random.take<24>()));
  };
  std::thread other(draw, std::ref(seen[1]));
  draw(seen[0]);
  other.join();
  seen[0].insert(seen[1].begin(), seen[1].end());
  CHECK(seen[0].size() == 4000);
}

TEST_CASE("random: every size is filled, also beyond the pool") {
  SystemRandom random;
  random.fill({});
  for (const std::size_t size : {1u, 1023u, 1024u, 1025u, 4096u, 100000u}) {
    Bytes bytes(size + 64);
    random.fill({bytes.data(), size});
    if (size >= 1023) {
      CHECK(std::count(bytes.begin(), bytes.begin() + static_cast<long>(size), 0) < long(size) / 8);
    }
    CHECK(std::count(bytes.begin() + static_cast<long>(size), bytes.end(), 0) == 64);
  }
}

TEST_CASE("random: a uuid carries version 4 and the RFC 9562 variant") {
  ConstantRandom ones(0xff);
  CHECK(uuid(ones) == "ffffffff-ffff-4fff-bfff-ffffffffffff");
  ConstantRandom zeros(0);
  CHECK(uuid(zeros) == "00000000-0000-4000-8000-000000000000");
}

TEST_CASE("random: base62 text has its length and only its digits, each about as often") {
  testing::SeededRandom random;
  const std::string text = base62_text(random, 62000);
  CHECK(text.size() == 62000);
  std::array<int, 256> counts{};
  for (const char c : text) ++counts[static_cast<unsigned char>(c)];
  int digits = 0;
  for (int c = 0; c < 256; ++c) {
    const auto at = static_cast<std::size_t>(c);
    if (counts[at] == 0) continue;
    ++digits;
    CHECK(std::isalnum(c));
    CHECK(counts[at] > 800);
    CHECK(counts[at] < 1200);
  }
  CHECK(digits == 62);
  CHECK(base62_text(random, 0).empty());
}

}  // namespace
}  // namespace leasehold
