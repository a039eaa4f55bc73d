// username_template, as Vault's users write it.

#include "vault/target/name_template.h"

#include <doctest/doctest.h>

#include "tests/support/seeded_random.h"

namespace leasehold::target {
namespace {

constexpr WallTime kNow{1'700'000'000'123'000'000};

Result<std::string> made(const std::string& text, const std::string& display = "token-alice",
                         const std::string& role = "Read-Only") {
  testing::SeededRandom random(1);
  return name_from_template(text, {display, role}, kNow, random);
}
std::string name(const std::string& text) {
  const auto result = made(text);
  if (!result.ok()) MESSAGE(result.error().message);
  return result.ok() ? *result : std::string();
}
// Without the random end that every name must have.
std::string start(const std::string& text) {
  const std::string all = name(text + "/{{random 8}}");
  return all.substr(0, all.rfind('/'));
}

TEST_CASE("name template: fields, functions and pipelines") {
  CHECK(start("v-{{.DisplayName | truncate 8}}-{{ .RoleName }}-{{unix_time}}") ==
        "v-token-al-Read-Only-1700000000");
  CHECK(start("{{ uppercase .DisplayName }}{{.RoleName | lowercase | replace \"-\" \"_\"}}") ==
        "TOKEN-ALICEread_only");
  CHECK(start("{{ printf \"v_%s_%d%%\" (.RoleName | truncate 4) 7 }}") == "v_Read_7%");
  CHECK(start("{{ .RoleName | sha256 | truncate 6 }}{{base64 `a`}}").size() == 10);
  CHECK(start("{{truncate_sha256 9 `abcdefghijk`}}").size() == 9);
  CHECK(start("{{truncate_sha256 20 .RoleName}}") == "Read-Only");
  CHECK(start("{{timestamp \"2006-01-02T15:04:05\"}}") == "2023-11-14T22:13:20");
  CHECK(start("{{unix_time_millis}}") == "1700000000123");
  CHECK(start("a {{- \" b\" -}}   c") == "a bc");
  CHECK(name("{{uuid}}").size() == 36);
  CHECK(name("{{ printf \"v-%s-%s-%s-%s\" (.DisplayName | truncate 8) (.RoleName | truncate 8) "
             "(random 20) (unix_time) | truncate 63 }}")
            .rfind("v-token-al-Read-Onl-", 0) == 0);
}

TEST_CASE("name template: what does not make a lease's own names is refused") {
  for (const char* text :
       {"", "{{.RoleName}}-{{unix_time}}", "x{{random 7}}", "{{random 20}}{{.Nothing}}",
        "{{random 20 | truncate 5}}", "{{random 20}}{{upper `a`}}", "{{random 20", "{{random x}}",
        "{{random 99999999999999999999}}", "{{random 20}}{{\"open}}", "{{(random 20}}",
        "{{random 20}}{{printf \"%q\" `a`}}", "{{random 20}}{{printf \"%s\"}}", "{{}}",
        "{{random 20}}{{truncate 1}}", "{{random 20 20}}"}) {
    CAPTURE(text);
    const auto result = made(text);
    REQUIRE(result.is(Code::invalid));
    CHECK(result.error().message.rfind("username_template: ", 0) == 0);
  }
  CHECK_FALSE(made("{{" + std::string(300, '(') + "random 20" + std::string(300, ')') + "}}").ok());
  CHECK_FALSE(made("{{.DisplayName}}{{random 20}}{{`` }}" + std::string(5000, 'x')).ok());
  CHECK_FALSE(made("{{ printf \"%s%s\" .DisplayName (random 20) | truncate 20 }}",
                   "a-display-name-that-is-long")
                  .ok());
}

}  // namespace
}  // namespace leasehold::target
