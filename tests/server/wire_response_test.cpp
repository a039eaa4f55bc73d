#include <doctest/doctest.h>

#include "api/server/http_date.h"
#include "api/server/wire.h"

using namespace leasehold;
using namespace leasehold::server;

namespace {

std::string encoded(const core::Response& answer, const ReplyOptions& options = {}) {
  ReplyBuffer out;
  encode_reply(answer, options, out);
  std::string text(out.view());
  out.wipe_used();
  CHECK(out.view().empty());
  return text;
}

std::string body_of(const core::Response& answer) {
  const std::string text = encoded(answer);
  return text.substr(text.find("\r\n\r\n") + 4);
}

core::Response with_data(std::string_view json) {
  core::Response answer;
  answer.data = SecretBytes(json);
  answer.request_id = "r1";
  return answer;
}

core::AuthInfo some_auth() {
  core::AuthInfo auth;
  auth.client_token = SecretBytes(std::string_view("hvs.x"));
  auth.accessor = "acc";
  auth.policies = {"default", "dev"};
  auth.token_policies = {"default", "dev"};
  auth.metadata = {{"username", "bob"}, {"a", "\"quoted\""}};
  auth.lease_duration = Seconds{2764800};
  auth.renewable = true;
  auth.entity_id = "e1";
  auth.orphan = true;
  return auth;
}

}  // namespace

TEST_CASE("wire: an answer is one head and one body, byte for byte") {
  CHECK(encoded(with_data(R"({"v":1})")) ==
        "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n"
        "Content-Length: 131\r\n\r\n"
        R"({"request_id":"r1","lease_id":"","renewable":false,"lease_duration":0,)"
        R"("data":{"v":1},"wrap_info":null,"warnings":null,"auth":null})"
        "\n");
}

TEST_CASE("wire: what is warned of without a body is in headers, and breaks none") {
  core::Response answer;
  answer.quiet_warnings = {"n\"s\n: \\", std::string(600, 'x')};
  CHECK(encoded(answer) ==
        "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n"
        "Warning: 299 - \"n\\\"s?: \\\\\"\r\nWarning: 299 - \"" +
            std::string(500, 'x') + "\"\r\n\r\n");
  answer.quiet_warnings.assign(20, "x");
  const std::string text = encoded(answer);
  std::size_t lines = 0;
  for (std::size_t at = 0; (at = text.find("Warning: ", at)) != text.npos; ++at) ++lines;
  CHECK(lines == 8);
  CHECK(text.find("\"x\"\r\nWarning: 299 - \"and 13 more warnings\"\r\n\r\n") != text.npos);
}

TEST_CASE("wire: nothing to say is 204 with Vault's headers and no length") {
  CHECK(encoded({}) ==
        "HTTP/1.1 204 No Content\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n"
        "\r\n");
}

TEST_CASE("wire: behind a status that forbids a body there is neither body nor length") {
  for (const int status : {100, 199, 204, 304}) {
    CAPTURE(status);
    const std::string bytes = encoded(core::Response::bare(status, Json::object()));
    CHECK(bytes.find("Content-Length") == std::string::npos);
    CHECK(bytes.ends_with("\r\n\r\n"));
  }
}

TEST_CASE("wire: lease and warnings have their places") {
  core::Response answer = with_data(R"({"password":"p"})");
  answer.lease_id = "database/creds/ro/x";
  answer.renewable = true;
  answer.lease_duration = Seconds{3600};
  answer.warnings = {"first", "with \"quotes\""};
  CHECK(body_of(answer) ==
        R"({"request_id":"r1","lease_id":"database/creds/ro/x","renewable":true,)"
        R"("lease_duration":3600,"data":{"password":"p"},"wrap_info":null,)"
        R"("warnings":["first","with \"quotes\""],"auth":null})"
        "\n");
}

TEST_CASE("wire: auth has Vault's keys in Vault's order") {
  core::Response answer;
  answer.request_id = "r1";
  answer.auth = some_auth();
  CHECK(body_of(answer) ==
        R"({"request_id":"r1","lease_id":"","renewable":false,"lease_duration":0,"data":null,)"
        R"("wrap_info":null,"warnings":null,"auth":{"client_token":"hvs.x","accessor":"acc",)"
        R"("policies":["default","dev"],"token_policies":["default","dev"],)"
        R"("metadata":{"a":"\"quoted\"","username":"bob"},"lease_duration":2764800,)"
        R"("renewable":true,"entity_id":"e1","token_type":"service","orphan":true,)"
        R"("mfa_requirement":null,"num_uses":0}})"
        "\n");
  answer.auth->metadata.clear();
  answer.auth->token_policies.clear();
  answer.auth->identity_policies = {"team"};
  const std::string body = body_of(answer);
  CHECK(body.find("token_policies") == std::string::npos);
  CHECK(body.find(R"("identity_policies":["team"],"metadata":null,)") != std::string::npos);
}

TEST_CASE("wire: what a rate limit counted is a header each") {
  core::Response answer = core::Response::refused(429, "rate limit quota exceeded");
  answer.retry_after = Seconds{9};
  answer.rate_limit = core::Response::RateLimit{100, 0, Seconds{9}};
  const std::string text = encoded(answer);
  for (const char* line : {"\r\nRetry-After: 9\r\n", "\r\nX-Ratelimit-Limit: 100\r\n",
                           "\r\nX-Ratelimit-Remaining: 0\r\n", "\r\nX-Ratelimit-Reset: 9\r\n"}) {
    CAPTURE(line);
    CHECK(text.find(line) != std::string::npos);
  }
  answer.rate_limit.reset();
  CHECK(encoded(answer).find("Ratelimit") == std::string::npos);
}

