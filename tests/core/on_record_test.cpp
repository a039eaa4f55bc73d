// What the vault changes by itself is on record like what a request changes.

#include <doctest/doctest.h>

#include <type_traits>

#include "tests/support/fake_protector.h"
#include "tests/support/faulty_world.h"
#include "vault/audit/record.h"

using namespace leasehold;
using testing::TestVault;
using testing::TestWorld;

// A change that says nothing does not compile.
static_assert(!std::is_default_constructible_v<commit::Batch>);
static_assert(!std::is_convertible_v<commit::Changes, commit::Batch>);
static_assert(!std::is_constructible_v<commit::Batch, commit::Changes>);
static_assert(!std::is_default_constructible_v<commit::OnRecord>);

namespace {

std::vector<Json> events(const TestWorld& world, const std::string& name) {
  std::vector<Json> out;
  for (const std::string& line : world.audit_lines()) {
    const auto record = parse_json(line);
    if (!record.ok() || record->string_at("type") != "event") continue;
    if (record->string_at("event") == name) out.push_back(*record->find("data"));
  }
  return out;
}

// Of the lines about requests on `path`, in their order.
std::vector<std::string> types_of(const TestWorld& world, const std::string& path) {
  std::vector<std::string> out;
  for (const std::string& line : world.audit_lines()) {
    const auto record = parse_json(line);
    const Json* request = record.ok() ? record->find("request") : nullptr;
    if (request != nullptr && request->string_at("path") == path)
      out.push_back(record->string_at("type"));
  }
  return out;
}

std::string accessor_in_log(TestVault& vault, const std::string& token) {
  const std::string accessor =
      vault.get("auth/token/lookup-self", token).data().string_at("accessor");
  return vault.read([&](core::Unsealed& live, commit::ReadTxn&) {
    return audit::hmac_text(accessor, live.audit_key);
  });
}

}  // namespace

TEST_CASE("on record: an engine's event stands behind its request, and only where that was done") {
  testing::FaultyWorld world;
  TestVault vault(world);
  CHECK(vault.get("test/open/x", vault.root()).status() == 200);  // changes nothing
  CHECK(events(world, "looked").size() == 1);
  CHECK(vault.post("test/counters/x", vault.root()).status() == 200);
  CHECK(events(world, "counted").size() == 1);
  world.fails->commits_only = true;
  world.fails->left = 0;
  CHECK(vault.post("test/counters/x", vault.root()).status() == 507);
  world.fails->left = -1;
  CHECK(events(world, "counted").size() == 1);
}

TEST_CASE("on record: a new store, and who opened it") {
  TestWorld world;
  const TestVault vault(world);
  REQUIRE(events(world, "initialized").size() == 1);
  CHECK(events(world, "initialized")[0].string_at("root_token_accessor").starts_with("hmac-"));
  CHECK(events(world, "unsealed").size() == 2);  // by init, then by its share
}

TEST_CASE("on record: a token that expires, and what hangs below it") {
  TestWorld world;
  TestVault vault(world);
  const std::string parent = vault.token(R"({"ttl":"1h","policies":["root"],"display_name":"ci"})");
  const std::string child = vault.token(R"({"policies":["default"]})", parent);
  const std::string expired = accessor_in_log(vault, parent);
  const std::string swept = accessor_in_log(vault, child);
  vault.advance(Nanos(Seconds{3601}));
  REQUIRE(TestVault::eventually([&] { return !events(world, "token-swept").empty(); }));
  REQUIRE(events(world, "token-expired").size() == 1);
  CHECK(events(world, "token-expired")[0].string_at("accessor") == expired);
  CHECK(events(world, "token-expired")[0].string_at("display_name") == "token-ci");
  CHECK(events(world, "token-swept")[0].string_at("accessor") == swept);
}

TEST_CASE("on record: a token whose uses are spent") {
  TestWorld world;
  TestVault vault(world);
  const std::string token = vault.token(R"({"num_uses":2,"policies":["root"]})");
  const std::string accessor = accessor_in_log(vault, token);
  CHECK(vault.get("test/notes/none", token).status() == 404);
  REQUIRE(TestVault::eventually([&] { return !events(world, "token-used-up").empty(); }));
  CHECK(events(world, "token-used-up")[0].string_at("accessor") == accessor);
}

TEST_CASE("on record: a request that took the last use of its token has both its lines") {
  TestWorld world;
  TestVault vault(world);
  const std::string token = vault.token(R"({"num_uses":1,"policies":["root"]})");
  CHECK(vault.get("test/notes/none", token).status() == 404);
  CHECK(events(world, "token-used-up").size() == 1);
  CHECK(types_of(world, "test/notes/none") == std::vector<std::string>{"request", "response"});
}

