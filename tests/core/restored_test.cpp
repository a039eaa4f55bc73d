// A store that was put back: an older copy beside the log of what came after it.
#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"
#include "vault/commit/restored.h"

using namespace leasehold;
using testing::TestVault;
using testing::TestWorld;

namespace {

// What a copy of the data directory holds; `without` the first record of a table.
std::unique_ptr<storage::Storage> copy_of(storage::Storage& storage,
                                          std::optional<barrier::Table> without = {}) {
  auto copy = storage::make_memory_storage();
  const auto snapshot = storage.snapshot();
  REQUIRE(snapshot.ok());
  const Bytes first{0x00}, end{0xff};
  REQUIRE((*snapshot)
              ->scan(first, end, SIZE_MAX, storage::Scan::values,
                     [&](const storage::Entry& entry) {
                       if (without && entry.key[0] == static_cast<std::uint8_t>(*without)) {
                         without.reset();
                         return true;
                       }
                       const storage::Entry one[] = {entry};
                       return copy->import(one).ok();
                     })
              .ok());
  return copy;
}

// A copy, then a token that is revoked after it.
struct PutBack {
  TestWorld world;
  std::unique_ptr<storage::Storage> copy;
  std::string token, batch_token;

  PutBack() {
    {
      TestVault vault(world);
      vault.role();
      vault.read([](core::Unsealed& live, commit::ReadTxn& txn) {  // the target's settings
        const auto space = (*live.mounts.at(txn))->mounts.at("test/")->info.space;
        commit::Changes changes;
        commit::WriteTxn own(txn.snapshot(), live.barrier, space, changes);
        REQUIRE(own.put("targets/" + hex(Bytes{'d', 'b', 0, 0, 0, 0, 0, 0}), as_bytes("db")).ok());
        const commit::Batch batch(std::move(changes), commit::Unrecorded{"a test"});
        REQUIRE(live.committer.commit(batch).status().ok());
        return true;
      });
      token = vault.token(R"({"policies":["root"]})");
      batch_token = vault
                        .post("auth/token/create-orphan", vault.root(),
                              R"({"type":"batch","policies":["default"]})")
                        .token();
    }
    copy = copy_of(*world.storage);
    TestVault vault(world);
    REQUIRE(
        vault.post("auth/token/revoke", vault.root(), R"({"token":")" + token + "\"}").status() ==
        204);
  }
  void put_back() { world.storage = std::move(copy); }
  bool log_has(std::string_view text) const {
    return world.audit_text().find(text) != std::string::npos;
  }
};

// As the restore command leaves it, or somebody who can write the files.
void mark(storage::Storage& storage, bool keep_tokens,
          commit::RestoredMark::State state = commit::RestoredMark::State::whole) {
  commit::RestoredMark mark;
  mark.state = state;
  mark.keep_tokens = keep_tokens;
  const Bytes value = mark.serialize();
  const auto key = commit::restored_key();
  const storage::Entry entry[] = {{key.view(), value, 1}};
  REQUIRE(storage.import(entry).ok());
}

int status_of(TestVault& vault, const std::string& token) {
  return vault.get("auth/token/lookup-self", token).status();
}

}  // namespace

TEST_CASE_FIXTURE(PutBack, "restored: an older copy beside the newer log is not opened") {
  put_back();
  TestVault vault(world, true);
  for (int attempt = 0; attempt < 2; ++attempt) {  // a refusal changes nothing
    const auto answer = vault.unseal();
    CHECK(answer.status() == 400);
    CHECK(answer.error().find("older copy") != std::string::npos);
    CHECK(answer.error().find("-restored") != std::string::npos);
    CHECK(vault.sealed());
  }
  const Json status = vault.get("sys/seal-status", "").data();
  CHECK(status.strings_at("warnings").front().find("older copy") != std::string::npos);
}

TEST_CASE_FIXTURE(PutBack, "restored: the newer store opens as ever") {
  TestVault vault(world);
  CHECK(status_of(vault, vault.root()) == 200);
  CHECK(status_of(vault, token) == 403);
}

TEST_CASE_FIXTURE(PutBack, "restored: on the operator's word it opens, and no token works") {
  put_back();
  world.restored = core::Restored::revoke_tokens;
  {
    TestVault vault(world, true);
    CHECK(vault.unseal().status() == 200);
    CHECK(status_of(vault, token) == 403);
    CHECK(status_of(vault, vault.root()) == 403);
    CHECK(status_of(vault, batch_token) == 403);
    CHECK(vault.count(barrier::Table::token) == 0);
    CHECK(vault.verifies());
    CHECK(log_has("\"store-restored\""));
    CHECK(log_has("\"tokens\":\"revoked\""));
  }
  world.restored = core::Restored::no;
  TestVault again(world, true);  // it is not asked for twice
  CHECK(again.unseal().status() == 200);
  CHECK(status_of(again, again.root()) == 403);
}

