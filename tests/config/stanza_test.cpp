#include "vault/base/stanza.h"

#include <doctest/doctest.h>

using leasehold::HclBody;
using leasehold::Seconds;
using leasehold::Stanza;

namespace {

Stanza stanza_of(std::string_view text) {
  auto body = leasehold::parse_hcl(text, {"seal"});
  REQUIRE_MESSAGE(body.ok(), body.error().message);
  REQUIRE(body->blocks.size() == 1);
  return Stanza("vault.hcl", body->blocks[0]);
}

}  // namespace

TEST_CASE("stanza: strings, numbers and booleans are interchangeable") {
  Stanza stanza = stanza_of(R"(seal "pkcs11" {
  slot = 5
  port = "8200"
  on   = "1"
  off  = 0
  wait = 90
  long = "1h30m"
})");
  CHECK(*stanza.text("slot") == "5");
  CHECK(*stanza.number("port", 0) == 8200);
  CHECK(*stanza.flag("on", false));
  CHECK_FALSE(*stanza.flag("off", true));
  CHECK(*stanza.duration("wait", Seconds{0}) == Seconds{90});
  CHECK(*stanza.duration("long", Seconds{0}) == Seconds{5400});
  CHECK(stanza.finish().ok());
}

TEST_CASE("stanza: an absent key reads as its fallback") {
  Stanza stanza = stanza_of("seal \"tpm\" {}");
  CHECK(*stanza.text("device", "/dev/tpmrm0") == "/dev/tpmrm0");
  CHECK(*stanza.flag("on", true));
  CHECK(*stanza.number("n", 7) == 7);
  CHECK(stanza.texts("pcrs")->empty());
  CHECK(stanza.require_text("device").error().message ==
        "vault.hcl:1:1: seal \"tpm\" needs \"device\"");
}

TEST_CASE("stanza: a list is a list or one comma-separated string") {
  Stanza stanza = stanza_of("seal \"x\" {\n a = [\"p\", \"q\"]\n b = \"p, q,\"\n c = [[1]]\n}");
  const std::vector<std::string> both = {"p", "q"};
  CHECK(*stanza.texts("a") == both);
  CHECK(*stanza.texts("b") == both);
  CHECK(stanza.texts("c")->empty());
  CHECK(stanza.finish().error().message == "vault.hcl:4:2: \"c\" must be a list of strings");
}

TEST_CASE("stanza: finish names the keys that nobody took, with line and column") {
  Stanza stanza = stanza_of("seal \"tpm\" {\n  device = \"x\"\n  devcie = \"y\"\n}");
  CHECK(stanza.text("device").ok());
  const auto finished = stanza.finish();
  REQUIRE_FALSE(finished.ok());
  CHECK(finished.error().message ==
        "vault.hcl:3:3: unknown key \"devcie\" in seal \"tpm\"; did you mean \"device\"?");
  CHECK(stanza_of("seal \"tpm\" { colour = 1 }").finish().error().message ==
        "vault.hcl:1:14: unknown key \"colour\" in seal \"tpm\"; remove it or correct its name");
}

TEST_CASE("stanza: a nested block and a map read alike") {
  for (const char* text :
       {"seal \"x\" { options { a = \"1\" } }", "seal \"x\" { options = { a = \"1\" } }"}) {
    CAPTURE(text);
    Stanza stanza = stanza_of(text);
    CHECK(*stanza.nested("options").text("a") == "1");
    CHECK(stanza.finish().ok());
    CHECK_FALSE(stanza.nested("absent").has("a"));
  }
}

TEST_CASE("stanza: ignored keys are taken and reported") {
  Stanza stanza = stanza_of("seal \"x\" {\n old = 1\n}");
  const auto warnings = stanza.ignore({"old", "older"});
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("vault.hcl:2:2: \"old\"") == 0);
  CHECK(stanza.finish().ok());
}

TEST_CASE("stanza: an error never repeats the value") {
  Stanza stanza = stanza_of("seal \"x\" { pin = \"1234\" }");
  CHECK(stanza.number("pin", 0).ok());
  Stanza other = stanza_of("seal \"x\" { pin = \"hunter2\" }");
  CHECK(*other.number("pin", 7) == 7);
  REQUIRE_FALSE(other.finish().ok());
  CHECK(other.finish().error().message.find("hunter2") == std::string::npos);
}

TEST_CASE("stanza: finish tells all that is wrong") {
  Stanza stanza = stanza_of("seal \"x\" {\n a = [1, [2]]\n  b = \"soon\"\n c = 1\n d { }\n}");
  CHECK(stanza.text("a", "fallback").value() == "fallback");
  CHECK(*stanza.duration("b", Seconds{5}) == Seconds{5});
  CHECK(stanza.finish().error().message ==
        "vault.hcl:2:2: \"a\" must be a string\n"
        "vault.hcl:3:3: \"b\" must be a duration such as 30s, 1h30m or 7d\n"
        "vault.hcl:4:2: unknown key \"c\" in seal \"x\"; remove it or correct its name\n"
        "vault.hcl:5:2: unknown key \"d\" in seal \"x\"; remove it or correct its name");
}
