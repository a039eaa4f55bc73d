#include "vault/base/encoding.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"

namespace leasehold {
namespace {

struct Vector {
  const char* plain;
  const char* base64;
  const char* hex;
};
// Source: RFC 4648, section 10.
constexpr Vector kVectors[] = {
    {"", "", ""},
    {"f", "Zg==", "66"},
    {"fo", "Zm8=", "666f"},
    {"foo", "Zm9v", "666f6f"},
    {"foob", "Zm9vYg==", "666f6f62"},
    {"fooba", "Zm9vYmE=", "666f6f6261"},
    {"foobar", "Zm9vYmFy", "666f6f626172"},
};

TEST_CASE("encoding: the vectors of RFC 4648 hold in both directions") {
  for (const Vector& vector : kVectors) {
    CAPTURE(vector.plain);
    CHECK(base64(as_bytes(vector.plain)) == vector.base64);
    CHECK(hex(as_bytes(vector.plain)) == vector.hex);
    CHECK(as_text(from_base64(vector.base64).value()) == vector.plain);
    CHECK(as_text(from_hex(vector.hex).value()) == vector.plain);
  }
}

TEST_CASE("encoding: every byte survives hex and base64, at every length") {
  testing::SeededRandom random;
  for (std::size_t size = 0; size < 300; ++size) {
    Bytes bytes(size);
    random.fill(bytes);
    CHECK(from_hex(hex(bytes)) == bytes);
    CHECK(from_base64(base64(bytes)) == bytes);
  }
}

TEST_CASE("encoding: all 64 digits of base64 stand in their place") {
  Bytes bytes;
  for (unsigned i = 0; i < 64; i += 4)
    append_be(bytes, i << 18 | (i + 1) << 12 | (i + 2) << 6 | (i + 3), 3);
  CHECK(base64(bytes) == "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
}

TEST_CASE("encoding: hex is read in either case, and nothing else is hex") {
  CHECK(from_hex("DEADbeef") == Bytes{0xde, 0xad, 0xbe, 0xef});
  for (const char* text :
       {"a", "0g", "g0", "0x10", " 00", "00 ", "0/", "0:", "0@", "0`", "\xff\xff"})
    CHECK_FALSE(from_hex(text).has_value());
}

TEST_CASE("encoding: hex for an array is as long as the array") {
  using Pair = std::array<std::uint8_t, 2>;
  CHECK(array_from_hex<Pair>("beef") == Pair{0xbe, 0xef});
  for (const char* text : {"", "be", "bee", "beef00", "beeg"})
    CHECK_FALSE(array_from_hex<Pair>(text).has_value());
}

TEST_CASE("encoding: base64 that is not exactly what we would write is refused") {
  for (const char* text : {"Zg", "Zg=", "Zg===", "Z===", "====", "Zh==", "Zm9=", "Zm9v=", "Zm 9v",
                           "Zm9v\n", "Zm9-", "Zg==Zg==", "=Zg=", "\xff\xff\xff\xff"}) {
    CAPTURE(text);
    CHECK_FALSE(from_base64(text).has_value());
  }
}

TEST_CASE("encoding: base62 keeps the order of bytes") {
  testing::SeededRandom random;
  for (int i = 0; i < 200; ++i) {
    const auto a = random.take<18>();
    const auto b = random.take<18>();
    const std::string text_a = base62(a, 25);
    const std::string text_b = base62(b, 25);
    CHECK((compare(a, b) < 0) == (text_a < text_b));
    CHECK(from_base62(text_a, 18) == to_bytes(a));
  }
}

TEST_CASE("encoding: base62 has its width, and numbers too large for the size are refused") {
  CHECK(base62(Bytes{0}, 3) == "000");
  CHECK(base62(Bytes{61}, 2) == "0z");
  CHECK(base62(Bytes{62}, 2) == "10");
  CHECK(from_base62("10", 1) == Bytes{62});
  CHECK_FALSE(from_base62("zz", 1).has_value());
  CHECK_FALSE(from_base62("1-", 1).has_value());
  CHECK(from_base62("", 2) == Bytes{0, 0});
  // 2^32 - 1 and 2^32, 2^40 - 1 and 2^40: the edges of a limb and of a size between limbs.
  CHECK(base62(Bytes{0xff, 0xff, 0xff, 0xff}, 6) == "4gfFC3");
  CHECK(from_base62("4gfFC3", 4) == Bytes{0xff, 0xff, 0xff, 0xff});
  CHECK_FALSE(from_base62("4gfFC4", 4).has_value());
  CHECK(from_base62("4gfFC4", 5) == Bytes{1, 0, 0, 0, 0});
  CHECK(base62(Bytes{0xff, 0xff, 0xff, 0xff, 0xff}, 7) == "JMAIjoV");
  CHECK_FALSE(from_base62("JMAIjoW", 5).has_value());
}

TEST_CASE("encoding: secrets become the same text, in wiped memory") {
  CHECK(as_text(hex_secret(as_bytes("foobar")).reveal()) == "666f6f626172");
  CHECK(as_text(base64_secret(as_bytes("fooba")).reveal()) == "Zm9vYmE=");
}

}  // namespace
}  // namespace leasehold