TEST_CASE_FIXTURE(PutBack, "restored: said of a store that lacks nothing, it does nothing") {
  world.restored = core::Restored::revoke_tokens;
  TestVault vault(world);
  CHECK(status_of(vault, vault.root()) == 200);
  CHECK_FALSE(log_has("\"store-restored\""));
  CHECK(world.log.text().find("-restored is not needed and did nothing") != std::string::npos);
}

TEST_CASE_FIXTURE(PutBack, "restored: said without a log, it counts") {
  std::filesystem::remove(world.audit_path());
  world.restored = core::Restored::revoke_tokens;
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 200);
  CHECK(status_of(vault, vault.root()) == 403);
}

TEST_CASE_FIXTURE(PutBack, "restored: tokens may be kept, on record") {
  put_back();
  world.restored = core::Restored::keep_tokens;
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 200);
  CHECK(status_of(vault, vault.root()) == 200);
  CHECK(log_has("\"tokens\":\"kept\""));
}

TEST_CASE_FIXTURE(PutBack, "restored: the mark of a restore is not the operator's word") {
  put_back();
  mark(*world.storage, true);
  {
    TestVault vault(world, true);
    const auto answer = vault.unseal();
    CHECK(answer.status() == 400);
    CHECK(answer.error().find("older copy") != std::string::npos);
    CHECK_FALSE(log_has("\"store-restored\""));
  }
  world.restored = core::Restored::revoke_tokens;  // which is what counts, if both are there
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 200);
  CHECK(vault.count(barrier::Table::token) == 0);
  CHECK(vault.verifies());
  CHECK(log_has("\"by\":\"backup\""));
  CHECK(log_has("\"tokens\":\"revoked\""));
}

TEST_CASE_FIXTURE(PutBack, "restored: a restore that no log contradicts opens by its mark") {
  std::filesystem::remove(world.audit_path());
  put_back();
  SUBCASE("tokens are revoked") {
    mark(*world.storage, false);
    TestVault vault(world, true);
    CHECK(vault.unseal().status() == 200);
    CHECK(status_of(vault, vault.root()) == 403);
  }
  SUBCASE("tokens are kept") {
    mark(*world.storage, true);
    TestVault vault(world, true);
    CHECK(vault.unseal().status() == 200);
    CHECK(status_of(vault, vault.root()) == 200);
  }
  CHECK(log_has("\"store-restored\""));
}

TEST_CASE_FIXTURE(PutBack, "restored: a restore that did not come to its end is not opened") {
  std::filesystem::remove(world.audit_path());
  put_back();
  mark(*world.storage, true, commit::RestoredMark::State::importing);
  TestVault vault(world, true);
  CHECK(vault.unseal().error().find("did not come to its end") != std::string::npos);
  CHECK(vault.sealed());
}

TEST_CASE_FIXTURE(PutBack, "restored: records that are not those of their head are not opened") {
  std::filesystem::remove(world.audit_path());
  world.storage = copy_of(*copy, barrier::Table::token);
  mark(*world.storage, true);
  TestVault vault(world, true);
  const auto answer = vault.unseal();
  CHECK(answer.status() == 400);
  CHECK(answer.error().find("not those of their head record") != std::string::npos);
  CHECK(vault.sealed());
}

TEST_CASE_FIXTURE(PutBack, "restored: a target issues nothing until it was reconciled") {
  put_back();
  world.restored = core::Restored::keep_tokens;
  {
    TestVault vault(world, true);
    REQUIRE(vault.unseal().status() == 200);
    const auto refused = vault.get("test/creds/ro", vault.root());
    CHECK(refused.status() >= 500);
    CHECK(refused.error().find("reconciled") != std::string::npos);
  }
  world.restored = core::Restored::no;
  TestVault vault(world, true);  // also after a restart
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.get("test/creds/ro", vault.root()).status() >= 500);
  vault.read([](core::Unsealed& live, commit::ReadTxn&) {
    const auto places = live.restoration.to_reconcile();
    REQUIRE(places.ok());
    REQUIRE_FALSE(places->empty());
    for (const auto& place : *places)
      CHECK(live.restoration.reconciled(place.first, place.second).ok());
    return 0;
  });
  CHECK(vault.get("test/creds/ro", vault.root()).status() == 200);
  CHECK(log_has("\"restored-target-reconciled\""));
  CHECK(vault.verifies());
}

TEST_CASE_FIXTURE(PutBack,
                  "restored: a log that was rotated away while the vault ran still tells") {
  {
    TestVault vault(world);
    std::filesystem::rename(world.audit_path(), world.audit_path() + ".1");
    REQUIRE(vault.lifecycle().reopen_audit().ok());
  }
  put_back();
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 400);
}

TEST_CASE_FIXTURE(PutBack, "restored: without its log nothing tells that a store is older") {
  std::filesystem::remove(world.audit_path());
  put_back();
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 200);
}

