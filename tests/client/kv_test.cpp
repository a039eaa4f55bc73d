// The kv commands, against a server that answers from a table.

#include <doctest/doctest.h>

#include "tests/client/program.h"
#include "tests/client/vault_server.h"

namespace leasehold {
namespace {

using testing::Program;
using testing::VaultServer;

constexpr const char* kVersioned =
    R"({"data":{"path":"v2/","type":"kv","options":{"version":"2"}}})";
constexpr const char* kWritten =
    R"({"data":{"created_time":"2026-01-01T00:00:00Z","custom_metadata":null,"deletion_time":"",)"
    R"("destroyed":false,"version":3}})";
constexpr const char* kRead =
    R"({"data":{"data":{"a":"1","b":"2"},"metadata":{"deletion_time":"","version":2}}})";
constexpr const char* kDeleted =
    R"({"data":{"data":null,"metadata":{"deletion_time":"2026-01-01T00:00:00Z","version":2}}})";
constexpr const char* kDenied = R"({"errors":["permission denied"]})";

// A mount v2/ of version 2 and a mount v1/ of version 1.
struct KvServer : VaultServer {
  KvServer() {
    on("GET /v1/sys/internal/ui/mounts/v2/a", {200, kVersioned});
    on("GET /v1/sys/internal/ui/mounts/v1/a",
       {200, R"({"data":{"path":"v1/","options":{"version":"1"}}})"});
  }
};

TEST_CASE("kv: patch lets the server merge") {
  KvServer server;
  server.on("PATCH /v1/v2/data/a", {200, kWritten});
  const Program program(server.address());
  const auto outcome = program.run({"kv", "patch", "-cas=2", "-remove-data=b", "v2/a", "c=3"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out ==
        "== Secret Path ==\n"
        "v2/data/a\n"
        "\n"
        "======= Metadata =======\n"
        "Key                Value\n"
        "---                -----\n"
        "created_time       2026-01-01T00:00:00Z\n"
        "custom_metadata    <nil>\n"
        "deletion_time      n/a\n"
        "destroyed          false\n"
        "version            3\n");
  CHECK(server.last().body == R"({"data":{"b":null,"c":"3"},"options":{"cas":2}})");
  CHECK(server.last().header("content-type") == "application/merge-patch+json");
  CHECK(program.run({"kv", "patch", "v2/a"}).err == "Must supply data\n");
  CHECK(program.run({"kv", "patch", "-method=x", "v2/a", "k=v"}).code == 1);
  CHECK(program.run({"kv", "patch", "v1/a", "k=v"}).err ==
        "patch needs a kv engine of version 2\n");
}

TEST_CASE("kv: which version a mount has is asked in plain, also when the answer is wrapped") {
  KvServer server;
  server.on("GET /v1/v2/data/a", {200, R"({"data":null,"wrap_info":{"token":"hvs.w"}})"});
  const Program program(server.address());
  CHECK(program.run({"kv", "get", "-wrap-ttl=60s", "-field=wrapping_token", "v2/a"}).code == 0);
  const auto seen = server.seen();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].header("x-vault-wrap-ttl").empty());
  CHECK(seen[1].header("x-vault-wrap-ttl") == "60s");
}

TEST_CASE("kv: a command that is only printed is the one that matters") {
  KvServer server;
  const Program program(server.address());
  CHECK(program.run({"kv", "get", "-output-policy", "v2/a"}).out ==
        "path \"v2/data/a\" {\n  capabilities = [\"read\"]\n}\n");
  CHECK(program.run({"kv", "put", "-output-curl-string", "v1/a", "k=v"}).out ==
        "curl -X PUT -H 'X-Vault-Request: true' -d '{\"k\":\"v\"}' '" + server.address() +
            "/v1/v1/a'\n");
  for (const auto& seen : server.seen())
    CHECK(seen.target == "/v1/sys/internal/ui/mounts/" + seen.target.substr(27));
}

TEST_CASE("kv: patch reads, merges and writes where the policy has no patch") {
  KvServer server;
  server.on("PATCH /v1/v2/data/a", {403, kDenied});
  server.on("GET /v1/v2/data/a", {200, kRead});
  server.on("PUT /v1/v2/data/a", {200, kWritten});
  const Program program(server.address());
  CHECK(program.run({"kv", "patch", "-remove-data=b", "v2/a", "c=3"}).code == 0);
  CHECK(server.last().body == R"({"data":{"a":"1","c":"3"},"options":{"cas":2}})");
  CHECK(program.run({"kv", "patch", "-method=rw", "v2/a", "a=4"}).code == 0);
  CHECK(server.last().body == R"({"data":{"a":"4","b":"2"},"options":{"cas":2}})");
  const auto refused = program.run({"kv", "patch", "-method=patch", "v2/a", "c=3"});
  CHECK(refused.code == 2);
  CHECK(server.last().method == "PATCH");
}

TEST_CASE("kv: there is nothing to patch in a secret that is not there") {
  KvServer server;
  server.on("PATCH /v1/v2/data/a", {404, ""});
  const Program program(server.address());
  const auto outcome = program.run({"kv", "patch", "v2/a", "c=3"});
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "No value found at v2/data/a\n");
}

