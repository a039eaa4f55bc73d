// Settings of targets whose configuration was removed.

#include <doctest/doctest.h>

#include "tests/support/test_vault.h"
#include "vault/base/encoding.h"

using namespace leasehold;
using testing::TestVault;

namespace {

// A lease on "db", whose settings are stored and, from retire() on, nobody's configuration.
struct RetiringVault : TestVault {
  RetiringVault() {
    role(R"({"ttl":"1h"})");
    const auto creds = get("test/creds/ro", root());
    REQUIRE(creds.status() == 200);
    lease = creds.response().lease_id;
    space = read([](core::Unsealed& live, commit::ReadTxn& txn) {
      return (*live.mounts.at(txn))->mounts.at("test/")->info.space;
    });
    write([&](commit::WriteTxn& txn) { REQUIRE(txn.put(settings, as_bytes("db")).ok()); });
  }

  template <class Body>
  void write(Body body) {
    read([&](core::Unsealed& live, commit::ReadTxn& txn) {
      commit::Batch batch({}, commit::Unrecorded{"a test"});
      commit::WriteTxn own(txn.snapshot(), live.barrier, space, batch);
      body(own);
      REQUIRE(live.committer.commit(batch).status().ok());
      return true;
    });
  }
  void retire() {
    write([&](commit::WriteTxn& txn) { REQUIRE(txn.put(retired, as_bytes("{}")).ok()); });
  }
  void revoke() {
    CHECK(post("sys/leases/revoke", root(), R"({"lease_id":")" + lease + R"("})").status() == 204);
  }
  bool has(const std::string& name) {
    return read([&](core::Unsealed&, commit::ReadTxn& txn) {
      return txn.in(space).get(name)->has_value();
    });
  }
  bool goes() {
    return as_time_passes([&] { return !has(settings); }, Nanos(Seconds{5}));
  }
  // Half an hour, and a pass of the revoker each minute, in which it could have been erased.
  void wait() { wait(30, Seconds{60}); }
  void wait(int passes, Seconds each) {
    const auto pass = [&, left = passes]() mutable {
      return read([&](core::Unsealed& live, commit::ReadTxn&) {
        live.revoker->wake();
        return --left == 0;
      });
    };
    CHECK(as_time_passes(pass, Nanos(each)));
  }

  const std::string id = hex(core::TargetId{'d', 'b'});
  const std::string settings = "targets/" + id, retired = "retired/" + id;
  std::string lease;
  barrier::Space space{};
};

}  // namespace

TEST_CASE_FIXTURE(RetiringVault,
                  "retirement: settings stay while a lease needs them, then they go") {
  retire();
  wait();
  CHECK(has(settings));
  CHECK(targets() == 1);
  revoke();
  CHECK(goes());
  CHECK_FALSE(has(retired));
  CHECK(eventually([&] { return targets() == 0; }));
  CHECK(verifies());
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: settings that are in use are not erased") {
  revoke();
  wait();
  CHECK(has(settings));
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: the leases of another target keep no settings") {
  REQUIRE(post("test/roles/far", root(), R"({"target":"far","ttl":"700h"})").status() == 204);
  REQUIRE(get("test/creds/far", root()).status() == 200);
  retire();
  revoke();
  CHECK(goes());
  CHECK(count(barrier::Table::lease) == 1);
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: settings stay as long as an issue may take") {
  revoke();
  retire();
  wait(100, Seconds{1});
  CHECK(has(settings));
  CHECK(goes());
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: a configuration that comes back at the last moment") {
  retire();
  wait();
  bool back = false;
  // The vault sees the mark and no lease, and then the mark goes.
  world().servers.between([&] {
    if (back || count(barrier::Table::lease) > 0) return;
    write([&](commit::WriteTxn& txn) { REQUIRE(txn.erase(retired).ok()); });
    back = true;
  });
  revoke();
  wait();
  world().servers.between({});
  CHECK(back);
  CHECK(has(settings));
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: a configuration that comes back keeps its settings") {
  retire();
  wait();
  write([&](commit::WriteTxn& txn) { REQUIRE(txn.erase(retired).ok()); });
  revoke();
  wait();
  CHECK(has(settings));
}

TEST_CASE_FIXTURE(RetiringVault, "retirement: a lease that cannot be read keeps the settings") {
  const auto key = read([&](core::Unsealed& live, commit::ReadTxn&) {
    return core::lease_key(*live.leases.id_of(lease));
  });
  const std::string record = read([&](core::Unsealed&, commit::ReadTxn& txn) {
    return std::string(as_text((*txn.snapshot().get(key.view()))->value));
  });
  write([&](commit::WriteTxn& txn) {
    txn.changes().storage.put(key.view(), as_bytes("nothing that a barrier ever sealed"));
  });
  retire();
  wait();
  CHECK(has(settings));
  CHECK(eventually([&] {
    return world().log.text().find("keeps the settings of its targets") != std::string::npos;
  }));
  write([&](commit::WriteTxn& txn) { txn.changes().storage.put(key.view(), as_bytes(record)); });
  revoke();
  CHECK(goes());
}
