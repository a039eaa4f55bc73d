// sys/internal/specs/openapi: what is mounted, as a document that tools for OpenAPI take. The rules
// checked here are those of the specification that a table of routes could break.

#include <doctest/doctest.h>

#include <set>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

constexpr char kSpec[] = "sys/internal/specs/openapi";

std::set<std::string> names_in(const std::string& path) {
  std::set<std::string> names;
  for (std::size_t open = path.find('{'); open != path.npos; open = path.find('{', open + 1))
    names.insert(path.substr(open + 1, path.find('}', open) - open - 1));
  return names;
}

std::set<std::string> parameters_of(const Json& item) {
  std::set<std::string> names;
  if (const Json* parameters = item.find("parameters"))
    for (const Json& one : parameters->items()) {
      CHECK(one.string_at("in") == "path");
      CHECK(one.bool_at("required"));
      CHECK(names.insert(one.string_at("name")).second);
    }
  return names;
}

// The same template under other names is the same path.
std::string shape_of(const std::string& path) {
  std::string shape;
  bool inside = false;
  for (const char c : path) {
    if (c == '{') inside = true;
    if (!inside || c == '{') shape += c;
    if (c == '}') inside = false;
  }
  return shape;
}

void check_document(const Json& document) {
  CHECK(document.string_at("openapi") == "3.0.2");
  CHECK(!document.find("info")->string_at("title").empty());
  CHECK(!document.find("info")->string_at("version").empty());
  std::set<std::string> ids, shapes;
  for (const auto& path : document.find("paths")->members()) {
    CAPTURE(path.first);
    CHECK(path.first.starts_with("/"));
    CHECK(path.first.find(':') == std::string::npos);
    CHECK(shapes.insert(shape_of(path.first)).second);
    CHECK(parameters_of(path.second) == names_in(path.first));
    std::size_t operations = 0;
    for (const char* method : {"get", "post", "patch", "delete", "head"}) {
      const Json* operation = path.second.find(method);
      if (operation == nullptr) continue;
      ++operations;
      CHECK(ids.insert(operation->string_at("operationId")).second);
      CHECK(operation->find("responses")->size() > 0);
      CHECK((operation->find("requestBody") == nullptr || std::string_view(method) == "post" ||
             std::string_view(method) == "patch"));
    }
    CHECK(operations > 0);
  }
}

}  // namespace

TEST_CASE("openapi: every mount's routes are in the document, and it keeps the rules") {
  TestVault vault;
  const Json document = vault.get(kSpec, vault.root()).data();
  check_document(document);
  const Json& paths = *document.find("paths");
  const Json* notes = paths.find("/test/notes/{path}");
  REQUIRE(notes != nullptr);
  CHECK(notes->bool_at("x-vault-createSupported"));
  CHECK(notes->find("delete") != nullptr);
  CHECK(notes->find("get")->find("parameters")->items().front().string_at("name") == "list");
  for (const char* path :
       {"/sys/mounts/{path}", "/sys/policies/acl/{name}", "/cubbyhole/{path}", "/auth/token/create",
        "/sys/wrapping/unwrap", "/test/creds/{name}", "/sys/health", "/sys/seal-status",
        "/sys/init", "/sys/unseal", "/sys/leader", "/sys/seal"}) {
    CAPTURE(path);
    CHECK(paths.find(path) != nullptr);
  }
  CHECK(paths.find("/sys/health")->find("head") != nullptr);
  CHECK(paths.find("/sys/audit")->bool_at("x-vault-sudo"));
  CHECK(paths.find("/sys/wrapping/lookup")->bool_at("x-vault-unauthenticated"));
  const Json& revoke = *paths.find("/auth/token/revoke")->find("post")->find("requestBody");
  const Json& schema = *revoke.find("content")->find("application/json")->find("schema");
  CHECK(schema.strings_at("required") == std::vector<std::string>{"token"});
  CHECK(schema.find("properties")->find("token")->string_at("format") == "password");
  CHECK(vault.post(kSpec, vault.root()).status() == 200);
}

TEST_CASE("openapi: where an engine is mounted can be a parameter") {
  TestVault vault;
  vault.post("sys/mounts/two", vault.root(), R"({"type":"test"})");
  const Json document =
      vault.request("GET", kSpec, vault.root(), R"({"generic_mount_paths":"true"})").data();
  check_document(document);
  const Json* notes = document.find("paths")->find("/{test_mount_path}/notes/{path}");
  REQUIRE(notes != nullptr);
  CHECK(notes->find("parameters")->items().front().find("schema")->string_at("default") == "test");
  CHECK(document.find("paths")->find("/sys/mounts") != nullptr);
}

TEST_CASE("openapi: nobody is shown a mount they may not reach") {
  TestVault vault;
  vault.policy("notes", R"(path "test/notes/*" { capabilities = ["read"] })");
  const std::string token = vault.token(R"({"policies":["notes"],"no_default_policy":true})");
  const Json some = vault.get(kSpec, token).data();
  check_document(some);
  CHECK(some.find("paths")->find("/test/notes/{path}") != nullptr);
  CHECK(some.find("paths")->find("/cubbyhole/{path}") == nullptr);
  const Json open = vault.get(kSpec, "").data();
  check_document(open);
  for (const auto& path : open.find("paths")->members()) {
    CHECK(path.second.bool_at("x-vault-unauthenticated"));
    CHECK(path.first.starts_with("/sys/"));  // no mount says that strangers may see it
  }
}

TEST_CASE("audit: what a mount says of its answers is in clear in the log, and nothing else") {
  TestWorld world;
  TestVault vault(world);
  vault.post("sys/mounts/test/tune", vault.root(), R"({"audit_non_hmac_response_keys":["shown"]})");
  vault.post("test/notes/n", vault.root(), R"({"shown":"in-clear","other":"never-in-clear"})");
  CHECK(world.audit_text().find("in-clear") == std::string::npos);
  CHECK(vault.get("test/notes/n", vault.root()).status() == 200);
  CHECK(world.audit_text().find("\"in-clear\"") != std::string::npos);
  CHECK(world.audit_text().find("never-in-clear") == std::string::npos);
}

TEST_CASE("openapi, audit: what a route calls sensitive is never in clear in the log") {
  TestWorld world;
  TestVault vault(world);
  vault.post("sys/auth/token/tune", vault.root(),
             R"({"audit_non_hmac_request_keys":["token","display_name"]})");
  vault.post("auth/token/create", vault.root(), R"({"display_name":"shown-in-clear"})");
  vault.post("auth/token/lookup", vault.root(), R"({"token":"hidden-although-listed"})");
  vault.post("auth/token/lookup", vault.root(), R"({"token":31415926535})");
  vault.post("auth/token/lookup", vault.root(), R"({"token":{"a":["27182818284",27182818284]}})");
  const std::string log = world.audit_text();
  CHECK(log.find("shown-in-clear") != std::string::npos);
  for (const char* secret : {"hidden-although-listed", "31415926535", "27182818284"}) {
    CAPTURE(secret);
    CHECK(log.find(secret) == std::string::npos);
  }
}
