// custom_response_headers: what a file may say, and which answers have what.

#include "api/server/response_headers.h"

#include <doctest/doctest.h>

#include "api/server/listener_stanza.h"
#include "api/server/wire.h"

using namespace leasehold;
using namespace leasehold::server;

namespace {

Result<ResponseHeaders> headers_of(const std::string& inside) {
  const auto file = parse_hcl("listener \"tcp\" {\n" + inside + "\n}", {"listener"});
  REQUIRE(file.ok());
  Stanza stanza("vault.hcl", file->blocks.at(0));
  return ResponseHeaders::read(stanza);
}

std::string error_of(const std::string& inside) {
  const auto headers = headers_of(inside);
  return headers.ok() ? std::string() : headers.error().message;
}

}  // namespace

TEST_CASE("response headers: the closest that is said of a status counts, name by name") {
  const auto headers = headers_of(R"(custom_response_headers {
    "default" = { "X-A" = ["d"], "X-B" = ["d1", "d2"] }
    "4xx" = { "X-A" = ["class"] }
    "404" = { "x-b" = "exact" }
  })");
  REQUIRE(headers.ok());
  CHECK(headers->lines(200) == "X-A: d\r\nX-B: d1\r\nX-B: d2\r\n");
  CHECK(headers->lines(400) == "X-A: class\r\nX-B: d1\r\nX-B: d2\r\n");
  CHECK(headers->lines(404) == "X-A: class\r\nx-b: exact\r\n");
  CHECK(headers->lines(599) == headers->lines(200));
  CHECK(headers_of("")->lines(200).empty());
  // As blocks, and without a default.
  const auto blocks = headers_of("custom_response_headers {\n \"2xx\" { \"X-A\" = [\"b\"] }\n}");
  REQUIRE(blocks.ok());
  CHECK(blocks->lines(204) == "X-A: b\r\n");
  CHECK(blocks->lines(500).empty());
}

TEST_CASE("response headers: what would break an answer is refused where it stands") {
  const auto one = [](const std::string& header) {
    return error_of("custom_response_headers { \"default\" = { " + header + " } }");
  };
  CHECK(one(R"("X-A" = ["ok"])").empty());
  for (const char* header :
       {R"("X-A" = ["a\r\nSet-Cookie: b"])", R"("X A" = ["b"])", R"("" = ["b"])", R"("X-A" = [])",
        R"("X-Vault-Index" = ["b"])", R"("content-length" = ["0"])", R"("Connection" = ["b"])",
        R"("Transfer-Encoding" = ["chunked"])"}) {
    CAPTURE(header);
    CHECK(one(header).starts_with("vault.hcl:2:"));
    CHECK(one(header).find(": custom_response_headers: \"default\" ") != std::string::npos);
  }
  for (const char* name : {"6xx", "4x", "44", "4444", "ok", "4xy", "0xx"}) {
    CAPTURE(name);
    CHECK(error_of("custom_response_headers { \"" + std::string(name) + "\" = {} }")
              .find("nor a status") != std::string::npos);
  }
}

TEST_CASE("response headers: an answer has the listener's and Vault's, each once") {
  const auto headers = headers_of(
      R"(custom_response_headers { "2xx" = { "X-A" = ["b"], "strict-transport-security" = ["none"] } })");
  REQUIRE(headers.ok());
  core::Response answer = core::Response::of(Json::object());
  ReplyOptions options;
  options.secure = true;
  options.headers = &*headers;
  ReplyBuffer out;
  encode_reply(answer, options, out);
  const std::string text(out.view());
  CHECK(text.find("\r\nX-A: b\r\n") != std::string::npos);
  CHECK(text.find("\r\nStrict-Transport-Security: none\r\n") != std::string::npos);
  CHECK(text.find("max-age") == std::string::npos);
  CHECK(text.find("\r\n\r\n{") != std::string::npos);
}