TEST_CASE("wire: a wrapped answer shows its wrapping and nothing else") {
  core::Response answer = with_data(R"({"secret":1})");
  answer.auth = some_auth();
  answer.wrap.emplace();
  answer.wrap->token = SecretBytes(std::string_view("hvs.w"));
  answer.wrap->accessor = "wa";
  answer.wrap->ttl = Seconds{60};
  answer.wrap->creation_time = WallTime{1'800'000'000'100'000'000};
  answer.wrap->creation_path = "auth/token/create";
  const std::string plain = body_of(answer);
  CHECK(plain ==
        R"({"request_id":"","lease_id":"","renewable":false,"lease_duration":0,"data":null,)"
        R"("wrap_info":{"token":"hvs.w","accessor":"wa","ttl":60,)"
        R"("creation_time":"2027-01-15T08:00:00.1Z","creation_path":"auth/token/create"},)"
        R"("warnings":null,"auth":null})"
        "\n");
  answer.wrap->wrapped_accessor = "inner";
  CHECK(
      body_of(answer).find(R"("creation_path":"auth/token/create","wrapped_accessor":"inner"})") !=
      std::string::npos);
}

TEST_CASE("wire: injected answers repeat their keys in front, bare and raw ones are themselves") {
  core::Response answer = with_data(R"({"sys/":{"type":"system"}})");
  answer.form = core::Response::Form::injected;
  CHECK(
      body_of(answer).starts_with(R"({"sys/":{"type":"system"},"request_id":"r1","lease_id":"",)"));
  CHECK(body_of(answer).find(R"("data":{"sys/":{"type":"system"}},)") != std::string::npos);
  answer.data = SecretBytes(std::string_view("{}"));
  CHECK(body_of(answer).starts_with(R"({"request_id":"r1",)"));

  answer = with_data(R"({"sealed":true})");
  answer.form = core::Response::Form::bare;
  answer.status = 503;
  CHECK(body_of(answer) == "{\"sealed\":true}\n");
  CHECK(encoded(answer).starts_with("HTTP/1.1 503 Service Unavailable\r\n"));

  answer.form = core::Response::Form::raw;
  answer.status = 200;
  answer.content_type = "text/plain";
  CHECK(encoded(answer).find("Content-Type: text/plain\r\nContent-Length: 15\r\n\r\n{\"sealed\"") !=
        std::string::npos);
  answer.content_type = "text/plain\r\nSet-Cookie: x";
  CHECK(encoded(answer).find("Set-Cookie") == std::string::npos);
}

TEST_CASE("wire: errors are a list, empty or not, whatever else is set") {
  CHECK(encoded(reply_of({404, ""})) ==
        "HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\nContent-Type: application/json\r\n"
        "Content-Length: 14\r\n\r\n{\"errors\":[]}\n");
  core::Response answer = reply_of({403, "1 error occurred:\n\t* permission denied\n\n"});
  CHECK(body_of(answer) == "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}\n");
  answer.data = SecretBytes(std::string_view(R"({"a":1})"));
  CHECK(body_of(answer) ==
        "{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"],\"data\":{\"a\":1}}\n");
  answer.retry_after = Seconds{2};
  CHECK(encoded(answer).find("\r\nRetry-After: 2\r\n") != std::string::npos);
}

TEST_CASE(
    "wire: an error names its request beside the body, and what has it in the body does not") {
  core::Response error = reply_of({403, "permission denied"});
  error.request_id = "0198-r";
  CHECK(encoded(error).find("\r\nX-Leasehold-Request-Id: 0198-r\r\n") != std::string::npos);
  CHECK(body_of(error) == "{\"errors\":[\"permission denied\"]}\n");
  CHECK(encoded(with_data(R"({"v":1})")).find("Request-Id") == std::string::npos);
}

TEST_CASE("wire: a 404 with data keeps its envelope") {
  core::Response answer = with_data(R"({"data":null})");
  answer.status = 404;
  CHECK(body_of(answer).find(R"("data":{"data":null})") != std::string::npos);
}

TEST_CASE("wire: HEAD has the length of the body and not the body") {
  ReplyOptions head;
  head.head = true;
  const std::string text = encoded(with_data(R"({"v":1})"), head);
  CHECK(text.find("Content-Length: 131\r\n") != std::string::npos);
  CHECK(text.ends_with("\r\n\r\n"));
}

TEST_CASE("wire: the connection's end is announced") {
  ReplyOptions options;
  options.close = true;
  CHECK(encoded(with_data("{}"), options).find("\r\nConnection: close\r\n") != std::string::npos);
  options = {};
  options.keep_alive = true;
  CHECK(encoded(with_data("{}"), options).find("\r\nConnection: keep-alive\r\n") !=
        std::string::npos);
}

TEST_CASE("wire: a redirect says where, however long the place is") {
  const std::string location = "/v1/" + std::string(40'000, 'a') + "?list=true";
  ReplyOptions options;
  options.location = location;
  const std::string text = encoded(reply_of({307, "unclean"}), options);
  CHECK(text.starts_with("HTTP/1.1 307 Temporary Redirect\r\n"));
  CHECK(text.find("\r\nLocation: " + location + "\r\n") != std::string::npos);
  CHECK(text.ends_with("\r\n\r\n{\"errors\":[\"unclean\"]}\n"));
}

TEST_CASE("wire: the date is that of the second") {
  HttpDate date;
  const WallTime time{784'111'777'000'000'000};
  CHECK(date.text(time) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.text(add(time, Nanos{999'999'999})) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.text(add(time, Seconds{1})) == "Sun, 06 Nov 1994 08:49:38 GMT");
  CHECK(date.text(WallTime{0}) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(date.text(kEndOfTime) == "Fri, 11 Apr 2262 23:47:16 GMT");
}
