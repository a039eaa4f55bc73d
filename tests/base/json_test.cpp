#include "vault/base/json.h"

#include <doctest/doctest.h>

#include <limits>

#include "tests/support/seeded_random.h"

namespace leasehold {
namespace {

std::string round_trip(std::string_view text) {
  const auto parsed = parse_json(text);
  return parsed.ok() ? parsed->dump() : parsed.error().message;
}

std::string error(std::string_view text, const JsonLimits& limits = {}) {
  const auto parsed = parse_json(text, limits);
  REQUIRE(parsed.is(Code::invalid));
  return parsed.error().message;
}

constexpr const char* kEof = "failed to decode JSON input: unexpected EOF";
std::string invalid_at(std::size_t offset) {
  return "failed to decode JSON input: invalid character at offset " + std::to_string(offset);
}

TEST_CASE("json: a number comes back as the text it was") {
  for (const char* text :
       {"0", "-0", "1", "-1", "1.0", "1e2", "1E+2", "1.50", "-0.0e-7", "9007199254740993",
        "12345678901234567890123", "18446744073709551615", "-9223372036854775808", "1e308",
        "0.1000000000000000055511151231257827"}) {
    CHECK(round_trip(text) == text);
  }
}

TEST_CASE("json: a number that no double holds is refused") {
  const std::pair<const char*, const char*> kTooLarge[] = {
      {"1e400", "0"}, {"-1e400", "0"}, {"[1e309]", "1"}, {"{\"a\":[0],\"b\": 1E+99999}", "14"}};
  for (const auto& [text, offset] : kTooLarge)
    CHECK(error(text) ==
          "failed to decode JSON input: number out of range at offset " + std::string(offset));
  CHECK(round_trip("1e-400") == "1e-400");
}

TEST_CASE("json: numbers keep their texts next to strings that look like numbers") {
  CHECK(round_trip(R"({"-1":["7","\"8\\",-0,"9\\"],"b":1e2,"c":[[1.0],2]})") ==
        R"({"-1":["7","\"8\\",-0,"9\\"],"b":1e2,"c":[[1.0],2]})");
}

TEST_CASE("json: keys are sorted, and the last of two equal keys wins") {
  CHECK(round_trip(R"( { "b" : 1, "a" : { "z":null, "y":true }, "b" : 2, "B":[] } )") ==
        R"({"B":[],"a":{"y":true,"z":null},"b":2})");
}

TEST_CASE("json: characters that harm a page or a script are escaped as Go does") {
  CHECK(round_trip("\"<>&\\u2028\\u2029\\u0001\\b\\f\\n\\r\\t\\\"\\\\\\/\x7f\"") ==
        "\"\\u003c\\u003e\\u0026\\u2028\\u2029\\u0001\\b\\f\\n\\r\\t\\\"\\\\/\x7f\"");
  CHECK(round_trip("\"\\u00e9\\ud83d\\ude00\"") == "\"\xC3\xA9\xF0\x9F\x98\x80\"");
}

TEST_CASE("json: bytes that are no UTF-8 are written as the replacement character") {
  std::string out;
  write_json_string(out, "a\xff\xc0\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xe2\x82");
  CHECK(out ==
        "\"a\\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd\\ufffd "
        "\\ufffd\\ufffd\"");
  CHECK(parse_json(out).ok());
}

TEST_CASE("json: a NUL inside a string survives, one outside is refused") {
  const auto parsed = parse_json("\"a\\u0000b\"");
  REQUIRE(parsed.ok());
  CHECK(parsed->text() == std::string_view("a\0b", 3));
  CHECK(parsed->dump() == "\"a\\u0000b\"");
  CHECK(error(std::string_view("{}\0garbage", 10)) == invalid_at(2));
}

