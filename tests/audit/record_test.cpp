#include <doctest/doctest.h>

#include "tests/audit/support.h"
#include "vault/base/json.h"

using namespace leasehold;
using namespace leasehold::audit;

namespace {

constexpr std::string_view kHmacKey = "audit-key-of-the-tests";

struct Keyed {
  crypto::HmacKey key{as_bytes(kHmacKey)};
  std::string json(std::string_view text, const std::vector<std::string>& clear = {}) const {
    std::string out;
    hmac_json(out, text, key, clear);
    return out;
  }
  std::string hash(std::string_view value) const { return "\"" + hmac_text(value, key) + "\""; }
};

}  // namespace

// HMAC-SHA256 with the key "Jefe": RFC 4231, test case 2.
TEST_CASE("audit record: a hash is Vault's form of RFC 4231") {
  const crypto::HmacKey key(as_bytes("Jefe"));
  CHECK(hmac_text("what do ya want for nothing?", key) ==
        "hmac-sha256:5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("audit record: every string leaf is hashed, keys and other values stay") {
  const Keyed keyed;
  CHECK(keyed.json(R"({"a":"x","n":17,"b":true,"z":null,"f":-1.5e+3,"o":{"k":["y",{"q":""}]}})") ==
        "{\"a\":" + keyed.hash("x") +
            ",\"n\":17,\"b\":true,\"z\":null,\"f\":-1.5e+3,\"o\":{\"k\":[" + keyed.hash("y") +
            ",{\"q\":" + keyed.hash("") + "}]}}");
  CHECK(keyed.json("{}") == "{}");
  CHECK(keyed.json("[]") == "[]");
  CHECK(keyed.json("\"s\"") == keyed.hash("s"));
  CHECK(keyed.json(" {\n \"a\" : [ 1 , \"x\" ]\t} ") == "{\"a\":[1," + keyed.hash("x") + "]}");
}

TEST_CASE("audit record: the value is hashed, not its spelling") {
  const Keyed keyed;
  CHECK(keyed.json(R"("\u0061\n\"\\\/\b\f\r\t")") == keyed.hash("a\n\"\\/\b\f\r\t"));
  CHECK(keyed.json(R"("\u00e9\u20ac\ud83d\ude00")") == keyed.hash("\u00e9\u20ac\U0001F600"));
  CHECK(keyed.json("\"\u00e9\"") == keyed.hash("\u00e9"));
  std::string written;
  write_json_string(written, "a<b>&\x01\u2028\"");
  CHECK(keyed.json(written) == keyed.hash("a<b>&\x01\u2028\""));
}

TEST_CASE("audit record: a clear key keeps its whole value, at the top level only") {
  const Keyed keyed;
  CHECK(keyed.json(R"({"open":{"x":"1","y":["2"]},"shut":{"open":"3"}})", {"open"}) ==
        R"({"open":{"x":"1","y":["2"]},"shut":{"open":)" + keyed.hash("3") + "}}");
}

TEST_CASE("audit record: what is no JSON is hashed whole") {
  const Keyed keyed;
  const std::vector<std::string> bad = {"secret",
                                        "{\"a\":secret}",
                                        "{\"a\":\"x\"",
                                        "{\"a\" \"x\"}",
                                        "[1,]",
                                        "{\"a\":1,}",
                                        "\"open",
                                        "\"\\x41\"",
                                        "\"\\ud800\"",
                                        "\"\\ud800\\u0041\"",
                                        "\"a\nb\"",
                                        "01",
                                        "1.",
                                        "1e",
                                        "-",
                                        "{\"a\":1} x",
                                        "",
                                        "\"\\u12\"",
                                        "{\"\\q\":1}",
                                        "truesecret",
                                        "[\"a\" \"b\"]",
                                        "{secret:1}",
                                        "\"\\",
                                        "\"\\udc00\"",
                                        "+1"};
  for (const auto& text : bad) {
    CAPTURE(text);
    CHECK(keyed.json(text) == keyed.hash(text));
  }
  CHECK(keyed.json(std::string(100, '[') + std::string(100, ']')) ==
        std::string(100, '[') + std::string(100, ']'));
  const std::string deep = std::string(5000, '[') + std::string(5000, ']');
  CHECK(keyed.json(deep) == keyed.hash(deep));
}

