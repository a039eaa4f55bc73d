// sys/policies/password: what generated passwords look like, and how likely each of them is.

#include <doctest/doctest.h>

#include <map>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"
#include "vault/policy/password_policy.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr const char* kPath = "sys/policies/password";
std::string at(const std::string& name) { return std::string(kPath) + "/" + name; }
std::string body_of(const std::string& policy) {
  return Json::object().set("policy", policy).dump();
}
constexpr const char* kDigits =
    "length = 12\nrule \"charset\" {\n  charset = \"abcd\"\n  min-chars = 2\n}\n"
    "rule \"charset\" {\n  charset = \"0123456789\"\n  min-chars = 3\n}\n";

Result<policy::PasswordPolicy> parse(std::string_view text) {
  return policy::parse_password_policy(text);
}
std::string problem(std::string_view text) {
  const auto parsed = parse(text);
  return parsed.ok() ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("password policies: written, listed, read as they were written, deleted") {
  TestVault vault;
  CHECK(vault.list(kPath, vault.root()).status() == 404);
  const Answer none = vault.get(at("b"), vault.root());
  CHECK(none.status() == 404);
  CHECK(none.error() == "1 error occurred:\n\t* policy does not exist\n\n");
  CHECK(vault.post(at("b"), vault.root(), body_of(kDigits)).status() == 204);
  CHECK(vault.post(at("a"), vault.root(), body_of(base64(as_bytes(kDigits)))).status() == 204);
  CHECK(vault.list(kPath, vault.root()).data().dump() == R"({"keys":["a","b"]})");
  for (const char* name : {"a", "b"})
    CHECK(vault.get(at(name), vault.root()).data().string_at("policy") == kDigits);
  CHECK(vault.remove(at("a"), vault.root()).status() == 204);
  const Answer again = vault.remove(at("a"), vault.root());
  CHECK(again.status() == 204);
  CHECK(again.response().quiet_warnings.size() == 1);
  CHECK(vault.get(at("a"), vault.root()).status() == 404);
  CHECK(vault.list("sys/policies/acl", vault.root()).data().dump() ==
        R"({"keys":["default","root"]})");  // the other kind
  CHECK(vault.verifies());
}

TEST_CASE("password policies: a generated password follows the rules") {
  TestVault vault;
  REQUIRE(vault.post(at("app"), vault.root(), body_of(kDigits)).status() == 204);
  std::string before;
  for (int i = 0; i < 50; ++i) {
    const Answer answer = vault.get(at("app/generate"), vault.root());
    REQUIRE(answer.status() == 200);
    const std::string password = answer.data().string_at("password");
    CHECK(password.size() == 12);
    CHECK(password.find_first_not_of("abcd0123456789") == std::string::npos);
    const auto letters = std::count_if(password.begin(), password.end(),
                                       [](char c) { return c >= 'a' && c <= 'd'; });
    CHECK(letters >= 2);
    CHECK(letters <= 9);
    CHECK(password != before);
    before = password;
  }
  const Answer none = vault.get(at("other/generate"), vault.root());
  CHECK(none.status() == 404);
  CHECK(none.error() == "1 error occurred:\n\t* policy does not exist\n\n");
  CHECK(vault.post(at("app/generate"), vault.root()).status() == 405);
}

TEST_CASE("password policies: who may generate need not read, and the other way round") {
  TestVault vault;
  REQUIRE(vault.post(at("app"), vault.root(), body_of(kDigits)).status() == 204);
  vault.policy("maker", R"(path "sys/policies/password/+/generate" { capabilities = ["read"] })");
  const std::string maker = vault.token(R"({"policies":["maker"]})");
  CHECK(vault.get(at("app/generate"), maker).status() == 200);
  CHECK(vault.get(at("app"), maker).status() == 403);
  CHECK(vault.post(at("app"), maker, body_of(kDigits)).status() == 403);
}

TEST_CASE("password policies: what cannot be meant is refused") {
  CHECK(problem("") == "length must be > 0");
  CHECK(problem("length = 20") == "no charset specified");
  CHECK(problem("length = \"20\"").starts_with("line 1: length must be a whole number"));
  CHECK(problem(R"(length = 3 rule "charset" { charset = "ab" })") ==
        "passwords must be between 4 and 100 characters");
  CHECK(problem(R"(length = 101 rule "charset" { charset = "ab" })") ==
        "passwords must be between 4 and 100 characters");
  CHECK(problem(R"(length = 5 rule "charset" { charset = "ab" min-chars = 6 })") ==
        "specified rules require at least 6 characters but 5 is specified");
  CHECK(problem(R"(length = 5 rule "charset" { charset = "ab" min-chars = 9223372036854775807 }
                   rule "charset" { charset = "cd" min-chars = 9223372036854775807 })")
            .starts_with("specified rules require at least"));
  CHECK(problem(R"(length = 8 rule "charset" { charset = "a\nb" })").find("non-printable") !=
        std::string::npos);
  CHECK(problem("length = 8 rule \"charset\" { charset = \"a\xff\" }").find("non-printable") !=
        std::string::npos);
  CHECK(problem(R"(length = 8 rule "words" { charset = "ab" })").find("rule words") !=
        std::string::npos);
  CHECK(problem("length = 8 rules { }").find("rules is no part") != std::string::npos);
  CHECK_FALSE(problem("length = ").empty());
  CHECK_FALSE(problem(std::string(70'000, '#')).empty());
  std::string many = "length = 8 rule \"charset\" { charset = \"";
  for (int i = 0; i < 300; ++i)
    many += {static_cast<char>(0xc4 + i / 64), static_cast<char>(0x80 + i % 64)};
  CHECK(problem(many + "\" }").starts_with("charset is too long"));
  const auto parsed = parse(R"(length = 8 rule "charset" { charset = "ab" min_chars = 3 })");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->warnings.size() == 1);  // as the reference takes it, but told
  CHECK(parsed->warnings[0].find("min_chars has no effect") != std::string::npos);

  TestVault vault;
  const Answer empty = vault.post(at("x"), vault.root(), "{}");
  CHECK(empty.status() == 400);
  CHECK(empty.error() == "1 error occurred:\n\t* missing policy\n\n");
  const Answer bad = vault.post(at("x"), vault.root(), body_of("length = 20"));
  CHECK(bad.status() == 400);
  CHECK(bad.error() == "1 error occurred:\n\t* invalid password policy: no charset specified\n\n");
  // Two sets that exclude each other: one of 2^100 texts.
  const Answer impossible = vault.post(
      at("x"), vault.root(), body_of(R"(length = 100 rule "charset" { charset = "a" min-chars = 99 }
                 rule "charset" { charset = "bcdefghijklmnop" min-chars = 1 })"));
  CHECK(impossible.status() == 400);
  CHECK(impossible.error().find("are the rules impossible?") != std::string::npos);
  CHECK(vault.list(kPath, vault.root()).status() == 404);
}

TEST_CASE("password policies: json says the same, and characters beyond ASCII count as one") {
  const auto policy = parse(
      R"({"length":6,"rule":[{"charset":{"charset":"äöü","min-chars":1}},{"charset":{"charset":"xy"}}]})");
  REQUIRE(policy.ok());
  testing::SeededRandom random(7);
  const auto password = policy->generate(random);
  REQUIRE(password.ok());
  const std::string_view text = as_text(password->reveal());
  const auto characters =
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; });
  CHECK(characters == 6);
  CHECK(text.size() > 6);
}

TEST_CASE("password policies: every password that follows the rules is equally likely") {
  const auto policy = parse(
      R"(length = 4 rule "charset" { charset = "ab" } rule "charset" { charset = "c" min-chars = 1 })");
  REQUIRE(policy.ok());
  testing::SeededRandom random(11);
  std::map<std::string, int> seen;
  constexpr int kDraws = 65'000, kPossible = 81 - 16;
  for (int i = 0; i < kDraws; ++i) {
    const auto password = policy->generate(random);
    REQUIRE(password.ok());
    ++seen[std::string(as_text(password->reveal()))];
  }
  CHECK(seen.size() == kPossible);
  double chi = 0;
  const double expected = double{kDraws} / kPossible;
  for (const auto& one : seen) chi += (one.second - expected) * (one.second - expected) / expected;
  CHECK(chi < 110);  // 64 degrees of freedom: 99.97 %
}
