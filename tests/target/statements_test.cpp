#include "backends/target/statements.h"

#include <doctest/doctest.h>

#include "backends/target/postgresql_session.h"
#include "backends/target/scram.h"
#include "tests/support/seeded_random.h"
#include "vault/base/encoding.h"
#include "vault/target/target.h"

namespace leasehold::postgresql {
namespace {

TEST_CASE("statements: every mark is replaced, and what looks like one is left") {
  CHECK(render({"{{name}} {{username}} '{{password}}' {{expiration}}"}, {"n", "p", "e"}) ==
        "n n 'p' e\n;\n");
  CHECK(render({"{{{name}}} {{ name }} {{other}} {{", "b"}, {"n", "p", "e"}) ==
        "{n} {{ name }} {{other}} {{\n;\nb\n;\n");
  CHECK(render({"{{name}}"}, {"{{password}}", "p", "e"}) == "{{password}}\n;\n");
}

TEST_CASE("statements: a value that could leave its quotes is told apart") {
  CHECK(stays_quoted("v-abc123-ro-0123"));
  CHECK(stays_quoted("aB3-xyz_.:/+=@%"));
  for (const char* bad :
       {"", "a'b", "a\"b", "a\\b", "a;b", "a$b", "a`b", "a b", "a\nb", "\xc3\xb6"})
    CHECK_FALSE(stays_quoted(bad));
}

TEST_CASE("statements: an expiration is written as PostgreSQL reads it, in UTC") {
  CHECK(expiration_text({0}) == "1970-01-01 00:00:00+0000");
  CHECK(expiration_text({1'800'000'000'999'999'999}) == "2027-01-15 08:00:00+0000");
  CHECK(expiration_text(kEndOfTime) == "2262-04-11 23:47:16+0000");
}

TEST_CASE("statements: names and texts of a catalog stay inside their quotes") {
  CHECK(quote_identifier("a\"b") == "\"a\"\"b\"");
  CHECK(quote_literal("a'b") == "'a''b'");
  CHECK(quote_literal("a\\'b") == " E'a\\\\''b'");
}

TEST_CASE("scram: the verifier of RFC 7677's example") {
  const auto salt = from_base64("W22ZaJ0SNY7soEsUEjb6gQ==");
  const SecretBytes verifier = scram_verifier(SecretBytes("pencil"), *salt, 4096);
  // ServerKey yields the example's v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4= .
  CHECK(as_text(verifier.reveal()) ==
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
}

TEST_CASE("target: a generated password has all four kinds of characters and stays quoted") {
  testing::SeededRandom random;
  for (int i = 0; i < 500; ++i) {
    const SecretBytes secret = target::generate_password(random);
    const std::string_view password = as_text(secret.reveal());
    CHECK(password.size() == 20);
    CHECK(stays_quoted(password));
    CHECK(password.find_first_of("abcdefghijklmnopqrstuvwxyz") != password.npos);
    CHECK(password.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != password.npos);
    CHECK(password.find_first_of("0123456789") != password.npos);
    CHECK(password.find('-') != password.npos);
    CHECK(password.front() != '-');
  }
}

}  // namespace
}  // namespace leasehold::postgresql
