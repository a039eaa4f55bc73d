// Somebody with write access to storage changes it behind the vault's back.
#include <doctest/doctest.h>

#include "tests/support/faulty_storage.h"
#include "tests/support/vault_store.h"

using namespace leasehold;
using commit::WriteTxn;
using testing::kTestSpace;
using testing::VaultRun;

namespace {

struct Silent final : storage::GroupObserver {
  bool admit(std::size_t) override { return true; }
  void changed(ByteView, const std::optional<storage::Found>&, const std::optional<ByteView>&,
               std::uint64_t) override {}
  void finish(std::uint64_t, storage::Batch&) override {}
};

struct Tampered {
  std::unique_ptr<storage::Storage> storage = storage::make_memory_storage();
  barrier::PhysicalKey key;
  Bytes value;  // of key

  Tampered() {
    VaultRun run(*storage);
    REQUIRE(run.start().ok());
    for (const char* name : {"a", "b", "c"})
      REQUIRE(run.write([&](WriteTxn& txn) { return txn.put(name, as_bytes("v")); }).ok());
    key = run.barrier.value_key(kTestSpace, "b");
    value = to_bytes((*run.snapshot()->get(key.view()))->value);
  }
  void write(const storage::Batch& batch) {
    const storage::Batch* const group[] = {&batch};
    storage::CommitResult result[1];
    Silent silent;
    storage->commit(group, silent, result);
    REQUIRE(result[0].outcome == storage::Outcome::committed);
  }
  bool verifies() { return VaultRun(*storage).verifies(); }
};

}  // namespace

TEST_CASE_FIXTURE(Tampered, "verify: an untouched store matches its head") { CHECK(verifies()); }

TEST_CASE_FIXTURE(Tampered, "verify: a deleted record is found") {
  storage::Batch batch;
  batch.erase(key.view());
  write(batch);
  CHECK_FALSE(verifies());
}

TEST_CASE_FIXTURE(Tampered, "verify: an old record put back is found, though it opens") {
  storage::Batch batch;
  batch.put(key.view(), value);  // the same bytes, a new version
  write(batch);
  CHECK(VaultRun(*storage).read("b") == "v");
  CHECK_FALSE(verifies());
}

TEST_CASE_FIXTURE(Tampered, "verify: an added record is found") {
  storage::Batch batch;
  batch.put(barrier::PhysicalKey(barrier::Table::receipt).view(), {});
  write(batch);
  CHECK_FALSE(verifies());
}

TEST_CASE_FIXTURE(Tampered, "verify: a slot put into the seal table is found") {
  storage::Batch batch;
  batch.put(Bytes{0x02, 0x01}, as_bytes("slot"));
  write(batch);
  CHECK_FALSE(verifies());
}

TEST_CASE("verify: a slot changed, put back or taken away in the seal table is found") {
  Tampered store;
  const Bytes slot{0x02, 0x01};
  {
    VaultRun run(*store.storage, 2);
    REQUIRE(run.start().ok());
    for (const char* generation : {"1", "2"}) {
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      batch.storage.put(slot, as_bytes(std::string_view(generation)));
      REQUIRE(run.committer.commit(batch).status().ok());
    }
  }
  REQUIRE(store.verifies());
  storage::Batch batch;
  SUBCASE("an older one") { batch.put(slot, as_bytes("1")); }
  SUBCASE("none") { batch.erase(slot); }
  store.write(batch);
  CHECK_FALSE(store.verifies());
}

TEST_CASE("start: a head that did not cover the seal table does so from then on") {
  std::unique_ptr<storage::Storage> storage = storage::make_memory_storage();
  const Bytes slot{0x02, 0x01};
  const auto write = [&](const storage::Batch& batch) {
    const storage::Batch* const group[] = {&batch};
    storage::CommitResult result[1];
    Silent silent;
    storage->commit(group, silent, result);
    return result[0].index;
  };
  {
    VaultRun run(*storage);
    REQUIRE(run.start().ok());
    REQUIRE(run.write([&](WriteTxn& txn) { return txn.put("a", as_bytes("v")); }).ok());
    run.committer.stop();
    // As the version before left it: format 2, and a slot that no head knows of.
    commit::Head head = run.committer.head();
    storage::Batch batch;
    batch.put(slot, as_bytes("slot"));
    head.index += 1;
    Bytes plain = head.serialize();
    plain[0] = 2;
    Bytes sealed;
    run.barrier.seal(commit::head_key(), {}, plain, sealed);
    batch.put(commit::head_key().view(), sealed);
    REQUIRE(write(batch) == head.index);
    CHECK(run.verifies());
  }
  VaultRun run(*storage, 2);
  REQUIRE(run.start().ok());
  CHECK(run.verifies());
  CHECK(run.committer.head().covers_seal);
  run.committer.stop();
  storage::Batch batch;
  batch.erase(slot);
  write(batch);
  CHECK_FALSE(run.verifies());
}

TEST_CASE_FIXTURE(Tampered, "start: a head record that was put back is refused") {
  const auto head = commit::head_key();
  const auto old = to_bytes((*VaultRun(*storage).snapshot()->get(head.view()))->value);
  storage::Batch batch;
  batch.put(head.view(), old);
  write(batch);
  CHECK_FALSE(VaultRun(*storage, 2).start().ok());
}

TEST_CASE_FIXTURE(Tampered, "start: a store that is older than its head record is refused") {
  testing::FaultyStorage behind(*storage, -1);
  behind.last = 1;
  const Status started = VaultRun(behind, 2).start();
  REQUIRE_FALSE(started.ok());
  CHECK(started.error().message.find("older than its own head record") != std::string::npos);
}

TEST_CASE_FIXTURE(Tampered, "start: a store without its head record is refused") {
  storage::Batch batch;
  batch.erase(commit::head_key().view());
  write(batch);
  CHECK_FALSE(VaultRun(*storage, 2).start().ok());
}

TEST_CASE_FIXTURE(Tampered, "verify: progress is told, and may stop it") {
  VaultRun run(*storage);
  const auto shown = run.snapshot();
  std::uint64_t told = 0;
  const auto verified = commit::verify_store(*shown, run.barrier, [&](std::uint64_t n) {
    told = n;
    return true;
  });
  REQUIRE(verified.ok());
  CHECK(verified->records == 7);  // three values, three names, one run
  CHECK(told == 0);
}

TEST_CASE_FIXTURE(Tampered, "runs: a key of another size is damage, and is looked at no further") {
  Bytes foreign{static_cast<std::uint8_t>(barrier::Table::incarnation)};
  SUBCASE("one byte") {}
  SUBCASE("too short") { foreign.resize(8); }
  SUBCASE("too long") { foreign.resize(65); }
  storage::Batch batch;
  batch.put(foreign, as_bytes(std::string_view("x")));
  write(batch);
  VaultRun run(*storage);
  const auto shown = run.snapshot();
  CHECK(commit::read_runs(*shown, run.barrier).is(Code::internal));
}