TEST_CASE("json: a text that stops early is told from one that is wrong") {
  for (const char* text :
       {"", " ", "{", "[1", "{\"a\"", "{\"a\":", "\"ab", "[1,", "tru", "\"\\u12"})
    CHECK(error(text) == kEof);
  const std::pair<const char*, std::size_t> kWrong[] = {
      {"{xx", 1},    {"[1,]", 3},      {"{\"a\":1,}", 7},   {"1 2", 2},      {"{}x", 2},
      {"'a'", 0},    {" [01]", 2},     {"[7,[1.5,02]]", 8}, {"[1.]", 3},     {"[.5]", 1},
      {"[+1]", 1},   {"NaN", 0},       {"Infinity", 0},     {"{a:1}", 1},    {"// c\n{}", 0},
      {"\"\t\"", 1}, {"\"\\x\"", 2},   {"\"\\ud800\"", 7},  {"\"\xff\"", 1}, {"\xEF\xBB\xBF{}", 0},
      {"[1 2]", 3},  {"{\"a\" 1}", 5}, {"{1:2}", 1},        {"]", 0}};
  for (const auto& [text, offset] : kWrong) {
    CAPTURE(text);
    CHECK(error(text) == invalid_at(offset));
    std::size_t at = 99;
    CHECK_FALSE(parse_json(text, {}, &at).ok());
    CHECK(at == offset);
  }
}

TEST_CASE("json: no error quotes what was sent") {
  for (const char* text : {"{\"password\":hunter2}", "\"hunter2", "[\"hunter2\" \"hunter2\"]"})
    CHECK(error(text).find("hunter2") == std::string::npos);
}

TEST_CASE("json: each limit stops what passes it and lets through what meets it") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(parse_json(nested(64)).ok());
  CHECK(error(nested(65)) == "failed to decode JSON input: nested too deeply");
  CHECK(error(std::string(1'000'000, '[')) == "failed to decode JSON input: nested too deeply");

  const JsonLimits limits{.depth = 4, .bytes = 20, .strings = 3, .values = 5};
  CHECK(parse_json(R"({"a":"b","c":1})", limits).ok());
  CHECK(error(R"({"a":"b","c":"d"})", limits) ==
        "refused JSON input due to high complexity: exceeded maximum number of strings");
  CHECK(parse_json("[1,2,3,4]", limits).ok());
  CHECK(error("[1,2,3,[],5]", limits) ==
        "refused JSON input due to high complexity: exceeded maximum number of values");
  CHECK(parse_json(std::string(18, ' ') + "[]", limits).ok());
  CHECK(error(std::string(19, ' ') + "[]", limits) == "failed to decode JSON input: too large");
}

TEST_CASE("json: the place of an error can be asked for") {
  std::size_t at = 0;
  CHECK_FALSE(parse_json("{\"a\":1,\n!}", {}, &at).ok());
  CHECK(at == 8);
  CHECK_FALSE(parse_json("[1", {}, &at).ok());
  CHECK(at == 2);
}

TEST_CASE("json: an integer is read when the number is one and fits") {
  CHECK(parse_json("-9223372036854775808")->integer() == std::numeric_limits<std::int64_t>::min());
  CHECK(parse_json("-0")->integer() == 0);
  CHECK_FALSE(parse_json("9223372036854775808")->integer().has_value());
  CHECK_FALSE(parse_json("1.0")->integer().has_value());
  CHECK_FALSE(parse_json("\"1\"")->integer().has_value());
}

TEST_CASE("json: an object answers by key and type, or with the fallback") {
  const auto parsed =
      parse_json(R"({"s":"text","n":7,"b":true,"l":["a","b",3],"null":null,"x":"7"})");
  REQUIRE(parsed.ok());
  const Json& json = *parsed;
  CHECK(json.string_at("s") == "text");
  CHECK(json.string_at("n", "other") == "other");
  CHECK(json.integer_at("n") == 7);
  CHECK(json.integer_at("x", 3) == 3);
  CHECK(json.bool_at("b"));
  CHECK_FALSE(json.bool_at("s"));
  CHECK(json.strings_at("l") == std::vector<std::string>{"a", "b"});
  CHECK(json.strings_at("s").empty());
  CHECK(json.find("absent") == nullptr);
  CHECK(json.find("null")->is_null());
  CHECK(Json().find("a") == nullptr);
}

