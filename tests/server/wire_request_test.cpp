#include <doctest/doctest.h>

#include <iterator>

#include "api/server/wire.h"
#include "tests/support/seeded_random.h"

using namespace leasehold;
using namespace leasehold::server;

namespace {

HttpMessage message(std::string_view method, std::string_view target, std::string_view body = {}) {
  HttpMessage result;
  result.method = method;
  result.target = target;
  result.body = body;
  return result;
}

struct Read {
  bool ok = false;
  core::Request request;
  WireError refusal;
};
Read read(const HttpMessage& from) {
  Read result;
  result.ok = read_request(from, {"10.0.0.1", 4711}, result.request, result.refusal);
  return result;
}

void refuses(const HttpMessage& from, int status, std::string_view text) {
  CAPTURE(from.method);
  CAPTURE(from.target);
  const Read result = read(from);
  CHECK_FALSE(result.ok);
  CHECK(result.refusal.status == status);
  CHECK(result.refusal.message == text);
}

std::string path_of(std::string_view target) {
  const Read result = read(message("GET", target));
  CHECK_MESSAGE(result.ok, result.refusal.message);
  return result.request.path;
}

std::string why_refused(std::string_view target) {
  const Read result = read(message("GET", target));
  CAPTURE(target);
  CHECK_FALSE(result.ok);
  CHECK(result.refusal.status == 400);
  return result.refusal.message;
}

}  // namespace

TEST_CASE("wire: each method is one operation") {
  using core::Operation;
  constexpr std::pair<std::string_view, Operation> kMethods[] = {
      {"GET", Operation::read},   {"LIST", Operation::list},     {"POST", Operation::update},
      {"PUT", Operation::update}, {"DELETE", Operation::remove}, {"HEAD", Operation::head},
      {"HELP", Operation::help},  {"SCAN", Operation::scan}};
  for (const auto& row : kMethods) {
    const Read result = read(message(row.first, "/v1/a/b"));
    CAPTURE(row.first);
    REQUIRE(result.ok);
    CHECK(result.request.operation == row.second);
    CHECK(result.request.path == (core::lists_names(row.second) ? "a/b/" : "a/b"));
    CHECK(result.request.remote_address == "10.0.0.1");
    CHECK(result.request.remote_port == 4711);
  }
  for (const std::string_view method : {"scan", "OPTIONS", "TRACE", "get", "CONNECT", "BREW"})
    refuses(message(method, "/v1/a"), 405, "");
}

TEST_CASE("wire: GET with list=true is LIST, with help it is HELP") {
  using core::Operation;
  for (const std::string_view yes : {"true", "1", "t", "T", "TRUE", "True"}) {
    const std::string target = "/v1/a?list=" + std::string(yes) + "&after=x";
    const Read result = read(message("GET", target));
    REQUIRE(result.ok);
    CHECK(result.request.operation == Operation::list);
    CHECK(result.request.path == "a/");
    CHECK(result.request.body.dump() == R"({"after":"x"})");
  }
  // Their names are kept: nothing is told that it does not know them.
  for (const std::string_view none : {"list=false", "list=", "scan=0&help=", "list=f&scan=false"}) {
    const Read result = read(message("GET", "/v1/a?after=x&" + std::string(none)));
    CHECK(result.request.operation == Operation::read);
    CHECK(result.request.body.dump() == R"({"after":"x"})");
  }
  CHECK(read(message("DELETE", "/v1/a?list=true&help=")).request.body.size() == 0);
  refuses(message("GET", "/v1/a?list=maybe"), 400, "");
  refuses(message("GET", "/v1/a?scan=maybe"), 400, "");
  refuses(message("GET", "/v1/a?scan=true&list=true"), 400, "");
  CHECK(read(message("GET", "/v1/a?help=1")).request.operation == Operation::help);
}

TEST_CASE("wire: what is not under /v1/ is not here") {
  for (const std::string_view target : {"/", "/v1", "/v1/", "/v2/a", "/ui/", "*", "v1/a"})
    refuses(message("GET", target), 404, "");
  CHECK(path_of("http://vault:8200/v1/a/b?x=1") == "a/b");
  CHECK(path_of("HTTPS://vault/v1/a") == "a");
}

TEST_CASE("wire: a path is decoded once, and canonical or refused") {
  CHECK(path_of("/v1/secret/a%20b/c+d") == "secret/a b/c+d");
  CHECK(path_of("/v1/secret/%61") == "secret/a");
  CHECK(path_of("/v1/secret/%2561") == "secret/%61");
  CHECK(path_of("/v1/secret/%C3%A4\xc3\xb6") == "secret/\xc3\xa4\xc3\xb6");
  CHECK(path_of("/v1/sys/mounts/") == "sys/mounts/");
  CHECK(path_of("/v1/a/...") == "a/...");
  CHECK(path_of("/v1/a/..b/.c") == "a/..b/.c");

  // Some clients send a slash encoded: it is decoded once, before anything is judged.
  CHECK(path_of("/v1/a%2Fb") == "a/b");
  CHECK(path_of("/v1/a%2fb%252fc") == "a/b%2fc");
  for (const std::string_view target : {"/v1/a%", "/v1/a%2", "/v1/a%zz", "/v1/a%%"})
    CHECK(why_refused(target) == "the path holds a malformed percent-encoding");
}

