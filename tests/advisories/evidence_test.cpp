// Classes of past advisories that concern what leaks: into audit, logs, errors, files, caches.

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "api/server/wire.h"
#include "backends/audit/file.h"
#include "tests/support/null_log.h"
#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr const char* kCanary = "canary-5b1f2d";

bool mentions(const std::string& text) { return text.find(kCanary) != std::string::npos; }

Status audit_file(const std::string& options, const std::string& storage = {}) {
  const auto file = parse_hcl("audit \"file\" \"main\" {\n options {\n" + options + "}\n}\n", {});
  REQUIRE(file.ok());
  Stanza stanza("test.hcl", file->blocks.front());
  SystemClock clock;
  const auto device = audit::make_file_device(stanza, {storage, clock});
  return device.ok() ? Status() : Status(device.error());
}

}  // namespace

TEST_CASE("class 19 audit redaction: no sink shows what a request or an answer held") {
  TestVault vault;
  vault.role();
  const std::string c = kCanary;
  const std::string nested = R"({"a":")" + c + R"(","b":{"c":[")" + c + R"(",{"d":")" + c +
                             R"("}]},"e":[[")" + c + R"("]]})";
  vault.post("test/notes/a", vault.root(), nested);
  CHECK(mentions(vault.get("test/notes/a", vault.root()).data().dump()));
  vault.post("test/roles/x", vault.root(), R"({"target":")" + c + R"(","unknown":")" + c + R"("})");
  vault.post("auth/token/create", vault.root(),
             R"({"meta":{"k":")" + c + R"("},"id":")" + c + R"("})");
  vault.get("auth/token/lookup-self", c);
  vault.get("test/notes/a", c + "-unknown");
  vault.post("auth/token/lookup", vault.root(), R"({"token":")" + c + R"("})");
  vault.post("sys/unseal", "", R"({"key":")" + c + R"("})");
  vault.post("sys/policies/acl/p", vault.root(), R"({"policy":")" + c + R"("})");
  vault.post("nowhere/x", vault.root(), nested);
  const Answer creds = vault.get("test/creds/ro", vault.root());
  CHECK(creds.data().string_at("password") == "the-password");
  vault.seal();
  CHECK_FALSE(mentions(vault.world().audit_text()));
  CHECK_FALSE(mentions(vault.world().log.text()));
  CHECK(vault.world().audit_text().find("the-password") == std::string::npos);
  CHECK(vault.world().audit_text().find(vault.root()) == std::string::npos);
  CHECK(vault.world().log.text().find(vault.root()) == std::string::npos);
  CHECK(vault.world().audit_text().find(vault.world().unseal_key) == std::string::npos);
}

TEST_CASE("class 20 leaking errors: what a client sent wrongly is not said back or logged") {
  TestVault vault;
  const std::string c = kCanary;
  for (const std::string& text : {"{\"a\":\"" + c, "{\"a\":" + c + "}", c, "{\"" + c + "\"}",
                                  "{\"a\":\"" + c + "\"}}", "[\"" + c + "\"]"}) {
    server::HttpMessage message;
    message.method = "POST";
    message.target = "/v1/test/notes/a";
    message.token = c;
    message.body = text;
    core::Request request;
    server::WireError refusal;
    CHECK_FALSE(server::read_request(message, {"127.0.0.1", 1}, request, refusal));
    CHECK(refusal.status == 400);
    CHECK_FALSE(mentions(refusal.message));
  }
  for (const char* path :
       {"auth/token/create", "test/roles/x", "sys/mounts/m", "sys/leases/renew"}) {
    const std::string one = "\"" + c + "\"";
    const Answer answer = vault.post(
        path, vault.root(),
        R"({"ttl":{"x":)" + one + R"(},"config":)" + one + R"(,"increment":)" + one + "}");
    CAPTURE(path);
    CHECK(answer.status() == 400);
  }
  CHECK_FALSE(mentions(vault.world().log.text()));
  CHECK_FALSE(mentions(vault.world().audit_text()));
}

TEST_CASE("class 21 audit devices: a request cannot choose a file to write") {
  TestVault vault;
  for (const char* body : {R"({"type":"file","options":{"file_path":"/tmp/x"}})",
                           R"({"type":"file","file_path":"/x"})", R"({"type":"socket"})", "{}"}) {
    const Answer answer = vault.post("sys/audit/mine", vault.root(), body);
    CHECK(answer.status() == 400);
    CHECK(answer.error().starts_with("cannot enable audit device via API"));
  }
  CHECK(vault.remove("sys/audit/file", vault.root()).status() >= 400);
  CHECK(vault.get("sys/audit", vault.root()).data().size() == 1);
  testing::TemporaryDirectory directory;
  const std::string path = "file_path = \"" + directory.path() + "/audit.log\"\n";
  CHECK(audit_file(path).ok());
  for (const char* more : {"mode = \"0777\"\n", "mode = \"04755\"\n", "prefix = \"#!/bin/sh\"\n",
                           "log_raw = \"true\"\n", "format = \"jsonx\"\n", "unknown = \"x\"\n"}) {
    CAPTURE(more);
    CHECK_FALSE(audit_file(path + more).ok());
  }
  CHECK_FALSE(audit_file(path, directory.path()).ok());
  CHECK_FALSE(audit_file("file_path = \"relative.log\"\n").ok());
}

TEST_CASE("class 29 file modes: what holds secrets is ours alone") {
  TestVault vault;
  struct stat about {};
  REQUIRE(::stat(vault.world().audit_path().c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  NullLog log;
  testing::TemporaryDirectory directory;
  {
    const auto opened = storage::open_lmdb(directory.path(), testing::small_lmdb(), log);
    REQUIRE(opened.ok());
    REQUIRE(::stat((directory.path() + "/data.mdb").c_str(), &about) == 0);
    CHECK((about.st_mode & 0077) == 0);
  }
  REQUIRE(::chmod(directory.path().c_str(), 0750) == 0);
  CHECK_FALSE(storage::open_lmdb(directory.path(), testing::small_lmdb(), log).ok());
}

TEST_CASE("class 30 caches and browsers: no answer is kept, none is markup") {
  Json data = Json::object();
  data.set("x", "<script>alert(1)</script>&\xe2\x80\xa8");
  std::vector<core::Response> answers;
  answers.push_back(core::Response::of(data));
  answers.push_back(core::Response::refused(403, "<b>no</b>"));
  answers.push_back(core::Response::bare(200, data));
  answers.push_back(core::Response::none());
  for (const core::Response& answer : answers) {
    server::ReplyBuffer out;
    server::encode_reply(answer, {}, out);
    const std::string text(out.view());
    CHECK(text.find("Cache-Control: no-store") != std::string::npos);
    CHECK(text.find("application/json") != std::string::npos);
    CHECK(text.find('<') == std::string::npos);
  }
}
