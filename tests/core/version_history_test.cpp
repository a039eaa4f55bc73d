// sys/version-history: one entry of each version that has opened the store.

#include "vault/core/sys/version_history.h"

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/core/road/unsealed.h"

using namespace leasehold;
using testing::TestVault;

TEST_CASE("version history: the versions that have run a store are listed, also after a restart") {
  testing::TestWorld world;
  std::string first;
  {
    TestVault vault(world);
    const Json data = vault.list("sys/version-history", vault.root()).data();
    CHECK(data.strings_at("keys") == std::vector<std::string>{"0.0.0"});
    const Json& info = *data.find("key_info")->find("0.0.0");
    CHECK(info.find("previous_version")->is_null());
    CHECK(info.string_at("build_date") == "2026-11-23");
    CHECK(info.string_at("commit_date") == "2026-11-23");
    first = info.string_at("timestamp_installed");
    CHECK(parse_rfc3339(first).ok());
    CHECK(vault.list("sys/version-history", "").status() == 403);
    CHECK(vault.get("sys/version-history", vault.root()).status() == 405);
  }
  world.clock.advance(Seconds{3600});
  TestVault vault(world);
  const auto opened_by = [&](const char* version) {
    return vault.read([&](core::Unsealed& live, commit::ReadTxn&) {
      commit::Changes changes;
      auto held = live.snapshots.take();
      commit::WriteTxn txn(**held, live.barrier, barrier::kCoreSpace, changes);
      REQUIRE(core::note_version(txn, version, "2027-01-01", world.clock.now()).ok());
      const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
      return live.committer.commit(batch).status().ok();
    });
  };
  CHECK(opened_by("0.10.0"));
  CHECK(opened_by("0.0.0"));  // known: it stays as it was
  const Json data = vault.list("sys/version-history", vault.root()).data();
  CHECK(data.strings_at("keys") == std::vector<std::string>{"0.0.0", "0.10.0"});
  const Json& info = *data.find("key_info");
  CHECK(info.find("0.10.0")->string_at("previous_version") == "0.0.0");
  CHECK(info.find("0.0.0")->string_at("timestamp_installed") == first);
  CHECK(info.find("0.10.0")->string_at("timestamp_installed") != first);
  const Json rest =
      vault.request("LIST", "sys/version-history", vault.root(), R"({"after":"0.0.0"})").data();
  CHECK(rest.strings_at("keys") == std::vector<std::string>{"0.10.0"});
}