TEST_CASE("wire: a path with empty or dot segments is answered with the clean one") {
  const std::pair<std::string_view, std::string_view> kCases[] = {
      {"/v1/a//b", "/v1/a/b"},
      {"//v1/a", "/v1/a"},
      {"/v1//a/", "/v1/a/"},
      {"/v1/./a", "/v1/a"},
      {"/v1/a/.", "/v1/a"},
      {"/v1/a/../", "/v1/"},
      {"/v1/sys/../sys/mounts", "/v1/sys/mounts"},
      {"/v1/a/%2e%2E/b?list=true&x=%2F..", "/v1/b?list=true&x=%2F.."},
      {"/v1/a%2f%2Fb", "/v1/a/b"},
      {"/v1/a/..%2Fb", "/v1/b"},
      {"/v1//a%20b%3Fc%25", "/v1/a%20b%3Fc%25"},
      {"http://elsewhere/v1//a", "/v1/a"},
      // Neither another host nor a file system: what is left is a path on this server.
      {"/v1/../../etc/passwd", "/etc/passwd"},
      {"//evil.example/v1/a", "/evil.example/v1/a"},
      {"///evil.example", "/evil.example"},
      {"/v1/..//evil.example", "/evil.example"},
      {"/%2Fevil.example", "/evil.example"},
      {"/v1/../\\evil.example", "/%5Cevil.example"},
  };
  for (const auto& one : kCases) {
    CAPTURE(one.first);
    for (const std::string_view method : {"GET", "POST", "LIST", "DELETE", "HEAD"}) {
      const Read result = read(message(method, one.first));
      CHECK_FALSE(result.ok);
      CHECK(result.refusal.status == 307);
      CHECK(result.refusal.location == one.second);
    }
  }
  // What would end the header stays refused.
  for (const std::string_view target : {"/v1//a%0d%0aSet-Cookie:x", "/v1//a%00", "/v1//%zz"}) {
    const Read result = read(message("GET", target));
    CHECK(result.refusal.status == 400);
    CHECK(result.refusal.location.empty());
  }
}

TEST_CASE("wire: a path is printable text") {
  const std::string unprintable = "the path holds a character that cannot be printed";
  for (const std::string_view target :
       {"/v1/a%00b", "/v1/a%0ab", "/v1/a%0d", "/v1/a%7f", "/v1/a%1b", "/v1/a%09", "/v1/a%C2%85",
        "/v1/a%C2%A0", "/v1/a%E2%80%AEb", "/v1/a%E2%80%8Bb", "/v1/a%EF%BB%BF", "/v1/a%E2%81%A0",
        "/v1/a%C2%AD", "/v1/a%E3%80%80", "/v1/a%F3%A0%80%81", "/v1/a%EE%80%80"})
    CHECK(why_refused(target) == unprintable);
  const std::string not_utf8 = "the path is not valid UTF-8";
  for (const std::string_view target :
       {"/v1/a%80", "/v1/a%C0%AF", "/v1/a%C3", "/v1/a%ED%A0%80", "/v1/a%F4%90%80%80", "/v1/a%FF",
        "/v1/a%E0%80%AF", "/v1/a\xff"})
    CHECK(why_refused(target) == not_utf8);
}

// Advisory class 1: whatever is mixed from what has broken others is canonical or refused.
TEST_CASE("wire: a path that is accepted is the one form of itself") {
  constexpr std::string_view kPieces[] = {
      "a",   "b",   "/",     "/",  ".",   "..",  "//",        "%2e",    "%2E",
      "%2f", "%2F", "%5c",   "\\", "%00", "%20", "+",         "%C0%AF", "%c3%a4",
      ";",   "%25", "%252e", "~",  "%61", "%0a", "%E2%80%8B", "*",      "\xc3\xa4"};
  testing::SeededRandom random(1);
  std::size_t accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string encoded;
    for (unsigned n = 1 + random.take<1>()[0] % 8u; n > 0; --n)
      encoded += kPieces[random.take<1>()[0] % std::size(kPieces)];
    std::string path, why;
    if (!canonical_path(encoded, path, why)) {
      CHECK_FALSE(why.empty());
      continue;
    }
    ++accepted;
    const std::string framed = "/" + path + (path.ends_with('/') ? "" : "/");
    for (const std::string_view bad : {"//", "/./", "/../"})
      if (framed.find(bad) != std::string::npos) FAIL_CHECK(encoded << " became " << path);
    for (const char c : path)
      if (static_cast<unsigned char>(c) < 0x20) FAIL_CHECK(encoded << " became " << path);
    std::string again;
    const bool stable =
        path.find('%') != std::string::npos || (canonical_path(path, again, why) && again == path);
    if (!stable) FAIL_CHECK(encoded << " became " << path << ", which became " << again);
  }
  CHECK(accepted > 10'000);
}

