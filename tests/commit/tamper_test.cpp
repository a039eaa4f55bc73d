// Somebody with write access to storage changes it behind the vault's back.
#include <doctest/doctest.h>

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

TEST_CASE_FIXTURE(Tampered, "verify: the seal table does not count, for it changes while sealed") {
  storage::Batch batch;
  batch.put(Bytes{0x02, 0x01}, as_bytes("slot"));
  write(batch);
  CHECK(verifies());
  VaultRun run(*storage, 2);
  CHECK(run.start().ok());
  CHECK(run.verifies());
}

TEST_CASE_FIXTURE(Tampered, "start: a head record that was put back is refused") {
  const auto head = commit::head_key();
  const auto old = to_bytes((*VaultRun(*storage).snapshot()->get(head.view()))->value);
  storage::Batch batch;
  batch.put(head.view(), old);
  write(batch);
  CHECK_FALSE(VaultRun(*storage, 2).start().ok());
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
  CHECK(verified->records == 6);  // three values, three names
  CHECK(told == 0);
}
