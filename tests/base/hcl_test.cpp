#include "vault/base/hcl.h"

#include <doctest/doctest.h>

#include "vault/base/hcl_cursor.h"

namespace leasehold {
namespace {

const std::vector<std::string> kTypes{"path", "listener", "storage", "options", "telemetry"};

HclBody parse(std::string_view text) {
  auto parsed = parse_hcl(text, kTypes);
  if (!parsed.ok()) FAIL(parsed.error().message);
  return std::move(parsed).value();
}

std::string error(std::string_view text) {
  const auto parsed = parse_hcl(text, kTypes);
  REQUIRE(parsed.is(Code::invalid));
  return parsed.error().message;
}

std::string value(std::string_view text) {
  const HclBody body = parse("x = " + std::string(text));
  REQUIRE(body.attributes.size() == 1);
  return body.attributes[0].value.dump();
}

TEST_CASE("hcl: a string takes the memory of a string, however long its line is") {
  const std::string text = "\"ab\\\"c\"" + std::string(1 << 16, ' ') + "\n";
  HclCursor cursor(text);
  const auto read = cursor.quoted();
  REQUIRE(read.ok());
  CHECK(*read == "ab\"c");
  CHECK(read->capacity() < 64);
}

TEST_CASE("hcl: signs of a word processor are named") {
  CHECK(error("x = \xe2\x80\x9ctext\xe2\x80\x9d") ==
        "line 1: expected a value here, and there is a typographic quote (U+201C): write \"");
  CHECK(error("path \xe2\x80\x9ckv\xe2\x80\x9d {}").find("U+201C") != std::string::npos);
  CHECK(error("x = \xe2\x80\x93"
              "1")
            .find("U+2013") != std::string::npos);
  CHECK(error("\xef\xbb\xbfx = 1").find("byte order mark") != std::string::npos);
  CHECK(error("x =\xc2\xa0"
              "1")
            .find("U+00A0") != std::string::npos);
  CHECK(error("x = 'text'").find("a single quote") != std::string::npos);
}

TEST_CASE("hcl: a policy reads as paths with capabilities") {
  const HclBody file = parse(R"(
# what the team may do
path "kv/team/*" {
  capabilities = ["read", "list",]  // a trailing comma
  min_wrapping_ttl = "1s"
}
path "kv/team/root" { capabilities = ["deny"] }
)");
  CHECK(file.attributes.empty());
  REQUIRE(file.blocks.size() == 2);
  CHECK(file.blocks[0].type == "path");
  CHECK(file.blocks[0].labels == std::vector<std::string>{"kv/team/*"});
  CHECK(file.blocks[0].line == 3);
  CHECK(file.blocks[0].body.find("capabilities")->value.dump() == R"(["read","list"])");
  CHECK(file.blocks[0].body.find("min_wrapping_ttl")->line == 5);
  CHECK(file.blocks[1].line == 7);
}

TEST_CASE("hcl: several attributes and map entries stand on one line, as they do in the field") {
  const HclBody file = parse(
      R"(path "x" { capabilities = ["create", "update"] allowed_parameters = { "color" = ["red", "blue"] "size" = [] } denied_parameters = { "secret" = [] } })");
  REQUIRE(file.blocks.size() == 1);
  const HclBody& body = file.blocks[0].body;
  REQUIRE(body.attributes.size() == 3);
  CHECK(body.find("allowed_parameters")->value.dump() == R"({"color":["red","blue"],"size":[]})");
  CHECK(body.find("denied_parameters")->value.dump() == R"({"secret":[]})");
}

TEST_CASE("hcl: map entries are separated by lines, commas or blanks") {
  const std::string expected = R"({"a":1,"b":{"c":[]}})";
  CHECK(value("{\n a = 1\n b = {\n c = []\n }\n}") == expected);
  CHECK(value("{ a = 1, b = { c = [], }, }") == expected);
  CHECK(value("{ \"a\" = 1 \"b\" { c = [\n] } }") == expected);
  CHECK(value("{}") == "{}");
}

TEST_CASE("hcl: a map entry may have labels, as a block has") {
  CHECK(value(R"({ factor "ops" { approvals = 1 } more "a" b { } })") ==
        R"({"factor":{"ops":{"approvals":1}},"more":{"a":{"b":{}}}})");
  CHECK(error("x = {\n  factor \"ops\" = 1\n}") == "line 2: expected `=` after a name");
  CHECK(error("x = {\n  factor \"ops\"\n}") == "line 2: expected `=` after a name");
}

TEST_CASE("hcl: blocks have no label, one or two, quoted or bare") {
  const HclBody file = parse(R"(
telemetry { disable_hostname = true }
listener "tcp" { address = "127.0.0.1:8200" }
audit "file" "to-disk" { options { file_path = "/tmp/a" } }
storage inmem {}
"quoted" "x" {}
)");
  REQUIRE(file.blocks.size() == 5);
  CHECK(file.blocks[0].labels.empty());
  CHECK(file.blocks[1].labels.size() == 1);
  CHECK(file.blocks[2].labels == std::vector<std::string>{"file", "to-disk"});
  REQUIRE(file.blocks[2].body.blocks.size() == 1);
  CHECK(file.blocks[2].body.blocks[0].type == "options");
  CHECK(file.blocks[3].labels == std::vector<std::string>{"inmem"});
  CHECK(file.blocks[4].type == "quoted");
}

TEST_CASE("hcl: a map assigned where a block is expected is that block") {
  const HclBody file = parse("options = { a = 1 }\nother = { a = 1 }");
  REQUIRE(file.blocks.size() == 1);
  CHECK(file.blocks[0].type == "options");
  CHECK(file.blocks[0].body.find("a")->value.integer() == 1);
  CHECK(file.find("other")->value.is_object());
}

TEST_CASE("hcl: a repeated name stands twice, and the last one is found") {
  const HclBody file = parse("a = 1\na = 2\nlog.level = 3");
  CHECK(file.attributes.size() == 3);
  CHECK(file.find("a")->value.integer() == 2);
  CHECK(file.find("a")->line == 2);
  CHECK(file.find("log.level") != nullptr);
  CHECK(file.find("b") == nullptr);
}

TEST_CASE("hcl: numbers keep their text, and other notations become decimal") {
  CHECK(value("12345678901234567890123") == "12345678901234567890123");
  CHECK(value("-1.50") == "-1.50");
  CHECK(value("1e-5") == "1e-5");
  CHECK(value("1e+5") == "1e+5");
  CHECK(value("0") == "0");
  CHECK(value("0x1F") == "31");
  CHECK(value("0755") == "493");
  CHECK(value("true") == "true");
  CHECK(value("false") == "false");
}

TEST_CASE("hcl: strings have escapes, and templates are left as they are") {
  CHECK(value(R"("a\"b\\c\n\t")") == R"("a\"b\\c\n\t")");
  CHECK(value(R"("\u00e9\x41\U0001F600")") ==
        "\"\xC3\xA9"
        "A\xF0\x9F\x98\x80\"");
  CHECK(value(R"("{{identity.entity.id}}/*")") == R"("{{identity.entity.id}}/*")");
  CHECK(value(R"("# no // comment /* here")") == R"("# no // comment /* here")");
}

TEST_CASE("hcl: a heredoc holds its lines, and the indented form loses the marker's indentation") {
  CHECK(value("<<EOF\none\n  two\nEOF\n") == R"("one\n  two\n")");
  CHECK(value("<<-EOF\n    one\n      two\n    EOF\n") == R"("one\n  two\n")");
  CHECK(value("<<-EOF\n  one\ntwo\n    EOF\n") == R"("  one\ntwo\n")");
  CHECK(value("<<EOF\nEOF") == R"("")");
  const HclBody file = parse("a = <<EOF\nx\nEOF\nb = 2\n");
  CHECK(file.find("b")->line == 4);
}

TEST_CASE("hcl: comments of all three kinds may stand anywhere between words") {
  const HclBody file = parse("/* a\n b */ a /* c */ = # d\n [ // e\n 1, /* f */ 2 ] # end");
  CHECK(file.find("a")->value.dump() == "[1,2]");
  CHECK(file.find("a")->line == 2);
  CHECK(parse("").attributes.empty());
  CHECK(parse("# only this").attributes.empty());
}

TEST_CASE("hcl: an error names the line") {
  CHECK(error("a = 1\nb = \"open\nc = 2") == "line 2: the string is not closed, add `\"`");
  CHECK(error("a = 1\n/* open\n\n") == "line 2: the comment is not closed, add `*/`");
  CHECK(error("\npath \"x\" {\n a = 1\n") == "line 2: the bracket that opens here is not closed");
  CHECK(error("\n\na = [1,\n2") == "line 3: the bracket that opens here is not closed");
  CHECK(error("\na = [1 2]") == "line 2: expected `,` or `]` in a list");
  CHECK(error("a = 1\n}") == "line 2: this `}` closes nothing");
  CHECK(error("a = yes") == "line 1: a text must stand in quotes");
  CHECK(error("a = 30s") ==
        "line 1: this is not a number; put quotes around a text such as \"30s\"");
  for (const char* text : {"a = -", "a = --1", "a = 1.2.3", "a = 0xg", "a = 09", "a = 1-2"})
    CHECK(error(text).find("line 1: this is not a number") == 0);
  CHECK(error("a") == "line 1: expected `=` or `{` after a name");
  CHECK(error("a b = 1") == "line 1: expected `=` or `{` after a name");
  CHECK(error("a = ") == "line 1: expected a value here");
  CHECK(error("= 1") == "line 1: expected a name here");
  CHECK(error("a = \"\\q\"") == "line 1: unknown escape in a string; write `\\\\` for a backslash");
  CHECK(error("a = \"\\ud800\"") == "line 1: the escape does not name a character");
  CHECK(error("a = <<EOF\nx\n") ==
        "line 1: the text that begins with `<<` is not closed, add its marker");
  CHECK(error(std::string_view("a = 1\n\0", 7)) == "line 2: there is a NUL byte in the text");
}

TEST_CASE("hcl: no error quotes a value") {
  for (const char* text :
       {"pin = hunter2", "pin = \"hunter2", "pin = 5hunter2", "pin = [\"hunter2\""})
    CHECK(error(text).find("hunter2") == std::string::npos);
}

TEST_CASE("hcl: depth and size have limits") {
  const auto nested = [](std::size_t depth) {
    return "a = " + std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_hcl(nested(32), {}).ok());
  CHECK(error(nested(33)) == "line 1: nested too deeply");
  const auto labelled = [](std::size_t labels) {
    std::string text = "a = { b";
    while (labels-- > 0) text += " c";
    return text + " { } }";
  };
  CHECK(parse_hcl(labelled(30), {}).ok());
  CHECK(error(labelled(31)) == "line 1: nested too deeply");
  CHECK(error(labelled(100'000)) == "line 1: nested too deeply");
  CHECK(parse_hcl(std::string(1 << 20, ' '), {}).ok());
  CHECK(error(std::string((1 << 20) + 1, ' ')) == "line 1: the text is longer than 1 MiB");
}

TEST_CASE("hcl: JSON gives the same tree, in the order of the text and with its lines") {
  const HclBody file = parse(R"({
  "path": {
    "z/*": {"capabilities": ["read"]},
    "a": [{"policy": "write"},
          {"policy": "deny"}]
  },
  "name": "team"
})");
  REQUIRE(file.blocks.size() == 3);
  CHECK(file.blocks[0].labels == std::vector<std::string>{"z/*"});
  CHECK(file.blocks[0].line == 3);
  CHECK(file.blocks[0].body.find("capabilities")->value.dump() == R"(["read"])");
  CHECK(file.blocks[1].labels == file.blocks[2].labels);
  CHECK(file.blocks[2].body.find("policy")->value.text() == "deny");
  CHECK(file.blocks[2].body.find("policy")->line == 5);
  CHECK(file.find("name")->value.text() == "team");
  CHECK(file.find("name")->line == 7);
}

TEST_CASE("hcl: JSON blocks come as lists, without labels, empty or nested") {
  const HclBody file = parse(
      R"({"storage":{"inmem":{}},"listener":[{"tcp":{"address":"a","telemetry":{"x":true}}},{"tcp":{}}],
          "telemetry":{"disable_hostname":true},"path":{},"other":{"b":{}},"options":"text"})");
  REQUIRE(file.blocks.size() == 4);
  CHECK(file.blocks[0].type == "storage");
  CHECK(file.blocks[0].labels == std::vector<std::string>{"inmem"});
  REQUIRE(file.blocks[1].body.blocks.size() == 1);
  CHECK(file.blocks[1].body.blocks[0].type == "telemetry");
  CHECK(file.blocks[2].labels == std::vector<std::string>{"tcp"});
  CHECK(file.blocks[3].type == "telemetry");
  CHECK(file.blocks[3].labels.empty());
  CHECK(file.find("other")->value.dump() == R"({"b":{}})");
  CHECK(file.find("options")->value.text() == "text");
}

TEST_CASE("hcl: wrong JSON is refused with its line") {
  CHECK(error("{\n\"path\": {\n!}}") ==
        "line 3: failed to decode JSON input: invalid character at offset 12");
  CHECK(error("{\n\"path\":") == "line 2: failed to decode JSON input: unexpected EOF");
}

}  // namespace
}  // namespace leasehold

TEST_CASE("hcl: a number that JSON refuses is refused") {
  const auto parsed = leasehold::parse_hcl("a = 1e99999999999", {});
  CHECK(parsed.is(leasehold::Code::invalid));
}
