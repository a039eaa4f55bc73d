// sys/tools/random and sys/tools/hash.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

TEST_CASE("tools: random bytes, as many and in the form that is asked for") {
  TestVault vault;
  const auto size = [&](const std::string& path, const std::string& body) {
    const Answer answer = vault.post("sys/tools/" + path, vault.root(), body);
    REQUIRE(answer.status() == 200);
    const std::string text = answer.data().string_at("random_bytes");
    const auto bytes = body.find("hex") == body.npos ? from_base64(text) : from_hex(text);
    REQUIRE(bytes);
    return bytes->size();
  };
  CHECK(size("random", "{}") == 32);
  CHECK(size("random", R"({"bytes":5,"format":"hex"})") == 5);
  CHECK(size("random/17", "{}") == 17);
  CHECK(size("random/17", R"({"bytes":3})") == 17);
  CHECK(size("random/platform", R"({"bytes":3})") == 3);
  CHECK(size("random/all/131072", "{}") == 131072);
  const Answer sealed = vault.post("sys/tools/random/seal/4", vault.root());
  CHECK(sealed.status() == 200);
  CHECK(sealed.response().warnings.size() == 1);
  CHECK(vault.post("sys/tools/random", vault.root()).data().dump() !=
        vault.post("sys/tools/random", vault.root()).data().dump());
}

TEST_CASE("tools: what random cannot give is refused in words") {
  TestVault vault;
  const auto error = [&](const std::string& path, const std::string& body = "{}") {
    const Answer answer = vault.post("sys/tools/" + path, vault.root(), body);
    CHECK(answer.status() == 400);
    return answer.error();
  };
  CHECK(error("random/0") == "\"bytes\" cannot be less than 1");
  CHECK(error("random", R"({"bytes":-1})") == "\"bytes\" cannot be less than 1");
  CHECK(error("random/131073") == "\"bytes\" should be less than 131072");
  CHECK(error("random", R"({"format":"octal"})") ==
        R"(unsupported encoding format "octal"; must be "hex" or "base64")");
  CHECK(error("random/dice/4") ==
        R"(unsupported entropy source "dice"; must be "platform" or "seal", or "all")");
  CHECK(error("random/dice") ==
        "error parsing url-set byte count: strconv.Atoi: parsing \"dice\": invalid syntax");
  CHECK(vault.get("sys/tools/random", vault.root()).status() == 405);
}

TEST_CASE("tools: hashes of a known text") {
  TestVault vault;
  const auto sum = [&](const std::string& path, const std::string& more = {}) {
    const Answer answer = vault.post("sys/tools/" + path, vault.root(),
                                     R"({"input":"YWJj")" + more + "}");  // abc
    CHECK(answer.status() == 200);
    return answer.data().string_at("sum");
  };
  // FIPS 180-4 and FIPS 202, examples of NIST.
  const std::string sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  CHECK(sum("hash") == sha256);
  CHECK(sum("hash/sha2-256") == sha256);
  CHECK(sum("hash", R"(,"format":"base64")") == base64(*from_hex(sha256)));
  CHECK(sum("hash/sha2-224") == "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7");
  CHECK(sum("hash/sha2-384").starts_with("cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"));
  CHECK(sum("hash", R"(,"algorithm":"sha2-512")")
            .starts_with("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea2"));
  CHECK(sum("hash/sha3-256") == "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
  for (const char* name : {"sha3-224", "sha3-384", "sha3-512"})
    CHECK(!sum(std::string("hash/") + name).empty());
  const std::string empty = vault.post("sys/tools/hash", vault.root()).data().string_at("sum");
  CHECK(empty == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

  const auto error = [&](const std::string& path, const std::string& body) {
    const Answer answer = vault.post("sys/tools/" + path, vault.root(), body);
    CHECK(answer.status() == 400);
    return answer.error();
  };
  CHECK(error("hash", R"({"input":"!"})").starts_with("unable to decode input as base64: "));
  CHECK(error("hash/md5", R"({"input":""})") == "unsupported algorithm md5");
  CHECK(error("hash", R"({"format":"x"})") ==
        R"(unsupported encoding format x; must be "hex" or "base64")");
  // What is hashed is in nobody's log.
  const std::string token = vault.token(R"({"policies":["default"]})");
  CHECK(vault.post("sys/tools/hash", token, R"({"input":"c2VjcmV0LXRleHQ="})").status() == 200);
  CHECK(vault.world().audit_text().find("c2VjcmV0LXRleHQ=") == std::string::npos);
}