TEST_CASE("on record: a token whose answer never reached its client") {
  TestWorld world;
  TestVault vault(world);
  const std::string token = vault.token(R"({"policies":["default"]})");
  const std::string accessor = accessor_in_log(vault, token);
  vault.core().undelivered(
      {"", vault.get("auth/token/lookup-self", token).data().string_at("accessor")});
  REQUIRE(TestVault::eventually([&] { return !events(world, "token-revoked").empty(); }));
  CHECK(events(world, "token-revoked")[0].string_at("accessor") == accessor);
}

TEST_CASE("on record: a removed mount, once nothing is left of it") {
  TestWorld world;
  TestVault vault(world);
  REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
  REQUIRE(vault.remove("sys/mounts/test", vault.root()).status() == 204);
  REQUIRE(TestVault::eventually([&] { return !events(world, "mount-erased").empty(); }));
  CHECK(events(world, "mount-erased")[0].string_at("path") == "test/");
  CHECK(events(world, "mount-erased")[0].string_at("type") == "test");
}

TEST_CASE("on record: receipts that are old enough to go") {
  TestWorld world;
  TestVault vault(world);
  vault.role(R"({"ttl":"1h"})");
  const std::string lease = vault.get("test/creds/ro", vault.root()).response().lease_id;
  REQUIRE(vault.post("sys/leases/revoke", vault.root(), R"({"lease_id":")" + lease + R"("})")
              .status() == 204);
  vault.advance(core::kReceiptsKept);
  REQUIRE(vault.as_time_passes([&] { return !events(world, "receipts-erased").empty(); },
                               Nanos(Seconds{3600})));
  CHECK(events(world, "receipts-erased")[0].integer_at("count") == 1);
}

TEST_CASE("on record: a slot that the configuration added, and one that was given another device") {
  TestWorld world;
  { const TestVault vault(world); }
  testing::FakeDevice device;
  world.protectors = testing::protected_by(device);
  {
    TestVault vault(world);
    REQUIRE(TestVault::eventually([&] { return !events(world, "seal-slot-added").empty(); }));
    const Json slot = events(world, "seal-slot-added")[0];
    CHECK(slot.string_at("kind") == "tpm");
    CHECK(TestVault::eventually([&] {  // it is on record before it is shown
      const Json status = vault.get("sys/seal-status", "").data();
      return status.find("slots")->items()[0].string_at("id") == slot.string_at("id");
    }));
    CHECK(slot.integer_at("generation") == 1);
    CHECK(slot.bool_at("may_unseal"));
  }
  device.serial = "B2";
  device.secret = 9;
  device.hang();
  const TestVault vault(world);  // by its share, before the other device answered
  device.release();
  REQUIRE(TestVault::eventually([&] { return !events(world, "seal-slot-changed").empty(); }));
  CHECK(events(world, "seal-slot-changed")[0].integer_at("generation") == 2);
}

TEST_CASE("on record: a vault that seals itself") {
  testing::FaultyWorld world;
  TestVault vault(world);
  world.fails->outcome = storage::Outcome::unknown;
  int nth = 0;
  REQUIRE(TestVault::eventually([&] {
    world.fails->left = nth++ % 32;  // one of them is the commit
    vault.post("test/notes/lost", vault.root(), R"({"x":1})");
    world.fails->left = -1;
    return vault.sealed();
  }));
  REQUIRE(TestVault::eventually([&] { return !events(world, "sealed").empty(); }));
  CHECK(events(world, "sealed")[0].string_at("by") == "itself");
  CHECK(events(world, "sealed")[0].string_at("because").find("storage") != std::string::npos);
}

TEST_CASE("on record: a vault that is opened with another configuration") {
  TestWorld world;
  world.configured = {{"seal \"tpm\"", {1}}, {"max_lease_ttl", {2}}};
  { const TestVault vault(world); }
  REQUIRE(events(world, "config-changed").size() == 1);  // the first: all of it
  CHECK(events(world, "config-changed")[0].strings_at("changed").size() == 2);
  { const TestVault vault(world); }
  CHECK(events(world, "config-changed").size() == 1);
  world.configured = {{"seal \"tpm\"", {3}}, {"listener \"tcp\"", {4}}};
  const TestVault vault(world);
  REQUIRE(events(world, "config-changed").size() == 2);
  const Json changed = events(world, "config-changed")[1];
  CHECK(changed.strings_at("changed") ==
        std::vector<std::string>{"listener \"tcp\"", "seal \"tpm\""});
  CHECK(changed.strings_at("removed") == std::vector<std::string>{"max_lease_ttl"});
}
