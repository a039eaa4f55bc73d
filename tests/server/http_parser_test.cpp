#include "api/server/http_parser.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace leasehold::server;

namespace {

// What parsing some bytes came to, however they were cut.
struct Outcome {
  HttpParser::State state = HttpParser::State::head;
  int status = 0;
  std::string refusal, method, target, token, body, rest;
  bool keep_alive = false;
  bool operator==(const Outcome&) const = default;
};

Outcome outcome_of(const HttpParser& parser, const std::string& buffer) {
  Outcome result;
  result.state = parser.state();
  if (parser.state() == HttpParser::State::refused) {
    result.status = parser.refusal_status();
    result.refusal = parser.refusal();
  }
  if (parser.state() != HttpParser::State::complete) return result;
  const HttpMessage message = parser.message(buffer.data());
  result.method = message.method;
  result.target = message.target;
  result.token = message.token;
  result.body = message.body;
  result.rest = buffer.substr(parser.message_size());
  result.keep_alive = parser.keep_alive();
  return result;
}

// In two pieces, cut at `cut`; what follows a finished message is added untouched.
Outcome parse_cut(const std::string& bytes, std::size_t cut, const HttpLimits& limits) {
  HttpParser parser(limits);
  std::string buffer = bytes.substr(0, cut);
  buffer.resize(parser.parse(buffer));
  buffer += bytes.substr(cut);
  const bool going_on =
      parser.state() == HttpParser::State::head || parser.state() == HttpParser::State::body;
  if (going_on) buffer.resize(parser.parse(buffer));
  return outcome_of(parser, buffer);
}

Outcome parse_bytewise(const std::string& bytes, const HttpLimits& limits) {
  HttpParser parser(limits);
  std::string buffer;
  for (const char byte : bytes) {
    buffer += byte;
    const bool going_on =
        parser.state() == HttpParser::State::head || parser.state() == HttpParser::State::body;
    if (going_on) buffer.resize(parser.parse(buffer));
  }
  return outcome_of(parser, buffer);
}

// At once, byte by byte, and cut in two at every place: the same.
Outcome parse(const std::string& bytes, const HttpLimits& limits = {}) {
  const Outcome whole = parse_cut(bytes, bytes.size(), limits);
  CHECK(parse_bytewise(bytes, limits) == whole);
  const std::size_t step = bytes.size() / 2000 + 1;
  for (std::size_t cut = 0; cut < bytes.size(); cut += step)
    if (!(parse_cut(bytes, cut, limits) == whole)) FAIL_CHECK("cut at " << cut << " differs");
  return whole;
}

std::string with(const std::string& headers, const std::string& body = {}) {
  return "POST /v1/a HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}

void refuses(int status, const std::string& bytes) {
  CAPTURE(bytes);
  const Outcome outcome = parse(bytes);
  CHECK(outcome.state == HttpParser::State::refused);
  CHECK(outcome.status == status);
  CHECK_FALSE(outcome.refusal.empty());
}

}  // namespace

TEST_CASE("http: a request is its method, target, known headers and body") {
  const Outcome outcome = parse(
      "LIST /v1/a/b?x=1 HTTP/1.1\r\nhOsT: v\r\nx-VAULT-token:  s.abc \t\r\nX-Other: "
      "\xc3\xa4\r\n\r\n");
  CHECK(outcome.state == HttpParser::State::complete);
  CHECK(outcome.method == "LIST");
  CHECK(outcome.target == "/v1/a/b?x=1");
  CHECK(outcome.token == "s.abc");
  CHECK(outcome.body.empty());
  CHECK(outcome.keep_alive);
}

TEST_CASE("http: a body ends where its length says, and the next request begins there") {
  const Outcome outcome = parse(with("Content-Length: 5\r\n", "helloGET /"));
  CHECK(outcome.body == "hello");
  CHECK(outcome.rest == "GET /");
  CHECK(parse(with("Content-Length: 0\r\n", "GET")).rest == "GET");
  CHECK(parse(with("Content-Length: 7\r\n", "hello")).state == HttpParser::State::body);
}

TEST_CASE("http: a chunked body is its data, whatever the chunks") {
  const std::string chunked = "Transfer-Encoding: Chunked\r\n";
  CHECK(parse(with(chunked, "5\r\nhello\r\n0\r\n\r\nGET /")).body == "hello");
  CHECK(parse(with(chunked, "5\r\nhello\r\n0\r\n\r\nGET /")).rest == "GET /");
  CHECK(parse(with(chunked, "1\r\na\r\n00A\r\nbcdefghijk\r\n0\r\nT: v\r\nU: w\r\n\r\nX")).body ==
        "abcdefghijk");
  CHECK(parse(with(chunked, "3;name=\"value\"\r\nabc\r\n0;x\r\n\r\n")).body == "abc");
  CHECK(parse(with(chunked, "0\r\n\r\n")).body.empty());
  CHECK(parse(with(chunked, "3\r\nabc\r\n")).state == HttpParser::State::body);
}

TEST_CASE("http: two lengths, or a length and a coding, are refused") {
  refuses(400, with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
  refuses(400, with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"));
  refuses(400, with("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
  refuses(400, with("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"));
  refuses(400, with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"));
  for (const char* length : {"", "+5", "-5", "5x", "0x5", "5, 5", "5 5", "\"5\"", "1e3"})
    refuses(400, with("Content-Length: " + std::string(length) + "\r\n"));
  refuses(413, with("Content-Length: 99999999999999999999999999\r\n"));
}

TEST_CASE("http: transfer codings other than chunked are refused") {
  for (const char* coding : {"gzip", "gzip, chunked", "chunked, chunked", "xchunked", "identity",
                             "chunked;q=1", "\"chunked\""})
    refuses(501, with("Transfer-Encoding: " + std::string(coding) + "\r\n"));
  refuses(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("http: lines that another parser could read otherwise are refused") {
  refuses(400, "GET / HTTP/1.1\nHost: x\n\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\n\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\rA: b\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\n Host: x\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\n\tfolded\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\n: nothing\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nA\x01: b\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n");
  refuses(400, std::string("GET / HTTP/1.1\r\nHost: x\r\nA: b") + '\0' + "c\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nA: b\x7f\r\n\r\n");
}

TEST_CASE("http: request lines are exact") {
  refuses(400, "\r\nGET / HTTP/1.1\r\n");
  refuses(400, "GET  / HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET /  HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET / HTTP/1.1 \r\nHost: x\r\n\r\n");
  refuses(400, " GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET /\r\nHost: x\r\n\r\n");
  refuses(400, "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "G(T / HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET / http/1.1\r\nHost: x\r\n\r\n");
  refuses(400, "GET / HTTP/1.10\r\nHost: x\r\n\r\n");
  refuses(400, std::string(40, 'M') + " / HTTP/1.1\r\nHost: x\r\n\r\n");
  refuses(505, "GET / HTTP/1.2\r\nHost: x\r\n\r\n");
  refuses(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
}

TEST_CASE("http: one Host is demanded of HTTP/1.1, none of HTTP/1.0") {
  refuses(400, "GET / HTTP/1.1\r\n\r\n");
  refuses(400, "GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n");
  const Outcome old = parse("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.state == HttpParser::State::complete);
  CHECK_FALSE(old.keep_alive);
  CHECK(parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  CHECK_FALSE(parse("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n").keep_alive);
}

TEST_CASE("http: heads are bounded in headers and bytes") {
  std::string hundred;
  for (int i = 0; i < 99; ++i) hundred += "A: b\r\n";
  CHECK(parse("GET / HTTP/1.1\r\nHost: x\r\n" + hundred + "\r\n").state ==
        HttpParser::State::complete);
  refuses(431, "GET / HTTP/1.1\r\nHost: x\r\n" + hundred + "A: b\r\n\r\n");
  refuses(431, "GET /" + std::string(20000, 'a'));
  refuses(431, with("A: " + std::string(17000, 'a') + "\r\n"));
  HttpLimits exact;
  exact.head_bytes = 27;
  CHECK(parse("GET / HTTP/1.1\r\nHost: x\r\n\r\n", exact).state == HttpParser::State::complete);
  exact.head_bytes = 26;
  CHECK(parse("GET / HTTP/1.1\r\nHost: x\r\n\r\n", exact).status == 431);
}

TEST_CASE("http: bodies are bounded however they come") {
  HttpLimits small;
  small.body_bytes = 8;
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  CHECK(parse(with("Content-Length: 8\r\n", "12345678"), small).body == "12345678");
  CHECK(parse(with("Content-Length: 9\r\n"), small).status == 413);
  CHECK(parse(with(chunked, "4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n"), small).body == "12345678");
  CHECK(parse(with(chunked, "4\r\n1234\r\n5\r\n"), small).status == 413);
  CHECK(parse(with(chunked, "fffffffffffffff\r\n"), small).status == 413);
  CHECK(parse(with(chunked, "ffffffffffffffffffff\r\n"), small).status == 413);
  CHECK(parse(with("Content-Length: 9\r\n"), small).refusal == "http: request body too large");
}

TEST_CASE("http: a client of HTTP/1.0 is not told to go on") {
  for (const char* version : {"1.0", "1.1"}) {
    std::string text = std::string("POST / HTTP/") + version +
                       "\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    const HttpLimits limits;
    HttpParser parser(limits);
    parser.parse(text);
    CHECK(parser.state() == HttpParser::State::body);
    CHECK(parser.expects_continue() == (version == std::string("1.1")));
  }
}

TEST_CASE("http: a large body is read of who shows a token and writes, and the head says so") {
  const std::string large = "Content-Length: 65537\r\n", small = "Content-Length: 65536\r\n";
  const auto head = [](const char* method, const std::string& headers) {
    return std::string(method) + " /v1/a HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n";
  };
  for (const char* token : {"X-Vault-Token: t\r\n", "Authorization: Bearer t\r\n"}) {
    for (const char* writes : {"POST", "PUT", "PATCH"})
      CHECK(parse(head(writes, token + large)).state == HttpParser::State::body);
    for (const char* other : {"GET", "LIST", "DELETE", "HEAD", "HELP"}) {
      CHECK(parse(head(other, token + large)).status == 413);
      CHECK(parse(head(other, token + small)).state == HttpParser::State::body);
    }
  }
  for (const char* none :
       {"", "X-Vault-Token:\r\n", "Authorization: Bearer \r\n", "Authorization: Basic t\r\n"}) {
    CHECK(parse(head("POST", none + large)).status == 413);
    CHECK(parse(head("POST", "Expect: 100-continue\r\n" + (none + large))).status == 413);
    CHECK(parse(head("POST", none + small)).state == HttpParser::State::body);
    const std::string chunked = std::string(none) + "Transfer-Encoding: chunked\r\n";
    CHECK(parse(head("POST", chunked) + "10001\r\n").status == 413);
    CHECK(parse(head("POST", chunked) + "10000\r\n").state == HttpParser::State::body);
  }
}

TEST_CASE("http: malformed chunks are refused") {
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const char* body :
       {"\r\nabc", "g\r\n", "-1\r\n", "+1\r\na\r\n", "0x1\r\na\r\n", " 1\r\na\r\n", "1 \r\na\r\n",
        "1\na\n0\n\n", "3\r\nabcd\r\n", "3\r\nabc\n0\r\n\r\n", "1;\x01\r\na\r\n",
        "0\r\nbad trailer\r\n\r\n", "0\r\n folded\r\n\r\n", "0\r\nA : b\r\n\r\n"})
    refuses(400, with(chunked, body));
  refuses(400, with(chunked, "1;" + std::string(300, 'x') + "\r\na\r\n"));
  refuses(431, with(chunked, "0\r\nA: " + std::string(17000, 'x')));
  std::string trailers;
  for (int i = 0; i < 101; ++i) trailers += "A: b\r\n";
  refuses(431, with(chunked, "0\r\n" + trailers + "\r\n"));
}

TEST_CASE("http: expectations other than 100-continue are refused") {
  refuses(417, with("Expect: 200-ok\r\n"));
  const HttpLimits limits;
  HttpParser parser(limits);
  std::string bytes = with("Expect: 100-Continue\r\nContent-Length: 3\r\n");
  parser.parse(bytes);
  CHECK(parser.state() == HttpParser::State::body);
  CHECK(parser.expects_continue());
}

TEST_CASE("http: of repeated headers the first counts, and only bearer tokens are authorization") {
  const HttpLimits limits;
  HttpParser parser(limits);
  std::string bytes = with(
      "X-Vault-Token: first\r\nX-Vault-Token: second\r\nAuthorization: Basic abc\r\n"
      "Authorization: Bearer one\r\nAuthorization: Bearer two\r\nX-Vault-Wrap-TTL: 5m\r\n"
      "X-Vault-Namespace: ns\r\nX-Leasehold-Purpose: deploy\r\nContent-Type: a/b\r\n");
  parser.parse(bytes);
  const HttpMessage message = parser.message(bytes.data());
  CHECK(message.token == "first");
  CHECK(message.authorization == "Bearer one");
  CHECK(message.wrap_ttl == "5m");
  CHECK(message.name_space == "ns");
  CHECK(message.purpose == "deploy");
  CHECK(message.content_type == "a/b");
}