TEST_CASE("audit record: data that would fill the log is hashed whole") {
  const Keyed keyed;
  std::string many = "[\"\"";
  while (many.size() < 100'000) many += ",\"\"";
  many += "]";
  std::string key;
  write_json_string(key, std::string(300'000, '<'));
  const std::string long_key = "{" + key + ":1}", digits(2'000'000, '7');
  for (const std::string& text : {many, long_key, digits})
    CHECK(keyed.json(text) == keyed.hash(text));
  const std::string value = "{\"a\":\"" + std::string(2'000'000, 'x') + "\"}";
  CHECK(keyed.json(value).size() < 100);  // a long value is a short HMAC
  CHECK(keyed.json(value).starts_with("{\"a\":"));
}

TEST_CASE("audit record: warnings that would fill the log are counted, and omitted data is said") {
  const Keyed keyed;
  const std::vector<std::string> warnings = {"a", std::string(kWarningsBytesMax, 'x')};
  Record record;
  record.type = Type::response;
  record.response.warnings = warnings;
  record.request.data_omitted = true;
  const std::string line = body(record, keyed.key);
  CHECK(line.size() < 300);
  CHECK(line.find("\"warnings_omitted\":2") != std::string::npos);
  CHECK(line.find("\"data_omitted\":true") != std::string::npos);
}

namespace {

// The most that a body says: every text and list as long as it comes, and longer as written.
struct Long {
  std::string text = std::string(100'000, '<');
  std::vector<std::string> names = std::vector<std::string>(1000, "policy-name");
  std::string small = "{\"k\":\"v\"";
  Record record;

  Long() {
    for (int i = 0; i < 1200; ++i) small += ",\"key" + std::to_string(i) + "\":\"v\"";
    small += "}";
    record.type = Type::response;
    record.has_auth = true;
    record.auth.client_token = record.request.client_token = text;
    record.auth.accessor = record.request.client_token_accessor = text;
    record.auth.display_name = record.request.path = record.request.purpose = text;
    record.request.mount_point = record.response.lease_id = record.error = text;
    record.auth.policies = record.auth.token_policies = record.auth.identity_policies = names;
    record.auth.granting_policies = record.response.auth_policies = names;
    record.auth.metadata_json = record.request.data_json = small;
    record.request.id = "1c7b4d0e-6c4d-4ee0-a1a5-f9e1ff3a5c11";
    record.request.operation = "update";
    record.request.remote_address = "2001:db8::1";
  }
};

}  // namespace

TEST_CASE("audit record: a request that is refused takes up less than 16 KiB, whatever it holds") {
  const Keyed keyed;
  Long all;
  all.record.response.lease_id = {};
  all.record.response.auth_policies = {};
  Texts both;
  append_both(both, all.record, WallTime{}, keyed.key);
  CHECK(both.bytes() < 16u << 10);
  for (std::size_t i = 0; i < both.size(); ++i) CHECK(parse_json(both[i]).ok());
  all.record.response.data_json = all.small;
  all.record.response.auth_client_token = all.text;
  CHECK(body(all.record, keyed.key).size() < (6u << 10) + (16u << 10) + 2048);
}

TEST_CASE("audit record: what was cut says what it was") {
  const Keyed keyed;
  Record record;
  record.type = Type::response;
  const std::string path(kPathBytesMax, 'p');
  record.request.path = path;
  const std::vector<std::string> names(1000, "policy-name");
  record.has_auth = true;
  record.auth.policies = names;
  std::string euros;
  for (int i = 0; i < 1000; ++i) euros += "\u20ac";
  record.error = euros;
  const auto line = parse_json(body(record, keyed.key));
  REQUIRE(line.ok());
  const Json& request = *line->find("request");
  CHECK(request.string_at("path").size() + 2 == kPathBytesMax);
  CHECK(request.string_at("path_hmac") == hmac_text(path, keyed.key));
  CHECK(line->string_at("error").size() > kErrorBytesMax - 10);
  CHECK(line->string_at("error").ends_with("\u20ac"));
  const Json& auth = *line->find("auth");
  CHECK(auth.integer_at("policies_omitted") ==
        1000 - static_cast<std::int64_t>(auth.find("policies")->size()));
  record.request.path = "kv/a";
  CHECK(body(record, keyed.key).find("path_hmac") == std::string::npos);
}

TEST_CASE("audit record: hashing agrees with a tree built by the parser") {
  const Keyed keyed;
  testing::SeededRandom random(7);
  const std::function<Json(int)> any = [&](int depth) -> Json {
    const auto dice = random.take<2>();
    if (depth > 0 && dice[0] < 60) {
      Json object = Json::object();
      for (int i = 0; i < dice[1] % 5; ++i) object.set("k" + std::to_string(i), any(depth - 1));
      return object;
    }
    if (depth > 0 && dice[0] < 100) {
      Json array = Json::array();
      for (int i = 0; i < dice[1] % 5; ++i) array.push(any(depth - 1));
      return array;
    }
    if (dice[0] < 120) return Json(static_cast<std::int64_t>(dice[1]) - 128);
    if (dice[0] < 130) return Json(dice[1] < 128);
    std::string text;
    for (int i = 0; i < dice[1] % 20; ++i) text += static_cast<char>(random.take<1>()[0] & 0x7f);
    return Json(text);
  };
  const std::function<Json(const Json&)> hashed = [&](const Json& json) -> Json {
    if (json.is_string()) return Json(hmac_text(json.text(), keyed.key));
    if (json.is_array()) {
      Json array = Json::array();
      for (const Json& item : json.items()) array.push(hashed(item));
      return array;
    }
    if (json.is_object()) {
      Json object = Json::object();
      for (const auto& member : json.members()) object.set(member.first, hashed(member.second));
      return object;
    }
    return json;
  };
  for (int i = 0; i < 500; ++i) {
    const Json tree = any(5);
    CHECK(keyed.json(tree.dump()) == hashed(tree).dump());
  }
}

TEST_CASE("audit record: headers are written within a bound of their own") {
  const Keyed keyed;
  std::vector<Record::Header> headers = {{"x-big", false, {}},
                                         {"x-b", true, {"secret"}},
                                         {std::string_view("x-quote"), false, {"a\"b", ""}}};
  const std::string big(2000, 'v');
  headers[0].values.push_back(big);
  Record record;
  record.request.path = "p";
  record.request.headers = headers;
  Texts lines;
  append_body(lines, record, keyed.key);
  const auto line = parse_json(lines[0]);
  REQUIRE(line.ok());
  const Json& request = *line->find("request");
  CHECK(request.find("headers")->dump() ==
        "{\"x-b\":[" + keyed.hash("secret") + "],\"x-quote\":[\"a\\\"b\",\"\"]}");
  CHECK(request.integer_at("headers_omitted") == 1);
  CHECK(lines[0].find("secret") == std::string_view::npos);
  // However many there are, with whatever else: two lines of a request stay below 16 KiB.
  const std::string name(128, 'n');
  std::vector<Record::Header> many(64, Record::Header{name, true, {"a", "b", "c"}});
  const std::string data = "{\"a\":\"" + std::string(20000, 'x') + "\"}";
  record.request.headers = many;
  record.request.data_json = data;
  Texts full;
  append_both(full, record, record.time, keyed.key);
  CHECK(full.bytes() < (16u << 10));
}

TEST_CASE("audit record: no secret shows in any line, in whatever spelling") {
  const Keyed keyed;
  const std::vector<std::string> policies = {"default"};
  // Each as it is stored and as JSON may spell it.
  const std::vector<std::string> spellings = {R"("CANARY")",
                                              R"("\u0043ANARY")",
                                              R"("x\nCANARY")",
                                              R"("4096CANARY17")",
                                              R"(["CANARY"])",
                                              R"({"k":"CANARY"})",
                                              R"([[{"a":"CANARY"}]])",
                                              "CANARY",
                                              R"({"a":CANARY})",
                                              "\"CANARY",
                                              "\xff\xfe"
                                              "CANARY",
                                              R"("CANARY\ud800")",
                                              R"({"a":"CANARY")"};
  for (const auto& spelled : spellings) {
    const std::string data = "{\"a\":" + spelled + "}";
    Record record;
    record.type = Type::response;
    record.has_auth = true;
    record.auth.client_token = "hvs.CANARY";
    record.auth.accessor = "CANARY";
    record.auth.metadata_json = data;
    record.auth.policies = policies;
    record.request.client_token = "hvs.CANARY\"";
    record.request.client_token_accessor = "CANARY\n";
    record.request.data_json = data;
    record.response.data_json = data;
    record.response.auth_client_token = "hvs.CANARY";
    record.response.auth_accessor = "CANARY";
    const std::string line = body(record, keyed.key);
    CAPTURE(spelled);
    CHECK(line.find("ANARY") == std::string::npos);
    CHECK(line.find(hex(as_bytes("CANARY"))) == std::string::npos);
    CHECK(line.find("4096") == std::string::npos);
    CHECK(line.find('\n') == std::string::npos);
    CHECK(parse_json(line).ok());
  }
}

TEST_CASE("audit record: a clear key does not open the token fields") {
  const Keyed keyed;
  const std::vector<std::string> clear = {"client_token", "accessor", "data"};
  Record record;
  record.type = Type::response;
  record.request.client_token = "CANARY";
  record.response.auth_client_token = "CANARY";
  record.clear_request_keys = record.clear_response_keys = clear;
  CHECK(body(record, keyed.key).find("CANARY") == std::string::npos);
}

TEST_CASE("audit record: a stranger's text cannot end the line or add a member") {
  const Keyed keyed;
  Record record;
  record.type = Type::response;
  record.request.path = "kv/a\"},\"seq\":7\n{\"type\":\"checkpoint\"";
  record.request.purpose = "\x01\xff\u2028";
  record.error = "a\r\nb";
  const std::string line = body(record, keyed.key);
  CHECK(line.find('\n') == std::string::npos);
  const auto parsed = parse_json(line);
  REQUIRE(parsed.ok());
  CHECK(parsed->find("request")->string_at("path") == record.request.path);
  CHECK(parsed->find("seq") == nullptr);
}

TEST_CASE("audit record: both lines at once are what each is alone") {
  const Keyed keyed;
  const std::vector<std::string> policies = {"default", "reader"}, clear_in = {"a"},
                                 clear_out = {"b"};
  Record record;
  record.type = Type::response;
  record.time = WallTime{1'800'000'000'500'000'000};
  record.error = "permission denied";
  record.has_auth = true;
  record.auth.client_token = record.request.client_token = "hvs.CANARY";
  record.auth.accessor = record.request.client_token_accessor = "accessor";
  record.auth.policies = policies;
  record.request.path = "kv/a";
  record.request.data_json = record.response.data_json = R"({"a":"1","b":"2"})";
  record.clear_request_keys = clear_in;
  record.clear_response_keys = clear_out;
  const WallTime requested{1'800'000'000'000'000'000};
  Texts both;
  append_both(both, record, requested, keyed.key);
  REQUIRE(both.size() == 2);
  CHECK(both[1] == body(record, keyed.key));
  CHECK(both[0].find("permission denied") == std::string::npos);
  record.type = Type::request;
  record.time = requested;
  CHECK(both[0] == body(record, keyed.key));
}

TEST_CASE("audit record: an event carries its name, time and fields") {
  CHECK(
      event_body("lease-revoked", WallTime{1'800'000'000'000'000'000}, R"({"cause":"ttl"})") ==
      R"({"time":"2027-01-15T08:00:00Z","type":"event","event":"lease-revoked","data":{"cause":"ttl"}})");
}
