// sys/jobs: how far the removal of a mount and the revocation of many are, also after a restart.

#include <doctest/doctest.h>

#include "tests/support/faulty_world.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;
using testing::TestWorld;

namespace {

std::vector<std::string> jobs(TestVault& vault) {
  return vault.list("sys/jobs", vault.root()).data().strings_at("keys");
}

void write_notes(TestVault& vault, int count) {
  for (int i = 0; i < count; ++i)
    REQUIRE(vault.post("test/notes/n" + std::to_string(i), vault.root(), R"({"x":1})").status() ==
            204);
}

// A mount that is being removed and cannot be emptied yet: the account of its lease is on a server
// that is down. The id of the job.
std::string held_up_removal(TestVault& vault, int notes) {
  vault.role(R"({"ttl":"1h"})");
  write_notes(vault, notes);
  REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  vault.server()->down(true);
  vault.advance(Seconds{10});  // past the last healthy look
  const auto waiting = vault.begin("DELETE", "sys/mounts/test", vault.root());
  REQUIRE(vault.as_time_passes([&] { return vault.answered(waiting); }));
  const auto ids = jobs(vault);
  REQUIRE(ids.size() == 1);
  return ids[0];
}

}  // namespace

TEST_CASE("jobs: the removal of a mount says what it is, who asked and how far it is") {
  TestVault vault;
  const std::string id = held_up_removal(vault, 40);
  const Json job = vault.get("sys/jobs/" + id, vault.root()).data();
  CHECK(job.string_at("kind") == "remove-mount");
  CHECK(job.string_at("path") == "test/");
  CHECK(job.string_at("state") == "ending leases");
  CHECK(job.integer_at("leases_left") == 1);
  CHECK(job.string_at("started_by") == "root");
  CHECK_FALSE(job.string_at("started_at").empty());
  CHECK(job.integer_at("done") == 0);
  CHECK(job.integer_at("total") >= 80);  // a value and a name for each
  CHECK_FALSE(job.bool_at("total_is_minimum"));
  CHECK(vault.remove("sys/jobs/" + id, vault.root()).status() == 405);
  vault.server()->down(false);
  CHECK(vault.as_time_passes([&] { return jobs(vault).empty(); }));
  CHECK(vault.get("sys/jobs/" + id, vault.root()).status() == 404);
  CHECK(vault.world().audit_text().find("mount-erased") != std::string::npos);
  CHECK(vault.verifies());
}

TEST_CASE("jobs: a mount at the path of one that is being erased shows none of its records") {
  TestVault vault;
  held_up_removal(vault, 3);
  const auto again = vault.begin("DELETE", "sys/mounts/test", vault.root());
  REQUIRE(vault.as_time_passes([&] { return vault.answered(again); }));
  CHECK(vault.wait(again).status() == 500);  // its account is not gone, and no answer says so
  CHECK(jobs(vault).size() == 1);
  REQUIRE(vault.post("sys/mounts/test", vault.root(), R"({"type":"test"})").status() == 204);
  CHECK(vault.get("test/notes/n1", vault.root()).status() == 404);
  REQUIRE(vault.post("test/notes/new", vault.root(), R"({"x":2})").status() == 204);
  vault.server()->down(false);
  CHECK(vault.as_time_passes([&] { return jobs(vault).empty(); }));
  CHECK(vault.get("test/notes/new", vault.root()).status() == 200);
  CHECK(vault.get("sys/mounts", vault.root()).data().find("test/") != nullptr);
  CHECK(vault.verifies());
}

TEST_CASE("jobs: a removal goes on after a restart") {
  TestWorld world;
  std::string id;
  {
    TestVault vault(world);
    id = held_up_removal(vault, 20);
  }
  TestVault vault(world);
  CHECK(jobs(vault) == std::vector<std::string>{id});
  CHECK(vault.get("sys/jobs/" + id, vault.root()).data().string_at("started_by") == "root");
  vault.server()->down(false);
  CHECK(vault.as_time_passes([&] { return jobs(vault).empty(); }));
  CHECK(vault.verifies());
}

TEST_CASE("jobs: a revocation below a prefix is a job until its target has answered") {
  TestVault vault;
  vault.role(R"({"ttl":"1h"})");
  for (int i = 0; i < 3; ++i) REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  vault.server()->down(true);
  vault.advance(Seconds{10});
  REQUIRE(vault.post("sys/leases/revoke-force/test", vault.root(), R"({"sync":false})").status() ==
          202);
  REQUIRE(TestVault::eventually([&] { return vault.count(barrier::Table::due) == 3; }));
  const auto ids = jobs(vault);
  REQUIRE(ids.size() == 1);
  const Answer shown = vault.get("sys/jobs/" + ids[0], vault.root());
  CAPTURE(shown.error());
  REQUIRE(shown.status() == 200);
  const Json job = shown.data();
  CHECK(job.string_at("kind") == "revoke-force");
  CHECK(job.string_at("path") == "test");
  CHECK(job.string_at("started_by") == "root");
  CHECK(job.string_at("started_at").starts_with("20"));
  CHECK(job.integer_at("done") == 3);
  CHECK(job.integer_at("total") == 3);
  CHECK(vault.as_time_passes([&] { return jobs(vault).empty(); }));  // forgotten after a while
  CHECK(vault.count(barrier::Table::lease) == 0);
  CHECK(vault.verifies());
}

TEST_CASE("jobs: what does not exist is 404, and a token without sudo sees none") {
  TestVault vault;
  CHECK(vault.get("sys/jobs/none", vault.root()).status() == 404);
  CHECK(vault.get("sys/jobs/" + std::string(56, 'f'), vault.root()).status() == 404);
  for (const char* odd : {"f", "ff", "zz", "..", "%2e"})
    CHECK(vault.get(std::string("sys/jobs/") + odd, vault.root()).status() == 404);
  CHECK(vault.get("sys/jobs/" + std::string(600, 'f'), vault.root()).status() == 404);
  CHECK(vault.list("sys/jobs", vault.root()).status() == 404);
  vault.policy("reads", R"(path "sys/jobs*" { capabilities = ["read", "list"] })");
  const std::string token = vault.token(R"({"policies":["reads"]})");
  CHECK(vault.list("sys/jobs", token).status() == 403);
  CHECK(vault.get("sys/jobs/none", token).status() == 403);
}

TEST_CASE("jobs: a move is in progress until the leases of the old path are on their way") {
  TestVault vault;
  vault.role(R"({"ttl":"1h"})");
  REQUIRE(vault.get("test/creds/ro", vault.root()).status() == 200);
  const Answer moved = vault.post("sys/remount", vault.root(), R"({"from":"test","to":"moved"})");
  REQUIRE(moved.status() == 200);
  const std::string status = "sys/remount/status/" + moved.data().string_at("migration_id");
  const auto now = [&] {
    return vault.get(status, vault.root()).data().find("migration_info")->string_at("status");
  };
  CHECK(TestVault::eventually([&] { return now() == "success"; }));
  CHECK(vault.get(status, vault.root()).data().find("migration_info")->find("ends") == nullptr);
}
