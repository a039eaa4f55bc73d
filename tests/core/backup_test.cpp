// The snapshot of a backup that is being read, which keeps pages of storage from being reused.
#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
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

TEST_CASE("backup: who may begin one may read it and give it up, unless a policy denies that") {
  TestVault vault;
  const auto token = [&](const std::string& name, const std::string& policy) {
    vault.policy(name, policy);
    return vault.token(R"({"policies":[")" + name + R"("]})");
  };
  const auto path_of = [](const Answer& begun) {
    REQUIRE(begun.status() == 200);
    return "sys/storage/backup/" + begun.data().string_at("id");
  };
  const std::string begins = R"(path "sys/storage/backup" { capabilities = ["update", "sudo"] })";
  const std::string nightly = token("nightly", begins);
  std::string path = path_of(vault.post("sys/storage/backup", nightly));
  CHECK(vault.get(path, nightly).status() == 200);
  CHECK(vault.remove(path, nightly).status() == 204);
  path = path_of(vault.post("sys/storage/backup", nightly));  // it is in nobody's way

  const std::string kept_off =
      token("kept-off", begins + R"(path "sys/storage/backup/*" { capabilities = ["deny"] })");
  const std::string no_sudo = token("no-sudo", R"(path "sys/storage/backup" {
      capabilities = ["create", "read", "update", "delete"] })");
  for (const std::string& other : {kept_off, no_sudo}) {
    CHECK(vault.get(path, other).status() == 403);
    CHECK(vault.remove(path, other).status() == 403);
  }
  CHECK(vault.get(path, nightly).status() == 200);
}
