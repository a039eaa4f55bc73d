#include "vault/crypto/hash.h"

#include <doctest/doctest.h>

#include <thread>

#include "tests/crypto/vectors.h"

namespace leasehold::crypto {
namespace {

using testing::counting;
using testing::from_vector;
using testing::repeated;

// Source: FIPS 180-4 example values (NIST, "Cryptographic Standards: Examples", SHA-256).
TEST_CASE("sha-256: the examples of FIPS 180-4 hold") {
  CHECK(hex(sha256({})) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(hex(sha256(as_bytes("abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(sha256(as_bytes("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))) ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(hex(sha256(repeated('a', 1'000'000))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("sha-256: parts and a stream give the hash of the whole") {
  const Bytes whole = counting(0, 200);
  const ByteView view(whole);
  CHECK(sha256(view.first(1), view.subspan(1, 63), view.subspan(64)) == sha256(view));
  for (std::size_t step = 1; step < 130; ++step) {
    Sha256 stream;
    for (std::size_t at = 0; at < view.size(); at += step)
      stream.update(view.subspan(at, std::min(step, view.size() - at)));
    CHECK(stream.finish() == sha256(view));
  }
}

struct MacVector {
  Bytes key;
  Bytes data;
  const char* mac;
};

// Source: RFC 4231, sections 4.2 to 4.8 (case 5 is of a truncated output and left out).
TEST_CASE("hmac: the vectors of RFC 4231 hold") {
  const MacVector vectors[] = {
      {repeated(0x0b, 20), to_bytes(as_bytes("Hi There")),
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {to_bytes(as_bytes("Jefe")), to_bytes(as_bytes("what do ya want for nothing?")),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {repeated(0xaa, 20), repeated(0xdd, 50),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {counting(1, 25), repeated(0xcd, 50),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {repeated(0xaa, 131),
       to_bytes(as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {repeated(0xaa, 131),
       to_bytes(as_bytes("This is a test using a larger than block-size key and a larger than "
                         "block-size data. The key needs to be hashed before being used by the "
                         "HMAC algorithm.")),
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const MacVector& vector : vectors)
    CHECK(hex(HmacKey(vector.key).mac(vector.data)) == vector.mac);
}

TEST_CASE("hmac: parts give the mac of the whole, from several threads at once") {
  const HmacKey key(counting(0, 32));
  const Bytes data = counting(0, 100);
  const ByteView view(data);
  const Digest expected = key.mac(view);
  CHECK(key.mac(view.first(10), view.subspan(10, 20), view.subspan(30, 1), view.subspan(31)) ==
        expected);
  Digest found[4];
  std::vector<std::thread> threads;
  for (Digest& one : found) {
    threads.emplace_back([&one, &key, view] {
      for (int i = 0; i < 200; ++i) one = key.mac(view);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Digest& one : found) CHECK(one == expected);
}

// Source: RFC 5869, appendices A.1 to A.3.
TEST_CASE("hkdf: the vectors of RFC 5869 hold") {
  const auto derived = [](const Bytes& key, const Bytes& salt, const Bytes& info,
                          std::size_t size) {
    return hex(hkdf(key, salt, as_text(info), size).reveal());
  };
  CHECK(derived(repeated(0x0b, 22), counting(0, 13), counting(0xf0, 10), 42) ==
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  CHECK(derived(counting(0, 80), counting(0x60, 80), counting(0xb0, 80), 82) ==
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e"
        "590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  CHECK(derived(repeated(0x0b, 22), {}, {}, 42) ==
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

// Source: RFC 7693, appendix A; and blake2b-kat.txt of the BLAKE2 authors, inputs of 0 and 255
// bytes.
TEST_CASE("blake2b: the vectors of RFC 7693 and of the keyed reference file hold") {
  std::array<std::uint8_t, 64> out{};
  blake2b({}, out, as_bytes("abc"));
  CHECK(hex(out) ==
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923");
  const Bytes key = counting(0, 64);
  blake2b(key, out, {});
  CHECK(hex(out) ==
        "10ebb67700b1868efb4417987acf4690ae9d972fb7a590c2f02871799aaa4786"
        "b5e996e8f0f4eb981fc214b005f42d2ff4233499391653df7aefcbc13fc51568");
  const Bytes input = counting(0, 255);
  const ByteView view(input);
  blake2b(key, out, view.first(100), view.subspan(100, 28), view.subspan(128));
  CHECK(hex(out) ==
        "142709d62e28fcccd0af97fad0f8465b971e82201dc51070faa0372aa43e9248"
        "4be1c1e73ba10906d5d1853db6a4106e0a7bf9800d373d6dee2d46d62ef2a461");
}

}  // namespace
}  // namespace leasehold::crypto
