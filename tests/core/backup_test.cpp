// The snapshot of a backup that is being read, which keeps pages of storage from being reused.
#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::TestVault;

TEST_CASE("backup: one whose last piece is asked for again and again ends all the same") {
  TestVault vault;
  const auto begun = vault.post("sys/storage/backup", vault.root());
  REQUIRE(begun.status() == 200);
  const std::string path = "sys/storage/backup/" + begun.data().string_at("id");
  REQUIRE(vault.get(path, vault.root()).status() == 200);
  const Instant start = vault.world().clock.instant();
  const auto ended = [&] { return vault.get(path, vault.root()).status() == 404; };
  CHECK(vault.as_time_passes(ended, Seconds{50}));
  CHECK(vault.world().clock.instant() >= add(start, Seconds{6 * 3600}));
  CHECK(vault.post("sys/storage/backup", vault.root()).status() == 200);
}