TEST_CASE("wire: a write to a folder is refused, a list of one is not") {
  const std::string text = "cannot write to a path ending in '/'";
  refuses(message("POST", "/v1/a/", "{}"), 400, text);
  refuses(message("PUT", "/v1/a/"), 400, text);
  CHECK(read(message("LIST", "/v1/a/")).request.path == "a/");
  CHECK(read(message("DELETE", "/v1/a/")).ok);
}

TEST_CASE("wire: the query is the data of reads, lists and deletes") {
  const Read get = read(message("GET", "/v1/a?version=2&x=a%20b+c&x=d&flag&=e&&"));
  CHECK(get.request.body.dump() == R"({"":"e","flag":"","version":"2","x":["a b c","d"]})");
  CHECK(read(message("DELETE", "/v1/a?k=v", R"({"ignored":1})")).request.body.dump() ==
        R"({"k":"v"})");
  CHECK(read(message("LIST", "/v1/a?after=b")).request.body.dump() == R"({"after":"b"})");
  CHECK(read(message("GET", "/v1/a")).request.body.is_null());
  CHECK(read(message("POST", "/v1/a?k=v", "")).request.body.is_null());
  refuses(message("GET", "/v1/a?k=%zz"), 400, "malformed query string");
  std::string many = "/v1/a?";
  for (int i = 0; i < 2000; ++i) many += "a&";
  refuses(message("GET", many), 400, "malformed query string");
}

TEST_CASE("wire: the token header wins over a bearer token") {
  HttpMessage from = message("GET", "/v1/a");
  CHECK(read(from).request.token.empty());
  from.authorization = "Bearer  two ";
  CHECK(read(from).request.token == "two");
  from.token = "one";
  CHECK(read(from).request.token == "one");
}

TEST_CASE("wire: the wrap header is a duration") {
  HttpMessage from = message("GET", "/v1/a");
  const auto ttl = [&from](std::string_view text) {
    from.wrap_ttl = text;
    const Read result = read(from);
    CHECK(result.ok);
    return result.request.wrap_ttl ? result.request.wrap_ttl->count() : -1;
  };
  CHECK(ttl("60") == 60);
  CHECK(ttl("5m") == 300);
  CHECK(ttl("0") == -1);
  CHECK(ttl("") == -1);
  from.wrap_ttl = "soon";
  refuses(from, 400, "error parsing X-Vault-Wrap-TTL header: time: invalid duration \"soon\"");
  from.wrap_ttl = "-5s";
  refuses(from, 400,
          "error parsing X-Vault-Wrap-TTL header: requested wrap ttl cannot be negative");
}

TEST_CASE("wire: a body is a JSON object, a form, or nothing") {
  CHECK(read(message("POST", "/v1/a", R"( {"k": 1} )")).request.body.dump() == R"({"k":1})");
  CHECK(read(message("POST", "/v1/a", "")).request.body.is_null());
  CHECK(read(message("POST", "/v1/a", " \n")).request.body.is_null());
  CHECK(read(message("POST", "/v1/a", "null")).request.body.is_null());
  refuses(message("POST", "/v1/a", "[1,2]"), 400,
          "failed to decode JSON input: json: cannot unmarshal array into Go value of type "
          "map[string]interface {}");
  refuses(message("PUT", "/v1/a", "7"), 400,
          "failed to decode JSON input: json: cannot unmarshal number into Go value of type "
          "map[string]interface {}");
  refuses(message("POST", "/v1/a", "{\"a\": "), 400, "failed to decode JSON input: unexpected EOF");
  refuses(message("POST", "/v1/a", " \n{\"a\": x}"), 400,
          "failed to decode JSON input: invalid character at offset 8");
  HttpMessage form = message("POST", "/v1/a", "k=v+w&k2=%41");
  form.content_type = "application/x-www-form-urlencoded; charset=utf-8";
  CHECK(read(form).request.body.dump() == R"({"k":"v w","k2":"A"})");
  form.body = R"({"json":true})";  // what curl -d sends
  CHECK(read(form).request.body.dump() == R"({"json":true})");
  form.body = "k=%4";
  refuses(form, 400, "malformed form");
}

