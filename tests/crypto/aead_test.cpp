#include "vault/crypto/aead.h"

#include <doctest/doctest.h>

#include "tests/crypto/vectors.h"
#include "tests/support/seeded_random.h"

namespace leasehold::crypto {
namespace {

using testing::counting;
using testing::from_vector;

// Source: draft-irtf-cfrg-xchacha-03, appendix A.3.1.
constexpr std::string_view kPlain =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
    "sunscreen would be it.";
constexpr std::string_view kSealed =
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e"
    "39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3"
    "fff921f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49";
constexpr std::string_view kAad = "50515253c0c1c2c3c4c5c6c7";

// The nonce of the vector, in place of a random one.
class VectorNonce final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    VAULT_ASSERT(out.size() == kNonceSize);
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint8_t>(0x40 + i);
  }
};

TEST_CASE("aead: the vector of the XChaCha draft holds in both directions") {
  const Bytes key = counting(0x80, 32);
  Bytes expected = counting(0x40, 24);
  append(expected, from_vector(kSealed));

  VectorNonce nonce;
  Bytes out;
  seal(key, as_bytes(kPlain), from_vector(kAad), nonce, out);
  CHECK(hex(out) == hex(expected));

  const auto opened = open(key, expected, from_vector(kAad));
  REQUIRE(opened.ok());
  CHECK(as_text(opened->reveal()) == kPlain);
}

TEST_CASE("aead: sealing appends, and every size opens again") {
  testing::SeededRandom random;
  const Bytes key = counting(1, 32);
  for (const std::size_t size : {0u, 1u, 63u, 64u, 65u, 5000u}) {
    Bytes plain(size);
    random.fill(plain);
    Bytes out{1, 2, 3};
    seal(key, plain, as_bytes("place"), random, out);
    CHECK(out.size() == 3 + kBoxOverhead + size);
    const auto opened = open(key, ByteView(out).subspan(3), as_bytes("place"));
    REQUIRE(opened.ok());
    CHECK(equal_constant_time(opened->reveal(), plain));
  }
}

TEST_CASE("aead: a changed bit anywhere, another key or another place does not open") {
  testing::SeededRandom random;
  const Bytes key = counting(1, 32);
  Bytes box;
  seal(key, as_bytes("value"), as_bytes("place"), random, box);
  for (std::size_t bit = 0; bit < box.size() * 8; ++bit) {
    Bytes changed = box;
    changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    CHECK(open(key, changed, as_bytes("place")).is(Code::invalid));
  }
  CHECK(open(counting(2, 32), box, as_bytes("place")).is(Code::invalid));
  CHECK(open(key, box, as_bytes("elsewhere")).is(Code::invalid));
  for (std::size_t size = 0; size < box.size(); ++size)
    CHECK(open(key, ByteView(box).first(size), as_bytes("place")).is(Code::invalid));
}

}  // namespace
}  // namespace leasehold::crypto