TEST_CASE("kv: rollback writes an old version on top of the current one, deleted or not") {
  KvServer server;
  server.on("GET /v1/v2/data/a", {404, kDeleted});
  server.on("GET /v1/v2/data/a", {200, kRead});
  server.on("PUT /v1/v2/data/a", {200, kWritten});
  const Program program(server.address());
  CHECK(program.run({"kv", "rollback", "-version=1", "v2/a"}).code == 0);
  CHECK(server.last().body == R"({"data":{"a":"1","b":"2"},"options":{"cas":2}})");
  CHECK(program.run({"kv", "rollback", "v2/a"}).code == 1);
}

TEST_CASE("kv: rollback to a deleted version writes nothing") {
  KvServer server;
  server.on("GET /v1/v2/data/a", {404, kDeleted});
  const Program program(server.address());
  const auto outcome = program.run({"kv", "rollback", "-version=1", "v2/a"});
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "Version 1 of v2/data/a is deleted or destroyed\n");
  CHECK(server.last().method == "GET");
}

TEST_CASE("kv: versions are deleted, brought back and destroyed by number") {
  KvServer server;
  for (const char* part : {"delete", "undelete", "destroy"})
    server.on(std::string("PUT /v1/v2/") + part + "/a", {204, ""});
  server.on("DELETE /v1/v2/data/a", {204, ""});
  const Program program(server.address());
  CHECK(program.run({"kv", "delete", "v2/a"}).out ==
        "Success! Data deleted (if it existed) at: v2/data/a\n");
  CHECK(program.run({"kv", "delete", "-versions=1,2", "v2/a"}).out ==
        "Success! Data deleted (if it existed) at: v2/data/a\n");
  CHECK(server.last().body == R"({"versions":["1","2"]})");
  CHECK(program.run({"kv", "undelete", "-versions=1", "-versions=2", "v2/a"}).out ==
        "Success! Data written to: v2/undelete/a\n");
  CHECK(server.last().body == R"({"versions":["1","2"]})");
  CHECK(program.run({"kv", "destroy", "-versions=2", "v2/a"}).out ==
        "Success! Data written to: v2/destroy/a\n");
  CHECK(program.run({"kv", "destroy", "-versions=x", "v2/a"}).code == 1);
}

// It would write a secret there: a path of version 1 is nothing but a path.
TEST_CASE("kv: nothing is destroyed or brought back in an engine without versions") {
  KvServer server;
  const Program program(server.address());
  for (const char* command : {"undelete", "destroy"}) {
    CHECK(program.run({"kv", command, "v1/a"}).code == 1);
    CHECK(program.run({"kv", command, "-versions=1", "v1/a"}).code == 1);
  }
  CHECK(program.run({"kv", "delete", "-versions=1", "v1/a"}).code == 1);
  CHECK(program.run({"kv", "metadata", "put", "-max-versions=3", "v1/a"}).code == 1);
  for (const auto& request : server.seen()) CHECK(request.method == "GET");
}

TEST_CASE("kv: metadata get shows a table for each version, in order") {
  KvServer server;
  server.on("GET /v1/v2/metadata/a",
            {200, R"({"data":{"current_version":10,"custom_metadata":{"k":"v"},"versions":{)"
                  R"("10":{"deletion_time":"","destroyed":false},)"
                  R"("9":{"deletion_time":"","destroyed":true}}}})"});
  const Program program(server.address());
  CHECK(program.run({"kv", "metadata", "get", "v2/a"}).out ==
        "== Metadata Path ==\n"
        "v2/metadata/a\n"
        "\n"
        "======= Metadata =======\n"
        "Key                Value\n"
        "---                -----\n"
        "current_version    10\n"
        "custom_metadata    map[k:v]\n"
        "\n"
        "====== Version 9 ======\n"
        "Key              Value\n"
        "---              -----\n"
        "deletion_time    n/a\n"
        "destroyed        true\n"
        "\n"
        "===== Version 10 =====\n"
        "Key              Value\n"
        "---              -----\n"
        "deletion_time    n/a\n"
        "destroyed        false\n");
  CHECK(program.run({"kv", "metadata", "get", "-field=current_version", "v2/a"}).out == "10");
}

TEST_CASE("kv: metadata put and patch send what was given, and nothing else") {
  KvServer server;
  server.on("PUT /v1/v2/metadata/a", {204, ""});
  server.on("PATCH /v1/v2/metadata/a", {204, ""});
  const Program program(server.address());
  CHECK(program
            .run({"kv", "metadata", "put", "-cas-required", "-max-versions=5",
                  "-delete-version-after=3h", "-custom-metadata=a=1", "-custom-metadata=b=x=y",
                  "v2/a"})
            .out == "Success! Data written to: v2/metadata/a\n");
  CHECK(server.last().body ==
        R"({"cas_required":true,"custom_metadata":{"a":"1","b":"x=y"},"delete_version_after":"3h",)"
        R"("max_versions":5})");
  program.run({"kv", "metadata", "patch", "-cas-required=false", "-remove-custom-metadata=a",
               "-custom-metadata=b=2", "v2/a"});
  CHECK(server.last().body == R"({"cas_required":false,"custom_metadata":{"a":null,"b":"2"}})");
  CHECK(program.run({"kv", "metadata", "put", "-custom-metadata=a", "v2/a"}).code == 1);
}

}  // namespace
}  // namespace leasehold
