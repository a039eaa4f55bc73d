// Who waits for records is told once, when the last of them is gone, also of those gone before.

#include <doctest/doctest.h>

#include "tests/support/vault_store.h"
#include "vault/core/leases/waits.h"

namespace leasehold::core {
namespace {

using barrier::PhysicalKey;

struct Told : RevocationWait {
  explicit Told(RevocationWait::Records of) {
    records = std::make_shared<const RevocationWait::Records>(std::move(of));
    resume = [](Waiter* waiter) {
      ++static_cast<Told*>(static_cast<RevocationWait*>(waiter))->times;
    };
  }
  int times = 0;
};

PhysicalKey record(std::uint8_t number) { return PhysicalKey::from(Bytes{0x20, number}); }

struct Waiting : testing::VaultStore {
  Waiting() {
    REQUIRE(write([&](commit::WriteTxn& txn) { return txn.mark(record(1)); }).ok());
  }
  commit::Snapshots snapshots{storage};
  Waits waits{snapshots, barrier};
};

TEST_CASE_FIXTURE(Waiting, "waits: nobody waits for a few records that are gone") {
  Told wait({record(2), record(3)});
  CHECK_FALSE(waits.wait(&wait));
  CHECK(wait.times == 0);
}

TEST_CASE_FIXTURE(Waiting, "waits: of many records those that are gone are found with the pass") {
  RevocationWait::Records many;
  for (std::uint8_t i = 2; i < 202; ++i) many.push_back(record(i));
  Told wait(many);
  REQUIRE(waits.wait(&wait));
  CHECK(wait.times == 0);
  waits.tick();
  CHECK(wait.times == 1);
}

TEST_CASE_FIXTURE(Waiting, "waits: a record that is told of twice counts once") {
  Told wait({record(1), record(2)});
  REQUIRE(waits.wait(&wait));
  waits.ended(record(2), {});
  CHECK(wait.times == 0);
  waits.ended(record(1), {});
  CHECK(wait.times == 1);
}

TEST_CASE_FIXTURE(Waiting, "waits: a failure ends a wait, but not one by force") {
  Told asked({record(1)}), forced({record(1)});
  forced.forgets = true;
  REQUIRE(waits.wait(&asked));
  REQUIRE(waits.wait(&forced));
  waits.ended(record(1), failure(Code::unavailable, "the target was lost"));
  CHECK(asked.times == 1);
  CHECK(forced.times == 0);
  CHECK(forced.so_far.is(Code::unavailable));
  waits.ended(record(1), {});
  CHECK(forced.times == 1);
  CHECK(forced.result.ok());
}

}  // namespace
}  // namespace leasehold::core
