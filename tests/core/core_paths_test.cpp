// The paths that the core keeps for itself: what can be done with them, and with a mount that a
// user made at one when that could be done.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"

using namespace leasehold;
using testing::Answer;
using testing::TestVault;

namespace {

constexpr const char* kOurs[] = {"sys",        "sys/x", "cubbyhole", "cubbyhole/x", "identity",
                                 "identity/x", "audit", "audit/x",   "auth/token",  "auth/token/x"};

// As a version wrote it that took the path: the mount "test/" there.
void move_test_to(TestVault& vault, const std::string& path) {
  vault.read([&](core::Unsealed& live, commit::ReadTxn& look) {
    commit::Changes changes;
    commit::WriteTxn txn(look.snapshot(), live.barrier, barrier::kCoreSpace, changes);
    Json record = (*live.mounts.at(look))->mounts.at("test/")->record;
    record.set("path", path);
    REQUIRE(core::Mounts::put_mount(txn, record).ok());
    const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
    return live.committer.commit(batch).status().ok();
  });
}

}  // namespace

TEST_CASE("core paths: nothing is mounted, removed or tuned there, or moved from or to it") {
  TestVault vault;
  for (const std::string path : kOurs) {
    CAPTURE(path);
    const bool auth = core::is_auth_path(path);
    const std::string at = "sys/mounts/" + path, shown = '"' + path + "/\"";
    const auto asked = [&](const std::string& where, const std::string& body) {
      return vault.post(where, vault.root(), body).error();
    };
    CHECK(asked(at, R"({"type":"test"})") == "cannot mount " + shown);
    CHECK(vault.remove(at, vault.root()).error() == "cannot unmount " + shown);
    CHECK(asked("sys/remount", R"({"from":"test","to":)" + shown + "}") ==
          "cannot remount to destination " + path + "/");
    const std::string free = auth ? R"("auth/b")" : R"("b")";
    CHECK(asked("sys/remount", R"({"from":)" + shown + R"(,"to":)" + free + "}") ==
          "cannot remount " + shown);
    if (auth) continue;
    CHECK(asked(at + "/tune", R"({"default_lease_ttl":"1h"})") ==
          "cannot tune parameter default_lease_ttl of " + path + "/");
  }
  CHECK(vault.post("sys/auth/token/tune", vault.root(), R"({"description":"x"})").status() == 204);
  CHECK(vault.post("sys/auth/token", vault.root(), R"({"type":"token"})").status() == 400);
  CHECK(vault.remove("sys/auth/token", vault.root()).error() ==
        "token credential backend cannot be disabled");
}

TEST_CASE("core paths: every mount of a fresh vault is at one") {
  TestVault vault;
  vault.read([](core::Unsealed& live, commit::ReadTxn& txn) {
    for (const auto& entry : (*live.mounts.at(txn))->mounts.all()) {
      CAPTURE(entry.first);
      CHECK(core::is_core_path(entry.first) == (entry.first != "test/"));
      CHECK(core::is_core_mount(entry.first, entry.second.get()) == (entry.first != "test/"));
    }
    return true;
  });
}

TEST_CASE("core paths: a mount that a user has there is theirs") {
  for (const std::string path : {"audit", "audit/x"}) {
    CAPTURE(path);
    TestVault vault;
    const std::string at = "sys/mounts/" + path;
    const auto move = [&](const std::string& from, const std::string& to) {
      const std::string body = R"({"from":")" + from + R"(","to":")" + to + R"("})";
      return vault.post("sys/remount", vault.root(), body).error();
    };
    REQUIRE(vault.post("test/notes/a", vault.root(), R"({"x":1})").status() == 204);
    move_test_to(vault, path + "/");
    CHECK(vault.get(path + "/notes/a", vault.root()).status() == 200);
    CHECK(vault.post(at + "/tune", vault.root(), R"({"default_lease_ttl":"1h"})").status() == 204);
    CHECK(move(path, "test").empty());
    CHECK(vault.get("test/notes/a", vault.root()).status() == 200);
    CHECK(move("test", path) == "cannot remount to destination " + path + "/");
    move_test_to(vault, path + "/");
    CHECK(vault.remove(at, vault.root()).status() == 204);
    CHECK(vault.get(path + "/notes/a", vault.root()).status() == 404);
  }
}