TEST_CASE_FIXTURE(PutBack, "restored: the log of another store tells nothing of this one") {
  auto ours = std::move(world.storage);
  const std::string key = world.unseal_key;
  world.storage = storage::make_memory_storage();
  world.unseal_key.clear();
  world.audit_seems_new = true;
  {
    TestVault other(world);
    for (int i = 0; i < 50; ++i) other.token("{}");
  }
  world.storage = std::move(ours);
  world.unseal_key = key;
  const std::string foreign = world.audit_path() + ".foreign";
  {
    TestVault vault(world, true);
    CHECK(vault.unseal().status() == 500);  // behind the end of ours stand lines that are not
    std::filesystem::rename(world.audit_path(), foreign);
    CHECK(vault.unseal().status() == 200);
  }
  // And what ours said before the other one's lines still counts.
  std::filesystem::rename(foreign, world.audit_path());
  put_back();
  TestVault vault(world, true);
  CHECK(vault.unseal().status() == 400);
}

namespace {

// An account that the vault issued, on the copy and at its server; the copy is then in a drill.
struct Drill : PutBack {
  std::string account, lease;

  void issue_and_copy() {
    {
      TestVault vault(world);
      const auto issued = vault.get("test/creds/ro", vault.root());
      REQUIRE(issued.status() == 200);
      account = issued.data().string_at("username");
      lease = issued.response().lease_id;
    }
    copy = copy_of(*world.storage);
    put_back();
  }
  bool is_there() { return world.servers["db"]->accounts().count(account) != 0; }
};

void refuses(const testing::Answer& answer) {
  CHECK(answer.status() == 503);
  CHECK(answer.error().find("-restored=drill") != std::string::npos);
}

}  // namespace

TEST_CASE_FIXTURE(Drill,
                  "restored: in a drill a copy is looked at, and its original loses nothing") {
  issue_and_copy();
  mark(*world.storage, false);
  world.restored = core::Restored::drill;
  {
    TestVault vault(world, true);
    REQUIRE(vault.unseal().status() == 200);
    CHECK(status_of(vault, vault.root()) == 200);
    CHECK(vault.post("sys/leases/lookup", vault.root(), R"({"lease_id":")" + lease + "\"}")
              .status() == 200);
    refuses(vault.get("test/creds/ro", vault.root()));
    for (const char* path : {"sys/leases/revoke", "sys/leases/renew"})
      refuses(vault.post(path, vault.root(), R"({"lease_id":")" + lease + "\"}"));
    refuses(vault.post("sys/leases/revoke-force/test", vault.root()));
    refuses(vault.post("sys/leases/reconcile/test", vault.root(), R"({"fix":true})"));
    refuses(vault.post("sys/storage/restored", vault.root(), R"({"reconciled":true})"));
    refuses(vault.post("auth/token/revoke-self", vault.root()));
    refuses(vault.post("sys/remount", vault.root(), R"({"from":"test","to":"moved"})"));
    refuses(vault.remove("sys/mounts/test", vault.root()));
    world.clock.advance(Seconds{40} * 86'400);  // all that the copy knows has expired
    vault.read([&](core::Unsealed& live, commit::ReadTxn&) {
      return live.revoker->tick(world.clock.now());
    });
    CHECK(vault.targets() == 0);  // nobody went there
    CHECK(is_there());
    CHECK(vault.count(barrier::Table::due) == 0);
    CHECK(vault.get("sys/seal-status", "").data().strings_at("warnings").back().find("drill") !=
          std::string::npos);
    CHECK(vault.verifies());
  }
  CHECK(is_there());
  CHECK(log_has("\"restore-drill\""));
  CHECK_FALSE(log_has("\"store-restored\""));

  world.restored = core::Restored::no;
  TestVault vault(world, true);  // for good
  REQUIRE(vault.unseal().status() == 200);
  CHECK(vault.count(barrier::Table::token) == 0);
  CHECK(log_has("\"store-restored\""));
  CHECK(TestVault::eventually([&] { return !is_there(); }));
}

TEST_CASE_FIXTURE(Drill,
                  "restored: a drill with a copy beside its newer log hides nothing of that") {
  put_back();
  world.restored = core::Restored::drill;
  for (int run = 0; run < 2; ++run) {
    TestVault vault(world, true);
    REQUIRE(vault.unseal().status() == 200);
    CHECK(status_of(vault, token) == 200);
  }
  world.restored = core::Restored::no;
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(status_of(vault, token) == 403);
  CHECK(log_has("\"store-restored\""));
  CHECK(vault.verifies());
}

TEST_CASE_FIXTURE(Drill, "restored: a drill said of the original by mistake costs nothing") {
  world.restored = core::Restored::drill;
  {
    TestVault vault(world, true);
    REQUIRE(vault.unseal().status() == 200);
    vault.seal();  // the word holds as long as the process runs
    REQUIRE(vault.unseal().status() == 200);
    refuses(vault.get("test/creds/ro", vault.root()));
  }
  world.restored = core::Restored::no;
  TestVault vault(world, true);
  REQUIRE(vault.unseal().status() == 200);
  CHECK(status_of(vault, vault.root()) == 200);
  CHECK(vault.get("test/creds/ro", vault.root()).status() == 200);
  CHECK_FALSE(log_has("\"store-restored\""));
}