TEST_CASE("wire: what anybody may write is small") {
  const std::string large = R"({"key":")" + std::string(64u << 10, '0') + R"("})";
  for (const char* target : {"/v1/sys/unseal", "/v1/sys/init", "/v1/sys/unse%61l"})
    refuses(message("PUT", target, large), 413, "http: request body too large");
  refuses(message("POST", "/v1/auth/userpass/login/a", large), 413,
          "http: request body too large");  // nor does who shows no token
  HttpMessage with_token = message("PUT", "/v1/secret/a", large);
  with_token.token = "hvs.x";
  const auto late = read(with_token);  // the core says of which tokens it is read
  CHECK(late.ok);
  CHECK(late.request.late_body);
  CHECK(late.request.body.is_null());
  CHECK(late.request.body_size == large.size());
  with_token.body = R"({"key":"0"})";
  CHECK(read(with_token).request.body.is_object());
  CHECK_FALSE(read(with_token).request.late_body);
  with_token.body = large;
  with_token.target = "/v1/sys/init";
  refuses(with_token, 413, "http: request body too large");
  CHECK(read(message("PUT", "/v1/sys/unseal", R"({"key":"00"})")).ok);
}

TEST_CASE("wire: a large body is read later, as a small one is read at once") {
  const std::string much(64u << 10, 'x');
  HttpMessage from = message("POST", "/v1/a", {});
  from.token = "hvs.x";
  Json body;
  const auto later = [&](const std::string& text) {
    from.body = text;
    body = Json();
    const Read result = read(from);
    REQUIRE(result.ok);
    REQUIRE(result.request.late_body);
    const Status status = result.request.late_body->read(body);
    return status.ok() ? std::string() : core::error_response(status.error()).errors.at(0);
  };
  CHECK(later(R"({"k":")" + much + "\"}").empty());
  CHECK(body.string_at("k") == much);
  CHECK(later("[\"" + much + "\"]") ==
        "failed to decode JSON input: json: cannot unmarshal array into Go value of type "
        "map[string]interface {}");
  CHECK(later(R"({"k":")" + much) == "failed to decode JSON input: unexpected EOF");
  from.content_type = "application/x-www-form-urlencoded";
  CHECK(later("k=" + much).empty());
  CHECK(body.string_at("k") == much);
  CHECK(later("k=%4" + much) == "malformed form");
}

TEST_CASE("wire: a body of many values is a large one, and no stranger sends it") {
  const auto zeros = [](std::size_t count) {
    std::string text = R"({"k":[0)";
    for (std::size_t i = 1; i < count; ++i) text += ",0";
    return text + "]}";
  };
  const std::string many = zeros(core::kSmallBodyValues), few = zeros(core::kSmallBodyValues - 10);
  std::string form = "k=1";
  for (std::size_t i = 0; i < core::kSmallBodyValues; ++i) form += "&k=1";
  const std::string text = R"({"k":")" + std::string(60'000, 'x') + "\"}";
  HttpMessage from = message("POST", "/v1/a", many);
  refuses(from, 413, "http: request body too large");
  from.body = few;
  CHECK(read(from).request.body.is_object());
  from.token = "hvs.x";
  CHECK_FALSE(read(from).request.late_body);
  from.body = many;
  CHECK(read(from).request.late_body);
  from.body = text;
  CHECK_FALSE(read(from).request.late_body);
  from.content_type = "application/x-www-form-urlencoded";
  from.body = form;
  CHECK(read(from).request.late_body);
}

TEST_CASE("wire: what a large body may take in memory is known before it is read") {
  std::string zeros = R"({"k":[0)";
  for (int i = 0; i < 100'000; ++i) zeros += ",0";
  zeros += "]}";
  HttpMessage from = message("POST", "/v1/a", zeros);
  from.token = "hvs.x";
  CHECK(read(from).request.late_body->weight() > 100'000 * sizeof(Json));
  const std::string one = R"({"k":")" + std::string(200'000, 'x') + "\"}";
  from.body = one;
  CHECK(read(from).request.late_body->weight() < 2 * one.size());
}

TEST_CASE("wire: PATCH demands its content type") {
  HttpMessage from = message("PATCH", "/v1/a", "{}");
  from.content_type = "application/json";
  refuses(from, 415,
          "PATCH requires Content-Type of application/merge-patch+json, provided application/json");
  from.content_type = "application/merge-patch+json; charset=utf-8";
  CHECK(read(from).request.operation == core::Operation::patch);
}

TEST_CASE("wire: a namespace is canonical, and the root's is empty") {
  HttpMessage from = message("GET", "/v1/a");
  for (const std::string_view root : {"", "/", "root", "root/"}) {
    from.name_space = root;
    CHECK(read(from).request.name_space.empty());
  }
  from.name_space = "/team-a/b/";
  CHECK(read(from).request.name_space == "team-a/b");
}