TEST_CASE("json: a value is built, changed and compared") {
  Json json = Json::object();
  json.set("z", 1).set("a", Json(std::vector<std::string>{"x", "y"})).set("z", "again");
  CHECK(json.dump() == R"({"a":["x","y"],"z":"again"})");
  json.erase("a");
  json.erase("absent");
  CHECK(json.dump() == R"({"z":"again"})");
  Json list = Json::array();
  list.push(json);
  list.push(nullptr);
  list.push(std::uint64_t{18446744073709551615u});
  list.push(Json::number("1.50"));
  CHECK(list.dump() == R"([{"z":"again"},null,18446744073709551615,1.50])");
  CHECK(list.items()[0] == json);
  CHECK_FALSE(list == json);
}

TEST_CASE("json: a part of a value can be moved over the whole") {
  Json json = Json::object();
  json.set("a", Json::object().set("b", "c"));
  json = Json(*json.find("a"));
  CHECK(json.dump() == R"({"b":"c"})");
  Json& same = json;
  json = std::move(same);
  CHECK(json.dump() == R"({"b":"c"})");
  const Json taken = std::move(json);
  CHECK(json.is_null());
  CHECK(taken.dump() == R"({"b":"c"})");
}

TEST_CASE("json: the moved-from and the wiped hold no characters") {
  Json json("short secret");
  const char* const inside = json.text().data();
  const Json moved = std::move(json);
  CHECK(std::string_view(inside, 12).find_first_not_of('\0') == std::string_view::npos);
}

TEST_CASE("json: pretty printing indents, and leaves empty brackets together") {
  const auto parsed = parse_json(R"({"a":[1,{"b":null}],"c":{},"d":[]})");
  CHECK(
      parsed->pretty() ==
      "{\n  \"a\": [\n    1,\n    {\n      \"b\": null\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}");
}

// Not a replacement for the fuzz target: a quick sweep over near-JSON.
TEST_CASE("json: any byte at any place of a text is escaped as it is alone") {
  std::string alone[256];
  for (int byte = 0; byte < 256; ++byte) {
    write_json_string(alone[byte], std::string(1, static_cast<char>(byte)));
    alone[byte] = alone[byte].substr(1, alone[byte].size() - 2);
  }
  for (std::size_t size = 1; size < 20; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, 'a'), out;
        text[at] = static_cast<char>(byte);
        write_json_string(out, text);
        const std::string want =
            '"' + std::string(at, 'a') + alone[byte] + std::string(size - 1 - at, 'a') + '"';
        if (out != want) FAIL_CHECK("byte " << byte << " at " << at << " of " << size);
      }
    }
  }
  CHECK(alone[std::size_t{'<'}] == "\\u003c");
  CHECK(alone[0x80] == "\\ufffd");
}

// A buffer that grew would have left what it held behind; one that is far too large is work for
// whoever sends many characters that could have been escaped.
TEST_CASE("json: a value is dumped into one buffer that fits") {
  Json value = Json::object();
  const std::string texts[] = {"plain", "\xc3\xa9\xe4\xb8\xad", std::string(9, '\x01'), "<&>"};
  for (const std::string& text : texts) {
    std::string many;
    for (int i = 0; i < 200; ++i) many += text;
    const std::string dumped = Json(many).dump();
    CAPTURE(text);
    CHECK(dumped.capacity() <= dumped.size() + 8);
    value.set(text, many);
  }
  value.set("n", nullptr).set("b", true).set("list", Json::array()).set("i", std::int64_t{-7});
  const std::string dumped = value.dump();
  CHECK(dumped.capacity() <= dumped.size() + 32);
  CHECK(parse_json(dumped).ok());
}

TEST_CASE("json: garbage is refused or understood, and what is understood is stable") {
  static constexpr std::string_view kPieces[] = {"{",     "}",    "[",   "]", ",",   ":",
                                                 "\"a\"", "\"",   "\\",  "-", "1",   "e5",
                                                 ".",     "null", "tru", " ", "\xff"};
  testing::SeededRandom random(7);
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    const auto bytes = random.take<12>();
    for (const std::uint8_t byte : bytes) text += kPieces[byte % std::size(kPieces)];
    const auto parsed = parse_json(text);
    if (!parsed.ok()) continue;
    const auto again = parse_json(parsed->dump());
    REQUIRE(again.ok());
    CHECK(*again == *parsed);
  }
}

}  // namespace
}  // namespace leasehold
